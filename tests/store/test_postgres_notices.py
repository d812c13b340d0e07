"""What nodes tell each other, and what they do when the connection that tells is lost."""

import asyncio

import asyncpg
import pytest

from penstock.model.limits import MAX_NOTICE_BYTES, MAX_TOLD_INBOX, MAX_WAITING_NOTICES
from penstock.store.notices import (
    EventsCame,
    InboxFilled,
    Notice,
    RegistryChanged,
    RunMoved,
    RunsDue,
    RunWatched,
    SharesChanged,
    WorkOffered,
)
from penstock.store.postgres.teller import Teller, read_notice
from penstock.store.rows import ApiToken, Tool
from tests.postgres_fixtures import without_schema
from tests.store.contract_work import offering, push, work
from tests.store.postgres_faults import At, all_committed, terminate
from tests.store.postgres_nodes import joined, share
from tests.store.postgres_wire import wired
from tests.store.samples import BEGAN, committed, event, run_id, turn


async def test_messages_are_told_to_others_when_their_runs_are_held_elsewhere(postgres_url: str) -> None:
    async with joined(postgres_url) as a, joined(postgres_url) as b:
        mine, others = (min(part) for part in await share(a, b))
        sent = await a.send([(run_id(1, mine), b"m"), (run_id(2, others), b"n")])
        await b.hears(InboxFilled((sent[1].seq,)))
        outcome = committed(await a.commit([turn(1, end=mine, messages=((run_id(2, others), b"o"),))]))
        await b.hears(InboxFilled((outcome.inbox[0].seq,)))
        assert await b.inbox_rows([sent[1].seq, outcome.inbox[0].seq]) == [sent[1], *outcome.inbox]
        assert not any(isinstance(notice, InboxFilled) for notice in a.heard)


async def test_events_are_told_and_those_that_were_there_are_not(postgres_url: str) -> None:
    async with joined(postgres_url) as a, joined(postgres_url) as b:
        await share(a, b)
        await a.put_events([event("e")])
        await b.hears(EventsCame())
        b.heard.clear()
        await a.put_events([event("e")])
        a.tell(RunMoved("later"))
        await b.hears(RunMoved("later"))
        assert EventsCame() not in b.heard
        await b.commit([turn(1, end=63, events=(event("f"),)), turn(2, end=0, events=(event("g"),))])
        await a.hears(EventsCame())
        assert EventsCame() not in b.heard


async def test_a_run_that_was_created_for_its_holder_is_told(postgres_url: str) -> None:
    async with joined(postgres_url, engine=False) as front, joined(postgres_url) as engine:
        committed(await front.commit([turn(1, unowned=True)]))
        await engine.hears(RunsDue((run_id(1),)))


async def test_work_that_can_be_leased_is_told(postgres_url: str) -> None:
    """What is to be pushed is not: whoever offers it pushes it."""
    async with joined(postgres_url) as a, joined(postgres_url) as b:
        (mine, *_), _ = await share(a, b)
        offers = (work("a"), work("b"), work("a", "u"), push("c"), work("d", "v", state="dead"))
        committed(await a.commit([offering(*offers, end=mine)]))
        await b.hears(WorkOffered(("t", "u", "v")))
        b.heard.clear()
        (row,) = await a.lease_work("u", now=BEGAN, until=BEGAN, holder="", limit=1)
        assert not await a.return_work(row.call_id, "t", row.token)
        assert await a.return_work(row.call_id, "u", row.token)
        await b.hears(WorkOffered(("u",)))
        assert await a.redeliver(tool="t") == 0
        assert await a.redeliver(tool="v") == 1
        await b.hears(WorkOffered(("v",)))
        assert WorkOffered(("t",)) not in b.heard


async def test_changes_of_tokens_are_told_and_uses_are_not(postgres_url: str) -> None:
    async with joined(postgres_url) as a, joined(postgres_url) as b:
        await a.put_token(ApiToken("id", "ci", b"digest", "view", "*", 1))
        await b.hears(RegistryChanged("tokens"))
        b.heard.clear()
        await a.touch_tokens({"id": 5})
        a.tell(RunMoved("r"))
        await b.hears(RunMoved("r"))
        assert RegistryChanged("tokens") not in b.heard
        await a.delete_token("id")
        await b.hears(RegistryChanged("tokens"))


async def test_changes_of_tools_and_secrets_are_told(postgres_url: str) -> None:
    async with joined(postgres_url) as a, joined(postgres_url) as b:
        await a.put_tool(Tool("t", "c", 0, 0, b"{}"))
        await b.hears(RegistryChanged("tools"))
        await b.put_secret("s", b"sealed")
        await a.hears(RegistryChanged("secrets"))
        b.heard.clear()
        await a.delete_tool("t")
        await a.delete_secret("s")
        await b.hears(RegistryChanged("tools"), RegistryChanged("secrets"))


async def test_whoever_tells_does_not_hear_it(postgres_url: str) -> None:
    async with joined(postgres_url) as a, joined(postgres_url) as b:
        a.tell(RunWatched("a", "r"))
        await b.hears(RunWatched("a", "r"))
        b.tell(RunMoved("r"))
        await a.hears(RunMoved("r"))  # what b tells comes after what a told
        assert RunWatched("a", "r") not in a.heard


async def test_who_comes_and_goes_is_told(postgres_url: str) -> None:
    async with joined(postgres_url) as a:
        async with joined(postgres_url):
            await a.hears(SharesChanged())
            a.heard.clear()
        await a.hears(SharesChanged())


async def test_a_lost_connection_is_made_again_and_the_member_stays(postgres_url: str) -> None:
    """By the administrator's `pg_terminate_backend`, again and again."""
    async with joined(postgres_url) as a, joined(postgres_url) as b:
        node, parts = a.id, await share(a, b)
        for _ in range(3):
            a.heard.clear()
            await terminate(postgres_url, a.pid)
            missed = (InboxFilled(), EventsCame(), SharesChanged())
            await a.hears(*missed, RegistryChanged("tools"), RegistryChanged("secrets"), RegistryChanged("tokens"))
            assert (await b.renew()).engines == 2
            shares = await a.renew()
            assert (shares.node, shares.held) == (node, parts[0])
            rows = await b._read(lambda session: session.fetch("members", 0))
            assert [row[7] for row in rows] == [True, True]  # both are connected, and the server was up for long
            b.tell(RunMoved("r"))
            await a.hears(RunMoved("r"))
            a.tell(RunMoved("s"))
            await b.hears(RunMoved("s"))
            b.heard.clear()


async def test_a_renewal_on_a_lost_connection_is_done_on_a_new_one(postgres_url: str) -> None:
    async with joined(postgres_url) as store:
        await terminate(postgres_url, store.pid)
        assert len((await store.renew()).held) == 64


async def test_a_renewal_that_is_not_answered_is_done_on_a_new_connection(postgres_url: str) -> None:
    """A connection that was cut without a word; its former session stays at the server, and does no harm."""
    async with wired(postgres_url) as wire, joined(wire.url, lease_ms=8_000) as store:
        before = (store.id, store.pid)
        wire.fall_silent()
        shares = await store.renew()
        assert (shares.node, len(shares.held)) == (before[0], 64)
        assert store.pid != before[1]


async def test_a_transaction_that_loses_a_deadlock_is_done_again(postgres_url: str) -> None:
    """The other one waits longer until it looks for a deadlock, so that the store finds it and loses."""
    at = At()
    other = await asyncpg.connect(f"{without_schema(postgres_url)}", server_settings={"deadlock_timeout": "60s"})
    async with joined(postgres_url, at) as store:
        await other.execute(f"SET search_path = {store._address.schema}")
        for name in "xy":
            await store.put_secret(name, b"before")
        await other.execute("BEGIN")
        await other.execute("UPDATE secrets SET sealed = 'other' WHERE name = 'y'")
        tasks: list[asyncio.Task[str]] = []

        async def cross() -> None:
            """Once the store has x, and before it asks for y."""
            at.arm("put_secret", meet)

        async def meet() -> None:
            tasks.append(asyncio.create_task(other.execute("UPDATE secrets SET sealed = 'other' WHERE name = 'x'")))
            tasks.append(asyncio.create_task(finish()))

        async def finish() -> str:
            await tasks[0]
            return await other.execute("COMMIT")

        at.arm("put_secret", cross)
        await asyncio.gather(store.put_secret("x", b"store"), store.put_secret("y", b"store"))
        await tasks[1]
        assert at.names.count("put_secret") >= 3
        assert await store.get_secrets() == {"x": b"store", "y": b"store"}
        assert store.statistics().failed_batches == 0
    await other.close()


async def test_a_turn_survives_the_end_of_both_connections_before_commit(postgres_url: str) -> None:
    at = At()
    async with joined(postgres_url, at) as store:
        committed(await store.commit([turn(1)]))
        at.arm("update_runs", lambda: terminate(postgres_url, store.pid))
        assert all_committed(await store.commit([turn(1, 2)]))
        assert all_committed(await store.commit([turn(1, 3)]))


class Told:
    """Takes payloads instead of a database; the first telling lasts until it is let go."""

    def __init__(self) -> None:
        self.payloads: list[str] = []
        self.calls = 0
        self.go = asyncio.Event()

    async def say(self, payloads: list[str]) -> None:
        self.calls += 1
        self.payloads += payloads
        await self.go.wait()

    @property
    def notices(self) -> list[Notice | None]:
        return [read_notice(payload) for payload in self.payloads]


async def told(*notices: Notice) -> Told:
    """All that is told of these, asked for while another telling is under way."""
    told = Told()
    teller = Teller(told.say)
    teller.tell(RunMoved("first"))
    await asyncio.sleep(0)
    for notice in notices:
        teller.tell(notice)
    told.go.set()
    await teller.close()
    assert told.calls <= 2
    return told


async def test_what_is_told_at_the_same_time_is_told_together_and_once() -> None:
    said = await told(
        EventsCame(), InboxFilled((1, 2)), RunMoved("r"), EventsCame(), InboxFilled((2, 3)), RunMoved("r")
    )
    assert said.notices == [RunMoved("first"), EventsCame(), RunMoved("r"), InboxFilled((1, 2, 3))]


async def test_each_notice_fits_into_one_payload() -> None:
    seqs = tuple(range(10**18, 10**18 + MAX_TOLD_INBOX))
    ids = tuple(run_id(n) for n in range(MAX_WAITING_NOTICES))
    offered = WorkOffered(ids)
    said = await told(InboxFilled(seqs), RunsDue(ids), offered, offered, RunMoved("x" * MAX_NOTICE_BYTES))
    assert max(map(len, said.payloads)) <= MAX_NOTICE_BYTES
    inbox = [seq for notice in said.notices if isinstance(notice, InboxFilled) for seq in notice.seqs]
    due = [name for notice in said.notices if isinstance(notice, RunsDue) for name in notice.run_ids]
    tools = [name for notice in said.notices if isinstance(notice, WorkOffered) for name in notice.tools]
    assert (inbox, due, tools) == (list(seqs), list(ids), list(ids))
    assert said.notices.count(RunMoved("x" * MAX_NOTICE_BYTES)) == 0


async def test_more_messages_than_fit_are_told_as_everything() -> None:
    said = await told(InboxFilled(tuple(range(MAX_TOLD_INBOX))), InboxFilled((MAX_TOLD_INBOX,)))
    assert said.notices[1:] == [InboxFilled()]
    assert (await told(InboxFilled((1,)), InboxFilled())).notices[1:] == [InboxFilled()]


async def test_more_notices_than_may_wait_are_dropped() -> None:
    said = await told(*(RunMoved(str(n)) for n in range(MAX_WAITING_NOTICES + 5)))
    assert len(said.notices) == MAX_WAITING_NOTICES + 1


async def test_a_telling_that_fails_does_not_stop_the_next() -> None:
    calls: list[list[str]] = []

    async def fails_once(payloads: list[str]) -> None:
        calls.append(payloads)
        if len(calls) == 1:
            raise OSError("gone")

    teller = Teller(fails_once)
    teller.tell(RunMoved("a"))
    await asyncio.sleep(0)
    teller.tell(RunMoved("b"))
    await teller.close()
    assert len(calls) == 2


@pytest.mark.parametrize("payload", ["", "{}", '{"t":"unheard_of"}', "no json", '{"t":"due"}'])
def test_what_is_not_known_is_not_heeded(payload: str) -> None:
    assert read_notice(payload) is None
