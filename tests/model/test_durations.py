"""Durations: ISO 8601 and maps of units, in whole milliseconds, never beyond a hundred years."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.model.durations import duration_ms
from penstock.model.limits import MAX_WAIT_MS
from tests.model.documents import load

UNITS = {"days": 86_400_000, "hours": 3_600_000, "minutes": 60_000, "seconds": 1000, "milliseconds": 1}


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("PT1S", 1000),
        ("PT0.5S", 500),
        ("PT1M30S", 90_000),
        ("P1DT1H", 90_000_000),
        ("P1W", 604_800_000),
        ("P1M", 30 * 86_400_000),
        ("P1Y", 365 * 86_400_000),
        ("PT0S", 0),
        ({"minutes": 1, "seconds": 30}, 90_000),
    ],
)
def test_a_duration_counts_milliseconds(value: object, ms: int) -> None:
    assert duration_ms(value) == ms


@pytest.mark.parametrize(
    "value", ["", "P", "PT", "1s", "P1S", "PT-1S", "pt1s", "P1D ", {}, {"seconds": -1}, {"seconds": True}, 5, None, []]
)
def test_anything_else_is_told_to_be_none(value: object) -> None:
    assert isinstance(duration_ms(value), str)


def test_the_limit_is_exact() -> None:
    assert duration_ms({"milliseconds": MAX_WAIT_MS}) == MAX_WAIT_MS
    assert "longer than the limit" in str(duration_ms({"milliseconds": MAX_WAIT_MS + 1}))


@given(st.dictionaries(st.sampled_from(sorted(UNITS)), st.integers(0, 10_000), min_size=1))
def test_a_map_is_the_sum_of_its_units(units: dict[str, int]) -> None:
    assert duration_ms(units) == sum(amount * UNITS[unit] for unit, amount in units.items())


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 999))
def test_iso_8601_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int, thousandths: int) -> None:
    text = f"PT{hours}H{minutes}M{seconds}.{thousandths:03}S"
    assert duration_ms(text) == hours * 3_600_000 + minutes * 60_000 + seconds * 1000 + thousandths


@given(st.text("PTYMWDHS0123456789.-${ }", max_size=120) | st.dictionaries(st.text(max_size=8), st.integers()))
def test_any_wait_is_read_or_refused(value: object) -> None:
    loaded = load({"wait": value})
    assert loaded.valid != bool(loaded.errors)
