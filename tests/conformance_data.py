"""Where the shared conformance data is: outside this repository, because it tests more than this repository.

`$PENSTOCK_CONFORMANCE` names the directory; without it, `../shared/conformance` beside the repository is
taken.
Tests that need the data skip, saying so, when it is not there.
"""

import json
import os
from pathlib import Path
from typing import Final

import pytest

from penstock.model.json_value import Json

REPOSITORY: Final = Path(__file__).resolve().parent.parent


def conformance_dir(*parts: str) -> Path:
    """The directory (or a path in it); skips the test, or the module being imported, if missing."""
    named = os.environ.get("PENSTOCK_CONFORMANCE")
    root = Path(named) if named else REPOSITORY.parent / "shared" / "conformance"
    path = root.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no conformance data at {path}; set PENSTOCK_CONFORMANCE", allow_module_level=True)
    return path


def conformance_json(*parts: str) -> Json:
    """A JSON file of the conformance data, parsed."""
    return json.loads(conformance_dir(*parts).read_text(encoding="utf-8"))
