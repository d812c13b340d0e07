"""From what a program deploys to a document: a text, a map, or a file."""

import asyncio
from os import PathLike
from pathlib import Path
from typing import Final

from penstock.errors import CallerError, TooLarge
from penstock.model.json_value import Json
from penstock.model.limits import MAX_DOCUMENT_BYTES

Document = str | bytes | dict[str, Json] | PathLike[str]
_SUFFIXES: Final = (".yaml", ".yml", ".json")


async def read_document(document: Document) -> str | bytes | dict[str, Json]:
    """A path is read: a `Path`, or one line of text that ends like the name of a YAML or JSON file.

    Raises `CallerError` for a file that cannot be read, `TooLarge` for one over `MAX_DOCUMENT_BYTES`.
    """
    if isinstance(document, bytes | dict):
        return document
    if isinstance(document, str) and ("\n" in document or not document.endswith(_SUFFIXES)):
        return document
    return await asyncio.to_thread(_read, Path(document))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise CallerError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > MAX_DOCUMENT_BYTES:
        raise TooLarge(f"{path} has more than {MAX_DOCUMENT_BYTES} bytes")
    return data
