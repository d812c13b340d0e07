"""Identifiers: UUIDv7-shaped, so that they sort by time; derived ones are the same in every replay."""

from hashlib import blake2b
from typing import Final

_LAST_MS: Final = (1 << 48) - 1


def run_id(at_ms: int, entropy: bytes) -> str:
    """The id of a run started from outside; `entropy` (at least 10 bytes) comes from the shell."""
    return _uuid7(at_ms, entropy)


def derived_id(at_ms: int, *parts: str | int) -> str:
    """The id of something that a run makes: time from `at_ms`, the rest a hash of `parts`."""
    seed = "\0".join(map(str, parts)).encode()
    return _uuid7(at_ms, blake2b(seed, digest_size=16).digest())


def time_of(id_: str) -> int:
    """The milliseconds UTC in an id. Raises `ValueError` for a text that is none."""
    return int(id_[:8] + id_[9:13], 16)


def first_id(at_ms: int) -> str:
    """What no id of this millisecond or a later one sorts before, and every id of an earlier one does."""
    text = f"{min(max(at_ms, 0), _LAST_MS):012x}"
    return f"{text[:8]}-{text[8:]}"


def derived_number(*parts: str | int, below: int) -> int:
    """A number in [0, below) that only depends on `parts`: the seeded random of retry jitter."""
    seed = "\0".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(seed, digest_size=8).digest(), "big") % below


def _uuid7(at_ms: int, entropy: bytes) -> str:
    value = int.from_bytes(at_ms.to_bytes(6, "big") + entropy[:10], "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
