"""One measurement of one subject: its processes, and the figures that come of them."""

import signal
import time

from bench.over_http import front, penstock_server, several_nodes
from bench.processes import Place, figures_of, started
from bench.works import Figures


async def measure(place: Place) -> tuple[Figures, str]:
    """Figures by name, and the subject's version. Raises `Failed`."""
    if place.work == "W6":
        return await _crash(place)
    if place.work == "W7":
        return await (penstock_server(place) if place.name.startswith("penstock") else front(place))
    if place.work == "W8a":
        return await _parked(place)
    if place.work in {"W9a", "W9b"}:
        return await several_nodes(place)
    return await _alone(place)


async def _alone(place: Place, *more: str) -> tuple[Figures, str]:
    errors = place.directory / "errors"
    async with started(place.command(*more), errors, longest_seconds=place.longest_seconds) as process:
        return figures_of(await process.says())


async def _parked(place: Place) -> tuple[Figures, str]:
    """W8a: a process that parks runs, then one that works among them, with nothing in its memory yet."""
    parking, _ = await _alone(place, "--life=1")
    among, version = await _alone(place, "--life=2")
    return {**parking, **among}, version


async def _crash(place: Place) -> tuple[Figures, str]:
    """W6: every run stands in its third step; SIGKILL; a new process goes on with them."""
    errors = place.directory / "errors"
    async with started(place.command("--life=1"), errors) as process:
        await process.says()
        await process.end(signal.SIGKILL)
    began = time.perf_counter()
    async with started(place.command("--life=2"), errors) as process:
        figures, version = figures_of(await process.says())
        return {**figures, "process start to done s": time.perf_counter() - began}, version
