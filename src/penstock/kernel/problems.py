"""How the kernel reports a user's mistake inside itself. Neither exception ever leaves the package."""

from typing import Final

from penstock.errors import (
    AUTHORIZATION,
    CONFIGURATION,
    EXPRESSION,
    RUNTIME,
    TIMEOUT,
    VALIDATION,
    Fault,
)

_STATUS: Final = {
    CONFIGURATION: 400,
    VALIDATION: 400,
    EXPRESSION: 400,
    AUTHORIZATION: 403,
    TIMEOUT: 408,
    RUNTIME: 500,
}
_TITLE: Final = {
    CONFIGURATION: "Configuration error",
    VALIDATION: "Validation error",
    EXPRESSION: "Expression error",
    AUTHORIZATION: "Authorization error",
    TIMEOUT: "Timeout",
    RUNTIME: "Runtime error",
}


class TaskFault(Exception):
    """The task that is being processed fails with this fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


class Parked(Exception):
    """The frame that is being processed waits for evaluations; it is processed again once they are answered."""


def fault_of(type_: str, detail: str) -> Fault:
    """A fault of a standard type with its status and title."""
    return Fault(type=type_, status=_STATUS[type_], title=_TITLE[type_], detail=detail)


def expression_fault(where: str, detail: str) -> TaskFault:
    return TaskFault(fault_of(EXPRESSION, f"{where}: {detail}"))


def validation_fault(where: str, detail: str) -> TaskFault:
    return TaskFault(fault_of(VALIDATION, f"{where}: {detail}"))


def runtime_fault(detail: str) -> TaskFault:
    return TaskFault(fault_of(RUNTIME, detail))


def timeout_fault(detail: str) -> Fault:
    return fault_of(TIMEOUT, detail)
