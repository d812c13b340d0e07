"""What Penstock may depend on: few distributions, all pinned by hash, from no particular registry."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Final

import pytest

REPOSITORY: Final = Path(__file__).resolve().parent.parent
RUNTIME_DISTRIBUTIONS_MAX: Final = 25

# Put together here, so that this file does not name them either.
REGISTRY_HOSTS: Final = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("proxy", "golang", "org"),
        ("static", "crates", "io"),
        ("index", "crates", "io"),
        ("repo", "maven", "apache", "org"),
    )
)


def requirement_blocks(name: str) -> list[str]:
    """Each requirement with its hashes, as one line."""
    text = (REPOSITORY / "requirements" / name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return "\n".join(lines).replace("\\\n", " ").splitlines()


def declared() -> dict[str, list[str]]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    return {
        "runtime": project["project"]["dependencies"],
        "dev": project["project"]["optional-dependencies"]["dev"],
        "postgres": project["project"]["optional-dependencies"]["postgres"],
        "build": project["build-system"]["requires"],
    }


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: there is no list of the repository's files")
    paths = (REPOSITORY / name for name in listed.stdout.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def test_the_runtime_has_few_distributions():
    names = [name_of(block) for block in requirement_blocks("runtime.txt")]
    assert names
    assert len(names) == len(set(names)) <= RUNTIME_DISTRIBUTIONS_MAX


@pytest.mark.parametrize("name", ["runtime.txt", "postgres.txt", "dev.txt", "build.txt"])
def test_every_distribution_is_pinned_by_hash(name: str):
    blocks = requirement_blocks(name)
    assert blocks
    for block in blocks:
        assert re.match(r"[a-z0-9.-]+==\S+( ;.*?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*$", block), block[:80]


@pytest.mark.parametrize("group", ["runtime", "postgres", "dev", "build"])
def test_every_declared_requirement_is_bounded_above(group: str):
    requirements = declared()[group]
    assert requirements
    for requirement in requirements:
        assert re.search(r"<\d", requirement), f"{requirement} has no upper bound"


def test_what_is_declared_is_what_is_pinned():
    pinned = {name_of(block) for block in requirement_blocks("runtime.txt")}
    assert {name_of(requirement) for requirement in declared()["runtime"]} <= pinned


def test_postgresql_needs_its_driver_and_nothing_else():
    runtime = {block.split()[0] for block in requirement_blocks("runtime.txt")}
    more = {block.split()[0] for block in requirement_blocks("postgres.txt")} - runtime
    assert {name_of(requirement) for requirement in more} == {"asyncpg"}


def test_the_tests_run_on_the_pins_of_the_runtime():
    dev = {block.split()[0] for block in requirement_blocks("dev.txt")}
    assert {block.split()[0] for block in requirement_blocks("runtime.txt")} <= dev


def test_no_file_names_a_registry_host():
    found = [
        f"{path.relative_to(REPOSITORY)}: {host}"
        for path in tracked_files()
        for host in REGISTRY_HOSTS
        if host.encode() in path.read_bytes()
    ]
    assert found == []
