"""`docs/dsl-coverage.md` says what the table says. `PENSTOCK_REGENERATE=1` writes it anew."""

import os

from penstock.model.executable import coverage_document
from tests.conformance_data import REPOSITORY

PAGE = REPOSITORY / "docs" / "dsl-coverage.md"


def test_the_page_is_up_to_date() -> None:
    if os.environ.get("PENSTOCK_REGENERATE"):
        PAGE.write_text(coverage_document(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == coverage_document()
