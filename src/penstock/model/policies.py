"""Errors, retries and time-outs that tasks name or hold inline."""

from typing import Literal

import msgspec

from penstock.model.durations import Duration


class ErrorDefinition(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error to raise. Texts may be whole-string `${ }` expressions."""

    type: str
    status: int
    title: str = ""
    detail: str = ""
    instance: str = ""


class ErrorFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """All members that are set must be equal (`type` by every spelling of the standard types)."""

    type: str | None = None
    status: int | None = None
    instance: str | None = None
    title: str | None = None
    detail: str | None = None


class RetryPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """When and how often a `try` runs again (docs/dsl-decisions.md: `attempt_count` counts retries, not runs)."""

    when: str | None = None
    except_when: str | None = None
    delay: Duration | None = None
    backoff: Literal["constant", "linear", "exponential"] = "constant"
    jitter_from: Duration | None = None
    jitter_to: Duration | None = None
    attempt_count: int | None = None
    attempt_duration: Duration | None = None
    duration: Duration | None = None
