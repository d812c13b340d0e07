"""Holds connections to the policy: it sees the addresses that will really be connected to."""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from penstock.tools.address_kinds import Address, literal_of
from penstock.tools.outbound import AddressPolicy


class AddressRefused(Exception):
    """The policy refuses this host; the message says why."""


def check_literal(policy: AddressPolicy, host: str, port: int) -> Address | None:
    """Applies the policy to a host that is an address itself, however it is written, which no resolver ever sees;
    returns that address, or None for a name. Raises `AddressRefused`."""
    try:
        address = literal_of(host)
    except ValueError as error:
        raise AddressRefused(str(error)) from None
    if address is not None and (reason := policy(str(address), port, (str(address),))) is not None:
        raise AddressRefused(reason if str(address) == host.strip("[]") else f"{host} is {address}: {reason}")
    return address


class GuardedResolver(AbstractResolver):
    """Resolves names by the system, and hands out only addresses that the policy allows.

    What it hands out is what is connected to, so that a name which changes its mind in between gains nothing.
    """

    def __init__(self, policy: AddressPolicy, resolver: AbstractResolver | None = None) -> None:
        self._policy = policy
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if (reason := self._policy(host, port, [one["host"] for one in found])) is not None:
            raise AddressRefused(reason)
        return found

    async def close(self) -> None:
        await self._resolver.close()
