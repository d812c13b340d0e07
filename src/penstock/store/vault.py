"""Secrets at rest: sealed with AES-256-GCM under one key, bound to their names.

Sealed form: one byte of format version, twelve bytes of nonce, then ciphertext and tag. The store keeps only this.
"""

import base64
import binascii
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from penstock.errors import InfrastructureError
from penstock.model.json_value import Json

KEY_VARIABLE: Final = "PENSTOCK_KEY"
KEY_BYTES: Final = 32

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_HEADER: Final = len(_VERSION) + _NONCE_BYTES


class Vault:
    """Seals and opens secrets. The same value sealed twice gives different bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise InfrastructureError(f"the key for secrets must have {KEY_BYTES} bytes, not {len(key)}")
        self._cipher = AESGCM(key)

    def seal(self, name: str, value: Json) -> bytes:
        """`value` encrypted; it opens only under the same `name` and key."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, msgspec.json.encode(value), name.encode())

    def open(self, name: str, sealed: bytes) -> Json:
        """The value again. Raises `InfrastructureError` for another key, another name or damaged bytes."""
        if sealed[:1] != _VERSION:
            raise InfrastructureError(f"the secret {name!r} is sealed in a form that this Penstock does not know")
        try:
            text = self._cipher.decrypt(sealed[1:_HEADER], sealed[_HEADER:], name.encode())
        except (InvalidTag, ValueError) as error:
            raise InfrastructureError(
                f"the secret {name!r} cannot be opened with this key; start with the key that it was stored under "
                f"({KEY_VARIABLE} or the key file)"
            ) from error
        return msgspec.json.decode(text)


def load_key(path: Path, environment: Mapping[str, str]) -> bytes:
    """The key of `PENSTOCK_KEY` (base64) if `environment` has it, else of the file `path`, made on first use.

    A new file holds a random key and is readable by its owner only; a file that others can read is refused.
    """
    if text := environment.get(KEY_VARIABLE):
        return _decode(text, KEY_VARIABLE)
    try:
        return _create(path)
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise InfrastructureError(f"cannot create the key file {path}: {error.strerror}") from error


def _create(path: Path) -> bytes:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = os.urandom(KEY_BYTES)
    # Written under another name first: whoever finds the key file finds all of it, after a crash too.
    if path.exists():
        raise FileExistsError
    draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(key) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # fails if another process was faster
        _sync_directory(path.parent)
    finally:
        draft.unlink()
    return key


def _sync_directory(directory: Path) -> None:
    """Makes the new name as durable as the secrets that will be sealed with its key."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise InfrastructureError(
                f"others can read the key file {path} (mode {mode:04o}); make it private with: chmod 600 {path}"
            )
        return _decode(path.read_text(encoding="ascii", errors="replace"), str(path))
    except OSError as error:
        raise InfrastructureError(f"cannot read the key file {path}: {error.strerror}") from error


def _decode(text: str, place: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""  # the text itself must not appear in a message
    if len(key) != KEY_BYTES:
        raise InfrastructureError(f"{place} must hold {KEY_BYTES} random bytes in base64")
    return key
