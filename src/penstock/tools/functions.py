"""Python functions that provide capabilities in this process: transport `python`. They are never persisted."""

import inspect
from collections.abc import Callable
from typing import Final

import msgspec

from penstock.errors import CallerError
from penstock.model.json_value import Json
from penstock.model.limits import MAX_FUNCTIONS
from penstock.tools.registry import is_tool_name

ToolFunction = Callable[..., Json]
"""Takes the input as its first argument, and `key` and `run_id` by keyword if it names them; sync or async."""

_GIVEN: Final = ("key", "run_id")
_KEYWORD: Final = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_POSITIONAL: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)


class Function(msgspec.Struct, frozen=True):
    """A registered function, and what it wants to be told beside its input."""

    capability: str
    call: ToolFunction
    is_async: bool
    wants_key: bool
    wants_run_id: bool

    def keywords(self, key: str, run_id: str) -> dict[str, str]:
        """`key` is the idempotency key of the call, the same whenever the call is made again."""
        given: dict[str, str] = {}
        if self.wants_key:
            given["key"] = key
        if self.wants_run_id:
            given["run_id"] = run_id
        return given


class Functions:
    """The functions of one engine by capability. A function goes before registered tools of the same capability."""

    def __init__(self) -> None:
        self._functions: dict[str, Function] = {}

    def put(self, capability: str, call: ToolFunction) -> None:
        """Registers a function or replaces it.

        Raises `CallerError` for a name that is none and for a function that cannot be called with an input.
        """
        if not is_tool_name(capability):
            raise CallerError(
                f"the capability {capability!r} must be 1 to 100 letters, digits, dots, dashes, underscores"
            )
        if capability not in self._functions and len(self._functions) >= MAX_FUNCTIONS:
            raise CallerError(f"an engine has at most {MAX_FUNCTIONS} functions")
        self._functions[capability] = _function(capability, call)

    def get(self, capability: str) -> Function | None:
        return self._functions.get(capability)

    def remove(self, capability: str) -> bool:
        """True if there was one. Calls under way go on."""
        return self._functions.pop(capability, None) is not None

    def names(self) -> list[str]:
        return sorted(self._functions)


def _function(capability: str, call: ToolFunction) -> Function:
    try:
        parameters = list(inspect.signature(call).parameters.values())
    except (TypeError, ValueError):
        raise CallerError(f"the tool {capability!r} must be a function with a signature, not {call!r}") from None
    if not parameters or parameters[0].kind not in _POSITIONAL:
        raise CallerError(f"the tool {capability!r} must take the input as its first argument")
    more = parameters[1:]
    for parameter in more:
        optional = parameter.default is not inspect.Parameter.empty or parameter.kind not in (*_KEYWORD, _POSITIONAL[0])
        if not optional and not (parameter.name in _GIVEN and parameter.kind in _KEYWORD):
            offered = "the input, key and run_id"
            raise CallerError(f"the tool {capability!r} asks for {parameter.name!r}; it can have {offered}")
    wanted = {parameter.name for parameter in more if parameter.kind in _KEYWORD}
    is_async = inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(type(call).__call__)
    return Function(capability, call, is_async, "key" in wanted, "run_id" in wanted)
