"""Names that are safe in a document for names that people chose freely."""

import hashlib
import re
from typing import Final

from penstock.model.readers.calls import BUILT_IN
from penstock.model.readers.values import is_dns_label

PREFIX: Final = "machinery--"
"""How derived labels begin. A name that begins so is never taken as it is, so the two cannot collide."""

RESERVED: Final = frozenset((*BUILT_IN, "human", "callback", "poll", "respond"))
"""What `call` gives a meaning of its own."""

_SLUG_LENGTH: Final = 30
_DIGEST_LENGTH: Final = 16


def label_of(name: str) -> str:
    """A DNS label for any name: the name itself when it is one and free, else a derived one.

    The same name always has the same label; different names have different ones, up to a collision of 64 bits
    of SHA-256.
    """
    if is_dns_label(name) and name not in RESERVED and not name.lower().startswith(PREFIX):
        return name
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_SLUG_LENGTH].strip("-")
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{PREFIX}{slug}-{digest}" if slug else f"{PREFIX}{digest}"
