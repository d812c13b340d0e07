"""Which addresses the engine may call. A policy sees the addresses that will really be connected to."""

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

AddressPolicy: TypeAlias = Callable[[str, Sequence[str]], str | None]
"""Host and its addresses in; None allows the call, a text says why it is refused."""

_IPV6_METADATA: Final = IPv6Address("fd00:ec2::254")
_IPV4_METADATA: Final = IPv4Address("100.100.100.200")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")


class AddressRefused(Exception):
    """The policy refuses this host; the message says why."""


def development_policy(host: str, addresses: Sequence[str]) -> str | None:
    """Allows every address but link-local ones and the metadata services of clouds, however they are written.

    One refused address refuses the host: whoever controls its name controls which of them would be taken.
    """
    for text in addresses:
        address = ip_address(text)
        for meant in (address, *_embedded(address)):
            if meant.is_link_local or meant in (_IPV6_METADATA, _IPV4_METADATA):
                return f"{host} is at {text}, a link-local or metadata address"
    return None


def _embedded(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """IPv4 addresses that an IPv6 address stands for: mapped, compatible, NAT64, 6to4, Teredo."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour]
    if address in _NAT64 or address in _COMPATIBLE:
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    if address.teredo is not None:
        found.extend(address.teredo)
    return [one for one in found if one is not None]


def check_literal(policy: AddressPolicy, host: str) -> None:
    """Applies the policy to a host that is an address itself, which no resolver ever sees."""
    try:
        ip_address(host)
    except ValueError:
        return
    if (reason := policy(host, (host,))) is not None:
        raise AddressRefused(reason)


class GuardedResolver(AbstractResolver):
    """Resolves names by the system, and hands out only addresses that the policy allows."""

    def __init__(self, policy: AddressPolicy, resolver: AbstractResolver | None = None) -> None:
        self._policy = policy
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if (reason := self._policy(host, [one["host"] for one in found])) is not None:
            raise AddressRefused(reason)
        return found

    async def close(self) -> None:
        await self._resolver.close()
