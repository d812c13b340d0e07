"""How findings are written, and what they suggest."""

import pytest

from penstock.model import Diagnostic
from penstock.model.diagnostics import suggestion


def test_a_finding_without_a_line_names_its_pointer() -> None:
    assert str(Diagnostic("warning", "/do/0", "odd", "code")) == "<document>#/do/0: warning: odd"
    assert Diagnostic("error", "/do/0", "wrong", "code", 3, 7).render("a.yaml") == "a.yaml:3:7: error: wrong"


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [("metod", " (did you mean 'method'?)"), ("method ", " (did you mean 'method'?)"), ("xyz", ""), ("", "")],
)
def test_a_name_that_is_close_is_suggested(wanted: str, hint: str) -> None:
    assert suggestion(wanted, ["method", "endpoint"]) == hint


def test_many_long_names_cost_little() -> None:
    assert suggestion("a" * 100_000, ["b" * 100_000] * 100_000) == ""
