"""One engine per database file: an exclusive `flock` on a file beside it, which a crash releases by itself."""

import fcntl
import os
from pathlib import Path
from typing import Final

from penstock.errors import InfrastructureError, StoreInUse

_PID_BYTES: Final = 32


class FileLock:
    """Holds `DATABASE.lock`. The file stays behind on purpose: deleting it would let two engines in."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = Path(f"{database}.lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Takes the lock at once, or raises `StoreInUse` with the process that has it."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InfrastructureError(f"cannot open {self._path}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, _PID_BYTES, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise StoreInUse(self._message(holder)) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Gives the lock back; harmless when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _message(self, holder: str) -> str:
        who = f"by process {holder}" if holder.isdigit() else "by another process"
        return f"{self._database} is in use {who}; one engine per database file"
