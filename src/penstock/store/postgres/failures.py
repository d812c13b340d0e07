"""Whose fault an error is: the connection's, the database's, or that of one write that cannot be stored."""

from typing import Final

import asyncpg  # pyright: ignore[reportMissingTypeStubs] - it brings none

from penstock.errors import CallerError, InfrastructureError

_DATA_FAULTS: Final = ("21", "22", "23", "54")
"""Classes of SQLSTATE that blame a row: cardinality, data, constraints, limits of the program (a key too long)."""

_LOST: Final = ("08", "57P", "53300")
"""Classes that say that the server is not there: connection lost, shutting down or starting, no connection free."""


def is_lost(error: BaseException) -> bool:
    """True if there is no usable connection; a new one may help. A server that is too slow is not lost."""
    if isinstance(error, asyncpg.PostgresError):
        return _sqlstate(error).startswith(_LOST)
    if isinstance(error, TimeoutError):
        return False
    return isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError)


def is_undone(error: BaseException) -> bool:
    """True if the server rolled the transaction back in favour of another one: a deadlock, or a conflict."""
    return isinstance(error, asyncpg.DeadlockDetectedError | asyncpg.SerializationError)


def is_lock_timeout(error: BaseException) -> bool:
    """True if somebody else kept a lock for longer than this connection waits."""
    return isinstance(error, asyncpg.LockNotAvailableError)


def is_culprit(error: Exception) -> bool:
    """True if one write is to blame, so that those beside it may be done without it."""
    if isinstance(error, asyncpg.PostgresError):
        return _sqlstate(error).startswith(_DATA_FAULTS)
    others = OSError | asyncpg.InterfaceError | asyncpg.InternalClientError | InfrastructureError
    return not isinstance(error, others)


def failure(error: Exception, place: str) -> InfrastructureError:
    """`error` for people, with what to do where that is known; one that is for people already stays what it is."""
    if isinstance(error, InfrastructureError):
        return type(error)(str(error))
    if isinstance(error, TimeoutError):
        return InfrastructureError(f"the database {place} does not answer in time")
    advice = "; free some space and try again" if isinstance(error, asyncpg.DiskFullError) else ""
    return InfrastructureError(f"the database {place} failed: {message_of(error)}{advice}")


def blame(error: Exception) -> Exception:
    """What the caller of a write, or a read, with unfit parameters gets.

    What the driver cannot encode is the error of the encoding, as for any Python code; what the server refuses is
    the caller's mistake.
    """
    if isinstance(error, asyncpg.PostgresError):
        return cause if isinstance(cause := error.__cause__, Exception) else CallerError(_refusal(error))
    return error


def message_of(error: BaseException) -> str:
    """The first line: details that follow it may repeat what rows hold. The driver quotes arguments, so they go."""
    if isinstance(error, asyncpg.DataError) and error.__cause__ is not None:
        return f"{type(error.__cause__).__name__}: {error.__cause__}"
    first = str(error.args[0] if error.args else error)
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _refusal(error: Exception) -> str:
    return f"PostgreSQL cannot hold this: {message_of(error)}"


def _sqlstate(error: Exception) -> str:
    return str(getattr(error, "sqlstate", None) or "")
