"""What every store does with API tokens."""

from typing import Final

from msgspec.structs import replace

from penstock.store import Store
from penstock.store.rows import ApiToken

FIRST: Final = ApiToken("a", "ci", b"\x00\xff" * 16, "trigger view", "*", 100, expires_at=900)
SECOND: Final = ApiToken("b", "ops", b"\x01" * 32, "admin", "one two", 200)


class TokenContract:
    async def test_a_token_is_stored_with_all_that_was_given_and_listed_by_id(self, store: Store) -> None:
        assert await store.list_tokens() == []
        await store.put_token(SECOND)
        await store.put_token(FIRST)
        assert await store.list_tokens() == [FIRST, SECOND]

    async def test_what_a_token_may_do_can_change_and_what_it_is_cannot(self, store: Store) -> None:
        await store.put_token(FIRST)
        await store.put_token(
            replace(FIRST, name="other", digest=b"x", scopes="view", namespaces="n", created_at=1, expires_at=7)
        )
        changed = replace(FIRST, name="other", scopes="view", namespaces="n", expires_at=7)
        assert await store.list_tokens() == [changed]

    async def test_a_revoked_token_stays_revoked_since_then(self, store: Store) -> None:
        await store.put_token(replace(FIRST, revoked_at=300))
        await store.put_token(FIRST)
        await store.put_token(replace(FIRST, revoked_at=400))
        assert await store.list_tokens() == [replace(FIRST, revoked_at=300)]

    async def test_the_last_use_never_goes_back_and_survives_a_change(self, store: Store) -> None:
        await store.put_token(FIRST)
        await store.put_token(SECOND)
        await store.touch_tokens({"a": 500, "b": 600, "unknown": 1})
        await store.touch_tokens({"a": 400})
        await store.put_token(FIRST)
        assert await store.list_tokens() == [replace(FIRST, last_used_at=500), replace(SECOND, last_used_at=600)]

    async def test_a_deleted_token_is_gone(self, store: Store) -> None:
        await store.put_token(FIRST)
        await store.put_token(SECOND)
        assert await store.delete_token("a")
        assert not await store.delete_token("a")
        assert await store.list_tokens() == [SECOND]
