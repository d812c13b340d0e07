"""How long a workflow wants its ended runs to be kept."""

import pytest

from penstock.model.json_value import Json
from penstock.model.limits import MAX_RETAINED_RUNS
from penstock.model.retention import Retention, read_retention

DAY = 24 * 3600 * 1000


@pytest.mark.parametrize(
    ("metadata", "wanted"),
    [
        ({}, Retention()),
        ({"penstock": {}}, Retention()),
        ({"other": {"retain": 1}}, Retention()),
        ({"penstock": {"retain": {}}}, Retention()),
        ({"penstock": {"retain": {"age": "P30D"}}}, Retention(30 * DAY)),
        ({"penstock": {"retain": {"age": {"days": 2}, "runs": 0}}}, Retention(2 * DAY, 0)),
        ({"penstock": {"retain": {"age": "PT1M"}}}, Retention(60_000)),
        ({"penstock": {"retain": {"runs": MAX_RETAINED_RUNS}}}, Retention(None, MAX_RETAINED_RUNS)),
    ],
)
def test_it_is_read(metadata: dict[str, Json], wanted: Retention) -> None:
    assert read_retention(metadata) == wanted


@pytest.mark.parametrize(
    ("penstock", "pointer", "said"),
    [
        (7, "", "must be an object"),
        ({"retain": "P30D"}, "/retain", "must be an object with age and runs"),
        ({"retain": {"ages": "P30D"}}, "/retain/ages", "did you mean 'age'"),
        ({"retain": {"age": "30 days"}}, "/retain/age", "not a duration"),
        ({"retain": {"age": 30}}, "/retain/age", "not a duration"),
        ({"retain": {"age": "PT59S"}}, "/retain/age", "at least 60 seconds"),
        ({"retain": {"runs": -1}}, "/retain/runs", "a whole number"),
        ({"retain": {"runs": True}}, "/retain/runs", "a whole number"),
        ({"retain": {"runs": 1.5}}, "/retain/runs", "a whole number"),
        ({"retain": {"runs": MAX_RETAINED_RUNS + 1}}, "/retain/runs", "a whole number"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(penstock: Json, pointer: str, said: str) -> None:
    found = read_retention({"penstock": penstock})
    assert isinstance(found, tuple)
    (one,) = found
    assert (one.severity, one.pointer) == ("error", f"/document/metadata/penstock{pointer}")
    assert said in one.message


def test_a_rule_goes_before_another_member_by_member() -> None:
    default = Retention(DAY, 5)
    assert Retention().over(default) == default
    assert Retention(runs=0).over(default) == Retention(DAY, 0)
    assert Retention(2 * DAY).over(Retention()) == Retention(2 * DAY)
