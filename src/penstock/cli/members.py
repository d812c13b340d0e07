"""Reads members of answers that may be missing or null."""

from penstock.model.json_value import Json
from penstock.model.plain_data import is_list, is_map


def map_of(value: Json) -> dict[str, Json]:
    """The object; an empty one for anything else."""
    return value if is_map(value) else {}


def list_of(value: Json) -> list[Json]:
    """The list; an empty one for anything else."""
    return value if is_list(value) else []
