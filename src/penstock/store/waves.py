"""Cuts a batch of turns into waves: in each of them every run, and every start key, occurs once at most.

Stores that write many turns by one statement need it, so that each turn sees those before it. The order is kept.
"""

from collections.abc import Iterator, Mapping, Sequence

from penstock.store.rows import RunCommit, StartKey

StartKeys = Mapping[str, StartKey]
"""Start keys by the run that they start."""


def waves(turns: Sequence[RunCommit], start_keys: StartKeys) -> Iterator[list[RunCommit]]:
    """The turns in order, in as few waves as that allows."""
    wave: list[RunCommit] = []
    seen: set[object] = set()
    for turn in turns:
        key = start_keys.get(turn.run.id) if turn.expected_version == 0 else None
        names = {turn.run.id} if key is None else {turn.run.id, (key.namespace, key.name, key.key)}
        if not seen.isdisjoint(names):
            yield wave
            wave, seen = [], set()
        seen |= names
        wave.append(turn)
    if wave:
        yield wave
