"""Reads what is given on the command line as JSON: in place, from a file (`@file`), or from stdin (`-`)."""

import json
import sys
from pathlib import Path

from penstock.cli.exits import INVALID, CommandFailed
from penstock.model.json_value import Json
from penstock.model.limits import MAX_BODY_BYTES


def read_bytes(path: str) -> bytes:
    """The bytes of a file, or of stdin for `-`; what is larger than any request is refused."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MAX_BODY_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BODY_BYTES + 1)
    except OSError as error:
        raise CommandFailed(INVALID, f"cannot read {path}: {error.strerror or type(error).__name__}") from None
    if len(data) > MAX_BODY_BYTES:
        raise CommandFailed(INVALID, f"{path} is larger than {MAX_BODY_BYTES} bytes")
    return data


def read_text(given: str) -> tuple[str, str]:
    """The text of `@file` or `-`, else the argument itself; and its name for messages."""
    if given != "-" and not given.startswith("@"):
        return given, ""
    path = given if given == "-" else given[1:]
    try:
        return read_bytes(path).decode("utf-8-sig"), shown_name(path)
    except UnicodeDecodeError:
        raise CommandFailed(INVALID, f"{shown_name(path)} is not UTF-8") from None


def read_json(given: str, option: str) -> Json:
    """The JSON value of JSON|@file|-; a mistake is told with its place."""
    text, name = read_text(given)
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"{name or option}:{error.lineno}:{error.colno}: error: {error.msg}"
        raise CommandFailed(
            INVALID,
            f"{option} is not JSON",
            places=[place],
            advice=f"""{option} '{{"key": "value"}}', or {option} @FILE""",
        ) from None
    except (ValueError, RecursionError) as error:
        raise CommandFailed(INVALID, f"{option} is not JSON: {error}") from None


def shown_name(path: str) -> str:
    """How a file is called in messages."""
    return "<stdin>" if path == "-" else path


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is no JSON number")
