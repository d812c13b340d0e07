"""What one call may look at: the run it is made for, its pinned documents, and the secrets its workflow declares."""

from collections.abc import Callable, Mapping

from penstock.model.json_value import Json
from penstock.model.workflow import Workflow, WorkflowIdentity
from penstock.runtime.masking import Mask, texts
from penstock.runtime.secret_values import Secrets
from penstock.tools.contract import ResourceMissing


class RuntimeCallContext:
    """Implements `penstock.tools.contract.CallContext`."""

    def __init__(
        self,
        *,
        run_id: str,
        workflow: Workflow,
        attempt: int,
        resources: Mapping[str, Json],
        secrets: Secrets,
        now_ms: Callable[[], int],
        rendered: tuple[Json, ...] = (),
    ) -> None:
        self.run_id = run_id
        self.attempt = attempt
        self.now_ms = now_ms
        self._workflow = workflow
        self._resources = resources
        self._secrets = secrets
        self._mask: Mask | None = None
        # As they were when the call began: a secret that is replaced meanwhile still has to be hidden.
        self._hidden = [value for value in (secrets.visible_to(workflow), *rendered) if value]

    @property
    def workflow(self) -> WorkflowIdentity:
        return self._workflow.identity

    def resource(self, uri: str) -> Json:
        try:
            return self._resources[uri]
        except KeyError:
            raise ResourceMissing(f"the document {uri} was not pinned when the workflow was deployed") from None

    def secret(self, name: str) -> Json:
        return self._secrets.value_for(name, self._workflow)

    def mask(self, text: str) -> str:
        if self._mask is None:
            self._mask = Mask([text for value in self._hidden for text in texts(value)])
        return self._mask(text)
