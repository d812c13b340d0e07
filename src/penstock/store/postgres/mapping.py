"""Rows of the tables to and from the rows of the contract."""

from collections.abc import Sequence

import msgspec

from penstock.model.json_value import Json
from penstock.store.partitions import partition_of
from penstock.store.rows import RunCommit, RunRow

_encode = msgspec.json.Encoder().encode
_decode_labels = msgspec.json.Decoder(dict[str, str]).decode


def new_run_row(turn: RunCommit) -> tuple[Json, ...]:
    """Parameters of `insert_runs`."""
    run = turn.run
    return (
        run.id,
        partition_of(run.id),
        run.namespace,
        run.name,
        run.version,
        run.status,
        run.created_at,
        run.updated_at,
        run.ended_at,
        run.next_at,
        run.calling,
        _encode(run.labels).decode() if run.labels else "{}",
        run.parent_id,
        run.retry_of,
        run.fault_title,
        turn.version,
        turn.state,
    )


def updated_run_row(turn: RunCommit) -> tuple[Json, ...]:
    """Parameters of `update_runs`: the key, the fence, then what a turn may change."""
    run = turn.run
    return (
        run.id,
        turn.expected_version,
        turn.version,
        run.status,
        run.updated_at,
        run.ended_at,
        run.next_at,
        run.calling,
        run.fault_title,
        turn.state,
    )


def run_row(row: Sequence[Json]) -> RunRow:
    """The first fourteen columns of `runs`, without its partition."""
    columns = list(row[:14])
    columns[10] = {} if columns[10] == "{}" else _decode_labels(columns[10])
    return RunRow(*columns)
