"""The page about limits says what the code says. `PENSTOCK_REGENERATE=1` writes it anew."""

import os

from penstock.model import limits
from tests.conformance_data import REPOSITORY
from tests.docs.limits_document import limits_document

PAGE = REPOSITORY / "docs" / "limits.md"


def test_the_page_is_up_to_date() -> None:
    if os.environ.get("PENSTOCK_REGENERATE"):
        PAGE.write_text(limits_document(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == limits_document()


def test_every_limit_is_on_the_page() -> None:
    """Only those that stand on one line with a comment get there."""
    names = [name for name in vars(limits) if name.isupper()]
    assert [name for name in names if f"| `{name}` |" not in limits_document()] == []
