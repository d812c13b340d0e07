"""The registered tools in memory, and the functions of this process: which of them provides a capability."""

from hashlib import blake2b

import msgspec

from penstock.errors import NotFound
from penstock.runtime.clock import Clock
from penstock.store.protocol import Store
from penstock.store.rows import Tool
from penstock.tools.contract import CallContext, HttpTransport, ToolDefinition
from penstock.tools.functions import Functions


class Directory:
    """Implements `penstock.tools.contract.ToolDirectory` over the store's tools."""

    def __init__(self, store: Store, clock: Clock, functions: Functions) -> None:
        self._store = store
        self._clock = clock
        self._functions = functions
        self._tools: dict[str, tuple[Tool, ToolDefinition]] = {}
        self._changes = 0

    async def load(self) -> None:
        """Reads every tool, again when one was changed here meanwhile."""
        while True:
            changes = self._changes
            tools = await self._store.list_tools()
            if changes == self._changes:
                break
        self._tools = {tool.name: (tool, msgspec.json.decode(tool.body, type=ToolDefinition)) for tool in tools}

    def provides(self, capability: str) -> bool:
        """Whether a function of this process or a registered tool can be called now."""
        if self._functions.get(capability) is not None:
            return True
        return any(tool.capability == capability and tool.weight > 0 for _, tool in self._tools.values())

    async def tool_for(self, capability: str, context: CallContext) -> ToolDefinition | None:
        """By weight among those that provide it; the same run gets the same tool while the set is the same."""
        found = sorted(
            (tool for _, tool in self._tools.values() if tool.capability == capability and tool.weight > 0),
            key=lambda tool: tool.name,
        )
        total = sum(tool.weight for tool in found)
        if not total:
            return None
        seed = blake2b(f"{context.run_id}\0{capability}".encode(), digest_size=8).digest()
        place = int.from_bytes(seed, "big") % total
        for tool in found:
            place -= tool.weight
            if place < 0:
                return tool
        raise AssertionError("the weights add up to the total")

    async def offered_to(self, capability: str, context: CallContext) -> tuple[ToolDefinition, ...]:
        """The tools that this call is offered to; none when what provides the capability answers in the call itself."""
        if self._functions.get(capability) is not None:
            return ()
        tool = await self.tool_for(capability, context)
        return () if tool is None or isinstance(tool.transport, HttpTransport) else (tool,)

    def definition(self, name: str) -> ToolDefinition | None:
        """The tool with this name, as it is registered now."""
        found = self._tools.get(name)
        return None if found is None else found[1]

    async def put(self, definition: ToolDefinition) -> Tool:
        """Registers or replaces a tool."""
        before = self._tools.get(definition.name)
        now = self._clock.now_ms()
        created_at = before[0].created_at if before else now
        tool = Tool(definition.name, definition.capability, created_at, now, msgspec.json.encode(definition))
        await self._store.put_tool(tool)
        self._changes += 1
        self._tools[tool.name] = (tool, definition)
        return tool

    def get(self, name: str) -> Tool:
        """Raises `NotFound`."""
        if name not in self._tools:
            raise NotFound(f"no tool named {name}")
        return self._tools[name][0]

    def tools(self) -> list[Tool]:
        """Every tool by name."""
        return [self._tools[name][0] for name in sorted(self._tools)]

    def capabilities(self) -> dict[str, list[str]]:
        """The tools that provide each capability, by name; functions are named `python:` and the capability."""
        found: dict[str, list[str]] = {name: [f"python:{name}"] for name in self._functions.names()}
        for name in sorted(self._tools):
            found.setdefault(self._tools[name][1].capability, []).append(name)
        return dict(sorted(found.items()))

    async def delete(self, name: str) -> None:
        self.get(name)
        await self._store.delete_tool(name)
        self._changes += 1
        self._tools.pop(name, None)
