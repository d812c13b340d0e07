#!/usr/bin/env bash
# Writes requirements/*.txt from pyproject.toml: every distribution pinned, with every hash of its release.
# Needs the network and a Python >= 3.11; works in a throwaway environment. `scripts/lock.sh --upgrade` moves pins.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'pip-tools>=7.5,<8' 'pip<26'

compile() { # compile OUTPUT ARGUMENT… : keeps the pins that OUTPUT already has, unless --upgrade is among the arguments
    local output=requirements/$1 input=${*: -1}
    shift
    [[ $input == requirements/* ]] || input=pyproject.toml
    grep -v '^#' "$output" >"$work/$(basename "$output")" 2>/dev/null || true
    # No index lines and no comments that name where something came from: whoever installs chooses the index.
    "$work/venv/bin/pip-compile" --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
        --no-emit-index-url --no-emit-find-links --no-annotate \
        --output-file "$work/$(basename "$output")" "$@"
    {
        echo "# Written by scripts/lock.sh from $input; not for editing by hand."
        grep -v -e '^#' -e '^$' "$work/$(basename "$output")"
    } >"$output"
}

compile runtime.txt "$@" pyproject.toml
compile postgres.txt "$@" --extra postgres --constraint requirements/runtime.txt pyproject.toml
compile dev.txt "$@" --extra dev --constraint requirements/runtime.txt pyproject.toml
compile bench.txt "$@" requirements/bench.in # an environment of its own, so it is not held to ours
"$work/venv/bin/python" - >"$work/build.in" <<'PY'
import tomllib
from pathlib import Path

print("\n".join(tomllib.loads(Path("pyproject.toml").read_text())["build-system"]["requires"]))
PY
compile build.txt "$@" "$work/build.in"
