"""The ends of a run that are no result, as exceptions for whoever asks for the result."""

from penstock.errors import Fault, PenstockError


class RunFaulted(PenstockError):
    """The run ended with an error. `fault` is what it ended with; `fault.as_json()` gives problem details."""

    def __init__(self, run_id: str, fault: Fault) -> None:
        where = f" (at {fault.instance})" if fault.instance else ""
        super().__init__(f"the run {run_id} faulted: {fault.status} {fault.title}: {fault.detail}{where}")
        self.run_id = run_id
        self.fault = fault


class RunCancelled(PenstockError):
    """The run was cancelled before it had a result."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"the run {run_id} was cancelled")
        self.run_id = run_id
