"""Takes credentials out of the texts of a fault: services repeat what they were sent."""

from collections.abc import Callable
from typing import cast

import msgspec

from penstock.errors import Fault
from penstock.model.json_value import Json


def masked(fault: Fault, mask: Callable[[str], str]) -> Fault:
    """The fault with `mask` applied to all its texts, however deep in `extra`."""

    def inside(value: Json) -> Json:
        match value:
            case str():
                return mask(value)
            case list():
                return [inside(item) for item in cast("list[Json]", value)]
            case dict():
                return {mask(name): inside(item) for name, item in cast("dict[str, Json]", value).items()}
            case _:
                return value

    return msgspec.structs.replace(fault, title=mask(fault.title), detail=mask(fault.detail), extra=inside(fault.extra))
