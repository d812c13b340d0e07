"""The example services, as the machinery cases and definitions call them."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TypeAlias

from examples.services.launch import start_service

MACHINERY_SERVICES = ("upper", "reverse", "space-counter")

ServiceBases: TypeAlias = Mapping[str, str]
"""Service name to base URL, without a path."""


@contextmanager
def running_services(names: tuple[str, ...]) -> Iterator[ServiceBases]:
    """Start the services of these names, each on a port of its own, and stop them after the block."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(start_service(name)).base_url for name in names}
