"""API tokens: who may ask for what. Only their hashes are stored, so that whoever reads the store can use none.

A node answers from memory. What another node changed is told by a notice; without it nothing is trusted for longer than
`TOKEN_AGE_MS`, so that a revoked token is refused everywhere after that time, or else nothing is (the store is away).
"""

import asyncio
import base64
import hmac
import re
from hashlib import sha256
from typing import Final

import msgspec
from msgspec.structs import replace

from penstock.errors import CallerError, Conflict, NotFound
from penstock.model.limits import (
    MAX_NAME_CHARACTERS,
    MAX_TOKEN_NAMESPACES,
    MAX_TOKEN_SCOPES,
    MAX_TOKENS,
    MAX_WAIT_MS,
    TOKEN_AGE_MS,
    TOKEN_KEPT_MS,
    TOKEN_TOUCH_MS,
)
from penstock.runtime.clock import Clock, Ids
from penstock.store.protocol import Store
from penstock.store.rows import ApiToken

ADMIN: Final = "admin"
SCOPES: Final = (ADMIN, "author", "operate", "trigger", "view")
TOOL_PREFIX: Final = "tool:"
ALL: Final = "*"

_DAY_MS: Final = 24 * 3600 * 1000
_FORM: Final = re.compile(r"pnsk_([0-9a-f]{16})_[A-Za-z0-9_-]{43}", re.ASCII)
_TOOL: Final = re.compile(r"tool:[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}", re.ASCII)
_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


class OutOfReach(CallerError):
    """The token is good, but not for this namespace."""

    status = 403
    title = "Forbidden"


class Grant(msgspec.Struct, frozen=True):
    """What somebody may do: `scopes`, in `namespaces` (None is all of them)."""

    scopes: frozenset[str]
    namespaces: frozenset[str] | None = None

    def sees(self, namespace: str) -> bool:
        return self.namespaces is None or namespace in self.namespaces

    def require(self, namespace: str) -> None:
        """Raises `OutOfReach`."""
        if not self.sees(namespace):
            raise OutOfReach(f"the token is not for the namespace {namespace!r}")


EVERYTHING: Final = Grant(frozenset({ADMIN}))


class TokenWish(msgspec.Struct, frozen=True):
    """A token to be made. No `namespaces` means all; `expires_in_ms` None means never."""

    name: str
    scopes: tuple[str, ...]
    namespaces: tuple[str, ...] | None = None
    expires_in_ms: int | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= MAX_NAME_CHARACTERS or not self.name.isprintable():
            raise CallerError(f"name: has 1 to {MAX_NAME_CHARACTERS} printable characters")
        if not 0 < len(self.scopes) <= MAX_TOKEN_SCOPES:
            raise CallerError(f"scopes: there are 1 to {MAX_TOKEN_SCOPES}")
        for scope in self.scopes:
            if scope not in SCOPES and not _TOOL.fullmatch(scope):
                raise CallerError(f"scopes: {scope[:100]!r} is none of {', '.join(SCOPES)} or tool:NAME")
        if self.namespaces is not None:
            if not 0 < len(self.namespaces) <= MAX_TOKEN_NAMESPACES:
                raise CallerError(f"namespaces: there are 1 to {MAX_TOKEN_NAMESPACES}, or none is named for all")
            if wrong := [one for one in self.namespaces if not _NAMESPACE.fullmatch(one)]:
                raise CallerError(f"namespaces: {wrong[0][:100]!r} cannot be one")
        if self.expires_in_ms is not None and not 1000 <= self.expires_in_ms <= MAX_WAIT_MS:
            raise CallerError("expires_in: must be at least a second and at most a hundred years")

    @property
    def keeps_the_door_open(self) -> bool:
        """Whether somebody who has it can make further tokens."""
        return ADMIN in self.scopes and self.namespaces is None


def grant_of(token: ApiToken) -> Grant:
    """What a stored token may do."""
    namespaces = None if token.namespaces == ALL else frozenset(token.namespaces.split())
    return Grant(frozenset(token.scopes.split()), namespaces)


def is_spent(token: ApiToken, now: int) -> bool:
    """Whether it is revoked or expired."""
    return token.revoked_at != 0 or 0 < token.expires_at <= now


class Tokens:
    """The API tokens of a store. `spare` says that a token from the settings opens the door, whatever is stored."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, *, spare: bool) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._spare = spare
        self._tokens: dict[str, ApiToken] = {}
        self._grants: dict[str, Grant] = {}
        self._uses: dict[str, int] = {}
        self._changes = 0
        self._loaded_at: int | None = None
        """None: what is known here may be wrong, whoever else has the store."""
        self._loading = asyncio.Lock()
        self._writing = asyncio.Lock()

    @property
    def exist(self) -> bool:
        """Whether any token is stored, be it revoked or expired: then nobody is answered without one."""
        return bool(self._tokens)

    async def load(self) -> None:
        """Reads every token, again when one was changed here meanwhile."""
        while True:
            changes, now = self._changes, self._clock.now_ms()
            found = await self._store.list_tokens()
            if changes == self._changes:
                break
        self._keep(found)
        self._loaded_at = now

    async def refresh(self) -> None:
        """Makes what is known here recent enough. Raises `InfrastructureError` when the store does not answer."""
        if self._is_recent():
            return
        async with self._loading:
            if not self._is_recent():
                await self.load()

    async def find(self, text: str) -> Grant | None:
        """What the bearer of this text may do; None for a token that is unknown, expired or revoked."""
        form = _FORM.fullmatch(text)
        if form is None:
            return None
        await self.refresh()
        token, now = self._tokens.get(form[1]), self._clock.now_ms()
        if token is None or not hmac.compare_digest(sha256(text.encode()).digest(), token.digest):
            return None
        if is_spent(token, now):
            return None
        self._uses[token.id] = now
        return self._grants[token.id]

    async def listed(self) -> list[ApiToken]:
        """Every token with its last use that is known here, the oldest first."""
        found = [self._with_use(token) for token in await self._store.list_tokens()]
        return sorted(found, key=lambda token: (token.created_at, token.id))

    async def create(self, wish: TokenWish) -> tuple[ApiToken, str]:
        """A new token, and its text, which nobody can be told again.

        Raises `Conflict` for a first token that would lock everybody out, and when there are too many.
        """
        async with self._writing:
            await self.load()
            now = self._clock.now_ms()
            if not (wish.keeps_the_door_open or self._spare or self._openers(now)):
                raise Conflict(
                    "this token would be the only way in, and could make no other: it needs the scope admin for all "
                    "namespaces (or the server a token in its settings)"
                )
            forgotten = [token.id for token in self._tokens.values() if _is_over(token, now)]
            if len(self._tokens) - len(forgotten) >= MAX_TOKENS:
                raise Conflict(f"there are {MAX_TOKENS} tokens; those revoked go after {TOKEN_KEPT_MS // _DAY_MS} days")
            token, text = self._made(wish, now)
            await self._put(token)  # first: a store that had tokens must never be without one
            for token_id in forgotten:
                await self._forget(token_id)
            return token, text

    async def revoke(self, token_id: str) -> None:
        """From now on nobody is answered who bears it; the same again changes nothing.

        Raises `NotFound`, and `Conflict` for the last token that can make others."""
        async with self._writing:
            await self.load()
            token, now = self._tokens.get(token_id), self._clock.now_ms()
            if token is None:
                raise NotFound(f"there is no token {token_id[:100]!r}")
            if token.revoked_at:
                return
            if not self._spare and self._openers(now) == [token_id]:
                raise Conflict("it is the last token that can make others; make another one with the scope admin first")
            await self._put(replace(token, revoked_at=now))

    async def run(self) -> None:
        """Notes now and then, for ever, when tokens were used."""
        while True:
            await self._clock.sleep_until(self._clock.now_ms() + TOKEN_TOUCH_MS)
            await self.flush()

    async def flush(self) -> None:
        """Notes what was used since the last time."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            await self._store.touch_tokens(uses)
        except BaseException:
            self._uses = uses | self._uses
            raise
        for token_id, at in uses.items():
            if (token := self._tokens.get(token_id)) is not None:
                self._tokens[token_id] = replace(token, last_used_at=max(at, token.last_used_at))

    def _is_recent(self) -> bool:
        if self._loaded_at is None:
            return False
        return self._store.exclusive or self._clock.now_ms() - self._loaded_at < TOKEN_AGE_MS

    def _keep(self, tokens: list[ApiToken]) -> None:
        self._tokens = {token.id: token for token in tokens}
        self._grants = {token.id: grant_of(token) for token in tokens}

    def _with_use(self, token: ApiToken) -> ApiToken:
        return replace(token, last_used_at=max(token.last_used_at, self._uses.get(token.id, 0)))

    def _openers(self, now: int) -> list[str]:
        """Tokens that can make others."""
        return [
            token.id
            for token in self._tokens.values()
            if not is_spent(token, now) and ADMIN in token.scopes.split() and token.namespaces == ALL
        ]

    def _made(self, wish: TokenWish, now: int) -> tuple[ApiToken, str]:
        token_id = self._ids.entropy()[:8].hex()
        secret = base64.urlsafe_b64encode(self._ids.entropy() + self._ids.entropy()).decode().rstrip("=")
        text = f"pnsk_{token_id}_{secret}"
        token = ApiToken(
            id=token_id,
            name=wish.name,
            digest=sha256(text.encode()).digest(),
            scopes=" ".join(sorted(set(wish.scopes))),
            namespaces=ALL if wish.namespaces is None else " ".join(sorted(set(wish.namespaces))),
            created_at=now,
            expires_at=0 if wish.expires_in_ms is None else now + wish.expires_in_ms,
        )
        return token, text

    async def _put(self, token: ApiToken) -> None:
        try:
            await self._store.put_token(token)
        except BaseException:
            self._loaded_at = None  # it may be on disk all the same
            raise
        finally:
            self._changes += 1
        self._tokens[token.id] = token
        self._grants[token.id] = grant_of(token)

    async def _forget(self, token_id: str) -> None:
        await self._store.delete_token(token_id)
        self._changes += 1
        self._tokens.pop(token_id, None)
        self._grants.pop(token_id, None)


def _is_over(token: ApiToken, now: int) -> bool:
    """Whether it was revoked, or expired, so long ago that nobody wants to see it listed."""
    ended_at = token.revoked_at or token.expires_at
    return 0 < ended_at <= now - TOKEN_KEPT_MS
