"""The one place that reads settings: from a TOML file, from the environment (`PENSTOCK_*`), from explicit arguments;
each takes precedence over the one before."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, cast

import msgspec

from penstock.errors import CallerError
from penstock.model import limits
from penstock.model.diagnostics import suggestion
from penstock.model.retention import Retention
from penstock.model.source import read_source
from penstock.store import holds_password, shown_url
from penstock.tools.outbound import AllowedHost, is_loopback, parse_allowed

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

PREFIX: Final = "PENSTOCK_"
CONFIG_VARIABLE: Final = "PENSTOCK_CONFIG"
"""Names the settings file; not a setting itself, so that it cannot stand in one."""
_CONFIDENTIAL: Final = ("token", "key")
_ROLES: Final = frozenset({"api", "engine"})
_LONGEST_LEASE_S: Final = 3600
_DAY_MS: Final = 24 * 3600 * 1000


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
    allow_hosts: str = ""
    """Private and other special addresses that may be called: names, `name:port`, addresses, networks; with commas."""
    calls_in_flight: int = limits.MAX_CALLS_IN_FLIGHT
    expression_processes: int = 2
    """Worker processes for expressions outside the native subset."""
    roles: str = "api,engine"
    """What this process does: `api` takes requests, `engine` moves runs. One alone needs a store that can be shared."""
    lease_s: int = limits.NODE_LEASE_MS // 1000
    """How long this node may be silent, of those that share a store, before others take its runs."""
    node_name: str = ""
    """How lists of nodes name this one; empty: its host and process."""
    retain_days: int = 0
    """Ended runs go after so many days; 0 keeps them. What a workflow says of its own runs comes first."""
    retain_runs: int = 0
    """Of each workflow so many ended runs are kept, those that ended last; 0 keeps all."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"port: {self.port} is not a port")
        if not all("!" <= character <= "~" for character in self.token):
            # A client could never send it: a header loses blanks at its ends and knows no other characters.
            raise SettingsError("token: must have visible ASCII characters only, and no blank or line break")
        try:
            parse_allowed(self.allow_hosts)
        except ValueError as error:
            raise SettingsError(f"allow_hosts: {error}") from None
        if not 1 <= self.calls_in_flight <= 100_000:
            raise SettingsError("calls_in_flight: must be between 1 and 100000")
        if not 2 <= self.expression_processes <= 64:
            raise SettingsError("expression_processes: must be between 2 and 64")
        if not set(self.role_names) <= _ROLES or not self.role_names:
            raise SettingsError(f"roles: {self.roles[:100]!r} must be api, engine, or both with a comma")
        if not limits.MIN_NODE_LEASE_MS // 1000 <= self.lease_s <= _LONGEST_LEASE_S:
            least = limits.MIN_NODE_LEASE_MS // 1000
            raise SettingsError(f"lease_s: must be between {least} and {_LONGEST_LEASE_S}")
        if len(self.node_name) > limits.MAX_NAME_CHARACTERS:
            raise SettingsError(f"node_name: has at most {limits.MAX_NAME_CHARACTERS} characters")
        if not 0 <= self.retain_days <= limits.MAX_RETAIN_DAYS:
            raise SettingsError(f"retain_days: must be between 0 (keep all) and {limits.MAX_RETAIN_DAYS}")
        if not 0 <= self.retain_runs <= limits.MAX_RETAINED_RUNS:
            raise SettingsError(f"retain_runs: must be between 0 (keep all) and {limits.MAX_RETAINED_RUNS}")

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

    @property
    def allowed_hosts(self) -> tuple[AllowedHost, ...]:
        """What `allow_hosts` says."""
        return parse_allowed(self.allow_hosts)

    @property
    def in_development(self) -> bool:
        """Development mode: no token, and nobody but this machine can ask."""
        return not self.token and is_loopback(self.host)

    @property
    def role_names(self) -> tuple[str, ...]:
        return tuple(role.strip() for role in self.roles.split(","))

    @property
    def runs_engine(self) -> bool:
        return "engine" in self.role_names

    @property
    def serves_api(self) -> bool:
        return "api" in self.role_names

    @property
    def retention(self) -> Retention:
        """What happens to ended runs of workflows that say nothing themselves."""
        return Retention(self.retain_days * _DAY_MS or None, self.retain_runs or None)

    def __repr__(self) -> str:
        shown = {n: getattr(self, n) for n in self.__struct_fields__ if n not in _CONFIDENTIAL}
        shown["store"] = shown_url(self.store)
        return f"Settings({', '.join(f'{n}={v!r}' for n, v in shown.items())})"


def load_settings(
    environment: Mapping[str, str] | None = None, *, config: str | None = None, **arguments: object
) -> Settings:
    """Settings from the file `config` (or `PENSTOCK_CONFIG`), from the environment, which takes precedence over it,
    and from arguments that are not None, which take precedence over both.

    Raises `SettingsError`, naming the setting. Unknown `PENSTOCK_*` variables are ignored (clients use some).
    """
    source = os.environ if environment is None else environment
    file = config or source.get(CONFIG_VARIABLE)
    given: dict[str, Any] = read_settings_file(Path(file)) if file else {}
    given |= {
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


def read_settings_file(path: Path) -> dict[str, Any]:
    """The settings in a TOML file: `name = value`, with the names of `Settings`.

    Raises `SettingsError` for a file that cannot be read, a name that is no setting, and a token, a key or the store's
    password in a file that others can read. Never repeats values.
    """
    try:
        with path.open("rb") as file:
            text, mode = file.read(limits.MAX_CONFIG_BYTES + 1), os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise SettingsError(f"config: cannot read {path}: {error.strerror}") from None
    if len(text) > limits.MAX_CONFIG_BYTES:
        raise SettingsError(f"config: {path} has more than {limits.MAX_CONFIG_BYTES} bytes")
    try:
        found = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"config: {path} is not TOML: {error}") from None
    for name, value in found.items():
        if name not in Settings.__struct_fields__:
            raise SettingsError(f"config: {path}: {name!r} is no setting{suggestion(name, Settings.__struct_fields__)}")
        if isinstance(value, dict | list):
            raise SettingsError(f"config: {path}: {name} must be a text or a number")
        if mode & 0o077 and (secret := _secret_in(name, value)):
            raise SettingsError(f"config: {path} holds {secret}, but others can read it; `chmod 600 {path}`")
    return found


def _secret_in(name: str, value: object) -> str:
    """What in a setting nobody else may read; "" for nothing."""
    if name in _CONFIDENTIAL:
        return f"the {name}"
    return "the password of the store" if name == "store" and holds_password(str(value)) else ""


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
