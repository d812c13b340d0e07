"""Tools as callers describe them."""

from penstock.errors import Unprocessable
from penstock.model.json_value import Json
from penstock.tools.contract import ToolDefinition
from penstock.tools.registry import read_tool


def definition_of(body: dict[str, Json]) -> ToolDefinition:
    """The tool that a body defines; `Unprocessable` with everything that is wrong with it."""
    definition = read_tool(body)
    if isinstance(definition, list):
        raise Unprocessable("the tool is not valid", errors=tuple(definition))
    return definition
