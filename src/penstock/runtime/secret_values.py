"""The secrets of this engine in memory. They lie sealed in the store, and leave this object only to be used."""

import msgspec

from penstock.errors import NotFound, TooLarge
from penstock.model.json_value import Json
from penstock.model.limits import MAX_SECRET_BYTES
from penstock.model.workflow import Workflow
from penstock.runtime.masking import Mask
from penstock.store import Vault
from penstock.store.protocol import Store
from penstock.tools.contract import SecretUnavailable


class Secrets:
    """Name → value. A secret exists for a workflow only when it declares it under `use.secrets`."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault
        self._values: dict[str, Json] = {}
        self._changes = 0
        self.mask = Mask(())

    async def load(self) -> None:
        """Reads and unseals every secret, again when one was changed here meanwhile.

        Raises what the vault raises when the key is not theirs.
        """
        while True:
            changes = self._changes
            sealed = await self._store.get_secrets()
            if changes == self._changes:
                break
        self._values = {name: self._vault.open(name, one) for name, one in sealed.items()}
        self.mask = Mask(self._values.values())

    async def put(self, name: str, value: Json) -> None:
        plain = msgspec.json.encode(value)
        if len(plain) > MAX_SECRET_BYTES:
            raise TooLarge(f"the secret is larger than {MAX_SECRET_BYTES} bytes")
        await self._store.put_secret(name, self._vault.seal(name, value))
        self._changes += 1
        self._values[name] = msgspec.json.decode(plain)
        self.mask = Mask(self._values.values())

    async def delete(self, name: str) -> None:
        if not await self._store.delete_secret(name):
            raise NotFound(f"no secret named {name}")
        self._changes += 1
        self._values.pop(name, None)
        self.mask = Mask(self._values.values())

    def names(self) -> list[str]:
        return sorted(self._values)

    def visible_to(self, workflow: Workflow) -> dict[str, Json]:
        """`$secrets` of the workflow: every declared one that exists."""
        return {name: self._values[name] for name in workflow.use.secrets if name in self._values}

    def reason_against(self, name: str, workflow: Workflow) -> str | None:
        """Why the workflow cannot have this secret; None when it can."""
        if name not in workflow.use.secrets:
            return f"the secret {name!r} is not declared under use.secrets"
        return None if name in self._values else f"the secret {name!r} does not exist"

    def value_for(self, name: str, workflow: Workflow) -> Json:
        """The value; raises `SecretUnavailable`."""
        if (reason := self.reason_against(name, workflow)) is not None:
            raise SecretUnavailable(reason)
        return self._values[name]

    def signing_key(self, name: str) -> bytes:
        """The secret with which an operator has a tool's deliveries signed: a text. Raises `SecretUnavailable`."""
        value = self._values.get(name)
        if not isinstance(value, str) or not value:
            raise SecretUnavailable(f"the secret {name!r} {'is no text' if name in self._values else 'does not exist'}")
        return value.encode("utf-8", "surrogatepass")
