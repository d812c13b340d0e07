"""The one place that reads settings: from the environment (`PENSTOCK_*`), overridden by explicit arguments."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, cast

import msgspec

from penstock.errors import CallerError
from penstock.model import limits
from penstock.model.source import read_source

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

PREFIX: Final = "PENSTOCK_"


class SettingsError(CallerError):
    """A setting has a value that cannot be used."""

    title = "Invalid settings"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting. The environment variable of each is its name in capitals after `PENSTOCK_`."""

    data_dir: str = ".penstock"
    """Where the default store and its key lie."""
    store: str = ""
    """`sqlite:PATH` or `memory:`; empty: `sqlite:` and `penstock.db` in the data directory."""
    host: str = "127.0.0.1"
    port: int = 8090
    """0 takes any free port."""
    token: str = ""
    """What clients must send as bearer token; empty on loopback means development mode."""
    key_file: str = ""
    """File (mode 0600) with the key that seals secrets; empty: `key` in the data directory, made when absent."""
    key: str = ""
    """The key itself, in base64; takes precedence over the file."""
    secrets: str = ""
    """A JSON or YAML file, name → value, put into the store when the engine starts."""
    log_format: LogFormat = "text"
    log_level: LogLevel = "info"
    calls_in_flight: int = limits.MAX_CALLS_IN_FLIGHT
    expression_processes: int = 2
    """Worker processes for expressions outside the native subset."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"port: {self.port} is not a port")
        if not 1 <= self.calls_in_flight <= 100_000:
            raise SettingsError("calls_in_flight: must be between 1 and 100000")
        if not 2 <= self.expression_processes <= 64:
            raise SettingsError("expression_processes: must be between 2 and 64")

    @property
    def store_url(self) -> str:
        """The store to open."""
        return self.store or f"sqlite:{Path(self.data_dir) / 'penstock.db'}"

    @property
    def in_memory(self) -> bool:
        return self.store_url == "memory:"

    @property
    def key_path(self) -> Path:
        return Path(self.key_file) if self.key_file else Path(self.data_dir) / "key"

    def __repr__(self) -> str:
        shown = {n: getattr(self, n) for n in self.__struct_fields__ if n not in ("token", "key")}
        return f"Settings({', '.join(f'{n}={v!r}' for n, v in shown.items())})"


def load_settings(environment: Mapping[str, str] | None = None, **arguments: object) -> Settings:
    """Settings from the environment; an argument that is not None takes precedence.

    Raises `SettingsError`, naming the setting. Unknown `PENSTOCK_*` variables are ignored (clients use some).
    """
    source = os.environ if environment is None else environment
    given: dict[str, Any] = {
        name: source[PREFIX + name.upper()] for name in Settings.__struct_fields__ if PREFIX + name.upper() in source
    }
    given.update({name: value for name, value in arguments.items() if value is not None})
    try:
        return msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        cause = error.__cause__ or error.__context__
        if isinstance(cause, SettingsError):
            raise cause from None
        raise SettingsError(str(error)) from None


def read_secrets_file(path: str) -> dict[str, Any]:
    """The secrets of a file: name → value. Raises `SettingsError`, never repeating what the file holds."""
    try:
        data = read_source(Path(path).read_bytes(), name=path).data
    except OSError as error:
        raise SettingsError(f"secrets: cannot read {path}: {type(error).__name__}") from None
    except CallerError:
        raise SettingsError(f"secrets: {path} is neither JSON nor YAML") from None
    if not isinstance(data, dict) or not all(isinstance(name, str) for name in cast("dict[Any, Any]", data)):
        raise SettingsError(f"secrets: {path} must hold an object, name → value")
    return cast("dict[str, Any]", data)
