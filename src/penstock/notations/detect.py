"""Tells which notation a definition is written in, by its outermost keys."""

from typing import Final, Literal

from penstock.model.json_value import Json
from penstock.model.plain_data import is_list, is_map

Notation = Literal["dsl", "machinery-service", "machinery-workflow", "shipyard", "node-graph"]

RUNNABLE: Final[tuple[Notation, ...]] = ("dsl", "machinery-service", "machinery-workflow")
"""The notations that compile today; the others are recognised, so that they can be refused by name."""


def detect(data: Json) -> Notation | None:
    """The notation of a definition; None when it looks like none of them."""
    if not is_map(data):
        return None
    if "document" in data or "do" in data:
        return "dsl"
    if str(data.get("kind")).lower() == "shipyard" or "stages" in data:
        return "shipyard"
    if is_list(data.get("nodes")):
        return "node-graph"
    if "address" in data:
        return "machinery-service"
    spec = data.get("spec")
    if "services" in data or (is_map(spec) and "services" in spec):
        return "machinery-workflow"
    return None


def refusal(notation: Notation) -> str | None:
    """Why a recognised notation cannot be deployed yet; None when it can."""
    if notation in RUNNABLE:
        return None
    return f"this is a {notation} definition, a notation that does not run yet; write an Open Workflow document"
