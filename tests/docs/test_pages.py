"""The pages name what the code offers: settings, metrics, routes; and their links lead somewhere."""

import json
import re
from pathlib import Path
from typing import Final

import pytest

from penstock.runtime.metrics import Metrics
from penstock.runtime.settings import PREFIX, Settings
from penstock.runtime.store_metrics import StoreCollector
from penstock.server.http_metrics import request_metrics
from penstock.store.counters import StoreCounters
from tests.conformance_data import REPOSITORY

DOCS: Final = REPOSITORY / "docs"
BASES: Final = (REPOSITORY, REPOSITORY / "src" / "penstock")
OPENAPI: Final = REPOSITORY / "tests" / "server" / "golden" / "openapi.json"
LINK: Final = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
PAGES: Final = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md")
    for path in REPOSITORY.glob(pattern)
)


def rows(page: str) -> list[list[str]]:
    """The cells of the tables of a page, without the marks of code."""
    lines = [line for line in (DOCS / page).read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines]


def test_the_page_about_settings_has_every_setting_with_its_default() -> None:
    documented = {row[0]: row[1] for row in rows("settings.md")}
    defaults = Settings()
    existing = {PREFIX + name.upper(): str(getattr(defaults, name)) for name in Settings.__struct_fields__}
    assert documented == {name: value or "(empty)" for name, value in existing.items()}


def test_the_page_about_metrics_has_every_metric_and_no_other() -> None:
    metrics = Metrics()
    metrics.registry.register(StoreCollector(lambda: StoreCounters().snapshot(0)))
    request_metrics(metrics.registry)
    exposed = {
        f"{family.name}_total" if family.type == "counter" else family.name for family in metrics.registry.collect()
    }
    assert {row[0] for row in rows("metrics.md")} == exposed


def test_the_page_about_http_has_every_route() -> None:
    text = (DOCS / "http-api.md").read_text(encoding="utf-8")
    calls = [
        f"{method.upper()} {path}"
        for path, methods in json.loads(OPENAPI.read_bytes())["paths"].items()
        for method in methods
    ]
    missing = [call for call in calls if not re.search(rf"`{re.escape(call)}[`?]", text)]
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    path = REPOSITORY / page
    for target, anchor in LINK.findall(path.read_text(encoding="utf-8")):
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), f"{page} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{page} links to {target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_file_that_the_architecture_names_exists() -> None:
    """Paths in it are relative to the repository or to the package."""
    text = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_0-9/]+(?:\.py|\.sql|/))`", text))
    assert len(named) > 30
    missing = [path for path in named if not any((base / path).exists() for base in BASES)]
    assert missing == []


def test_the_readme_names_the_commands_that_start_everything() -> None:
    first_screen = "\n".join((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()[:40])
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "test"):
        assert f"make {target}" in first_screen
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert "make test" in (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
