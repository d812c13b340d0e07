"""What the engine may call: public addresses, and others that an operator has allowed."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple, TypeAlias

from penstock.model.limits import MAX_ALLOWED_HOSTS
from penstock.tools.address_kinds import CONFINED, Address, Network, kind_of, literal_of, plain

AddressPolicy: TypeAlias = Callable[[str, int, Sequence[str]], str | None]
"""Host, port and the host's addresses in; None allows the call, a text says why it is refused."""

_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?", re.ASCII)
_PORT: Final = re.compile(r"[0-9]{1,5}", re.ASCII)


class AllowedHost(NamedTuple):
    """One entry of what an operator allows: a name, or a network of one or more addresses; None is any port."""

    name: str
    network: Network | None
    port: int | None

    def admits(self, host: str, port: int, address: Address, kind: str) -> bool:
        """Names and wide networks never open what is confined: their addresses are somebody else's to choose."""
        if self.port not in (None, port):
            return False
        if self.network is None:
            return host == self.name and kind not in CONFINED
        single = self.network.prefixlen == self.network.max_prefixlen
        return address.version == self.network.version and address in self.network and (single or kind not in CONFINED)


def parse_allowed(text: str) -> tuple[AllowedHost, ...]:
    """Entries with commas between them: `name`, `name:port`, `address`, `address:port` or a network as `10.0.0.0/8`.

    Raises `ValueError`, naming the entry.
    """
    entries = [entry for part in text.split(",") if (entry := part.strip())]
    if len(entries) > MAX_ALLOWED_HOSTS:
        raise ValueError(f"has more than {MAX_ALLOWED_HOSTS} entries")
    return tuple(_entry(entry) for entry in entries)


def _entry(text: str) -> AllowedHost:
    if "/" in text or (text.count(":") > 1 and not text.startswith("[")):
        return AllowedHost("", _network(text, text), None)
    host, colon, port_text = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    host = host if colon else text
    if colon and (not _PORT.fullmatch(port_text) or not 0 < int(port_text) < 65536):
        raise ValueError(f"{text[:100]!r} has no port after its colon")
    port = int(port_text) if colon else None
    try:
        is_literal = literal_of(host) is not None
    except ValueError:
        is_literal = True  # and none: the network says why
    if is_literal:
        return AllowedHost("", _network(host.strip("[]"), text), port)
    name = _normal(host)
    if not _NAME.fullmatch(name):
        raise ValueError(f"{text[:100]!r} is neither a host name, an address, nor a network")
    return AllowedHost(name, None, port)


def _network(text: str, entry: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"{entry[:100]!r} is neither an address nor a network: {error}") from None


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class OutboundPolicy:
    """The policy of one engine. Public addresses can be called, others only if `allowed` names them.

    In development, as `in_development` says at each call, loopback, private and all other addresses can be called but
    for those that are link-local or metadata services of clouds.
    """

    allowed: tuple[AllowedHost, ...] = ()
    in_development: Callable[[], bool] = _never

    def __call__(self, host: str, port: int, addresses: Sequence[str]) -> str | None:
        """Implements `AddressPolicy`. One refused address refuses the host: whoever controls its name controls which
        of them would be taken."""
        name = _normal(host)
        for text in addresses:
            kind = self._refused_kind(name, port, ip_address(text))
            if kind is not None:
                return _reason(host, text, kind)
        return None

    def _refused_kind(self, name: str, port: int, address: Address) -> str | None:
        kind = kind_of(address)
        if kind is None or (kind not in CONFINED and self.in_development()):
            return None
        if any(entry.admits(name, port, plain(address), kind) for entry in self.allowed):
            return None
        return kind


def _reason(host: str, text: str, kind: str) -> str:
    where = f"{host} is a {kind} address" if host.strip("[]") == text else f"{host} is at {text}, a {kind} address"
    entry = text if kind in CONFINED else host
    return f"{where}; the setting PENSTOCK_ALLOW_HOSTS (penstock up --allow-host) with {entry} allows it"


def _normal(host: str) -> str:
    return host.strip("[]").removesuffix(".").lower()


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine and nothing else."""
    bare = _normal(host)
    if bare == "localhost":
        return True
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return False
