#!/usr/bin/env bash
# Makes a virtual environment at $1 with the first suitable Python: $PYTHON, or python3, python3.13, 3.12, 3.11.
set -euo pipefail
target=$1

suits() { # a command may be on PATH and still not run, so each is tried
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# A moved or removed interpreter leaves an environment that cannot start; that one is made anew.
if [ -x "$target/bin/python" ] && suits "$target/bin/python" && "$target/bin/python" -m pip --version >/dev/null 2>&1; then
    exit 0
fi

if [ -n "${PYTHON:-}" ]; then
    candidates=("$PYTHON")
else
    candidates=(python3 python3.13 python3.12 python3.11 python)
fi
for candidate in "${candidates[@]}"; do
    suits "$candidate" || continue
    if ! "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        echo "$candidate has no venv module; on Debian or Ubuntu: apt install python3-venv" >&2
        continue
    fi
    exec "$candidate" -m venv --clear "$target"
done

echo "Penstock needs Python 3.11 or newer with the venv module; tried: ${candidates[*]}." >&2
echo "Install one, or name it: make PYTHON=/path/to/python3.12" >&2
exit 1
