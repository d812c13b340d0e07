"""The worst case of a body that is retried."""

from typing import assert_never

from penstock.model.durations import Duration
from penstock.model.limits import MAX_RETRIES, MAX_WAIT_MS
from penstock.model.policies import RetryPolicy
from penstock.model.quantities import Cost, Quantity, add, at_most, exactly, repeated, unknown


def retried(body: Cost, policy: RetryPolicy | None, pointer: str) -> Cost:
    """`body` once, and once more per retry with its delay; `pointer` names the task in reasons."""
    if policy is None:
        return body
    retries = MAX_RETRIES if policy.attempt_count is None else policy.attempt_count
    limit = policy.attempt_duration.ms if policy.attempt_duration else None
    attempt = Cost(body.steps, body.calls, at_most(body.time_ms, limit))
    attempts = repeated(Quantity(retries + 1), attempt)
    time_ms = add(attempts.time_ms, _delays(policy, retries, pointer))
    if policy.duration is not None and policy.duration.ms is not None and attempt.time_ms.value is not None:
        # No attempt begins after the whole's limit; one that has begun may still end.
        time_ms = at_most(time_ms, policy.duration.ms + attempt.time_ms.value)
    return Cost(attempts.steps, attempts.calls, time_ms)


def _delays(policy: RetryPolicy, retries: int, pointer: str) -> Quantity:
    delay, jitter = _ms(policy.delay), _ms(policy.jitter_to)
    if delay is None or jitter is None:
        return unknown(f"{pointer} retries after a computed delay")
    return exactly(sum(min(_backed_off(policy, delay, number), MAX_WAIT_MS) + jitter for number in range(retries)))


def _backed_off(policy: RetryPolicy, delay: int, number: int) -> int:
    """The delay before retry `number`, counted from 0."""
    match policy.backoff:
        case "constant":
            return delay
        case "linear":
            return delay * (number + 1)
        case "exponential":
            return delay * 2 ** min(number, 64)
        case _:
            assert_never(policy.backoff)


def _ms(duration: Duration | None) -> int | None:
    """Milliseconds; 0 when absent, None when computed."""
    return 0 if duration is None else duration.ms
