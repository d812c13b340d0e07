"""What an IP address is for, and how addresses are written: the tables behind the policy for outgoing calls.

The tables are those of the IANA registries of special-purpose addresses, kept here because what the standard library
says of them has changed between versions of Python.
"""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

CONFINED: Final = frozenset({"link-local", "metadata"})
"""Kinds that only an entry for one single address opens: who reaches them gets credentials of the machine."""

_KINDS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("metadata", ("100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::/32", "fd20:ce::254/128")),
    ("link-local", ("169.254.0.0/16", "fe80::/10")),
    ("loopback", ("127.0.0.0/8", "::1/128")),
    ("private", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10")),
    ("carrier-grade NAT", ("100.64.0.0/10",)),
    ("unspecified", ("0.0.0.0/8", "::/128")),
    ("documentation", ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")),
    ("multicast", ("224.0.0.0/4", "ff00::/8")),
    ("reserved", ("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4", "2001::/23")),
)
_NETWORKS: Final = tuple((kind, ip_network(text)) for kind, texts in _KINDS for text in texts)
_GLOBAL: Final = IPv6Network("2000::/3")
"""The only part of IPv6 that is given out for everybody to reach."""
_AS_IPV4: Final = tuple(map(IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96")))
"""Mapped and NAT64: what the IPv4 address in the last 32 bits is, they are."""
_WITH_IPV4: Final = tuple(map(IPv6Network, ("::ffff:0:0:0/96", "64:ff9b:1::/48", "::/96")))
"""Translated, NAT64 of one's own network, compatible: not for everybody themselves, whatever address they hold."""
_NOT_COMPATIBLE: Final = frozenset({IPv6Address("::"), IPv6Address("::1")})
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+", re.ASCII)


def kind_of(address: Address) -> str | None:
    """What makes an address one that a stranger must not have called, in a word or two; None for a public one.

    An IPv6 address that stands for an IPv4 one is what that is. Of several answers a confined one comes first.
    """
    kinds = [kind for meant in _meanings(address) if (kind := _own_kind(meant)) is not None]
    return next((kind for kind in kinds if kind in CONFINED), kinds[0] if kinds else None)


def _own_kind(address: Address) -> str | None:
    for kind, network in _NETWORKS:
        if address.version == network.version and address in network:
            return kind
    return "reserved" if isinstance(address, IPv6Address) and address not in _GLOBAL else None


def _meanings(address: Address) -> tuple[Address, ...]:
    """The addresses that packets to this one can end at."""
    if isinstance(address, IPv4Address) or address in _NOT_COMPATIBLE:
        return (address,)
    held = IPv4Address(int(address) & 0xFFFF_FFFF)
    if any(address in network for network in _AS_IPV4):
        return (held,)
    if any(address in network for network in _WITH_IPV4):
        return (address, held)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return (address, *address.teredo)
    return (address,)


def plain(address: Address) -> Address:
    """The IPv4 address that a mapped one is; any other unchanged. Without a zone."""
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


def literal_of(host: str) -> Address | None:
    """The address that a host of a URI is, in any form that some system reads as one; None for a name.

    IPv4 has one to four parts, each decimal, octal (`0…`) or hexadecimal (`0x…`); the last one fills what is left
    (WHATWG URL, "IPv4 parser"). Raises `ValueError` for what ends in a number and is no address: another reader could
    make one of it.
    """
    bare = host.strip("[]")
    if ":" in bare:
        return ip_address(bare.partition("%")[0])
    parts = bare.removesuffix(".").split(".")
    if not _NUMBER.fullmatch(parts[-1]):
        return None
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise ValueError(f"{host!r} ends in a number and is no address")
    *heads, last = (_number(part) for part in parts)
    if any(head > 255 for head in heads) or last >= 256 ** (4 - len(heads)):
        raise ValueError(f"{host!r} has parts that are too large for an address")
    return IPv4Address(sum(head << (24 - 8 * place) for place, head in enumerate(heads)) + last)


def _number(text: str) -> int:
    if text[:2].lower() == "0x":
        return int(text[2:] or "0", 16)
    if not text.startswith("0"):
        return int(text)
    if not set(text) <= set("01234567"):
        raise ValueError(f"{text!r} is no octal number")
    return int(text, 8)
