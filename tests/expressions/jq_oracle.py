"""libjq as the judge of the native subset: the same text, input and variables, and what came out."""

import jq
import msgspec

from penstock.model.json_value import Json


class Failed:
    """libjq raised an error, or the text did not compile."""

    def __init__(self, message: str) -> None:
        self.message = message

    def __repr__(self) -> str:
        return f"Failed({self.message!r})"


def jq_first(text: str, dot: Json, variables: dict[str, Json]) -> "Json | Failed":
    """The first output of libjq, None when there is none, `Failed` for an error."""
    names = sorted(variables)
    bound = ", ".join("$" + name for name in ("__dot", *names))
    program = f". as [{bound}] | $__dot | (\n{text}\n) | tojson"
    payload = msgspec.json.encode([dot, *(variables[name] for name in names)]).decode()
    try:
        outputs = iter(jq.compile(program).input_text(payload))
        return msgspec.json.decode(next(outputs, "null"))
    except ValueError as error:
        return Failed(str(error))
