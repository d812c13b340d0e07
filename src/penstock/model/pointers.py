"""JSON Pointer (RFC 6901): building and splitting."""


def escape(token: str) -> str:
    """One reference token as it stands in a pointer."""
    return token.replace("~", "~0").replace("/", "~1")


def join(pointer: str, token: str | int) -> str:
    """The pointer of a member or an item of what `pointer` names."""
    return f"{pointer}/{escape(token) if isinstance(token, str) else token}"


def tokens(pointer: str) -> list[str]:
    """The unescaped reference tokens; the empty pointer has none."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
