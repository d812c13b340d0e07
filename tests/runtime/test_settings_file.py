"""Settings out of a file: the weakest source, with the same names, and no guessing."""

from pathlib import Path

import pytest

from penstock.runtime.settings import SettingsError, load_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "penstock.toml"


def said(file: Path, text: str) -> str:
    """What is said of a file that is refused."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings({}, config=str(file))
    return caught.value.detail


@pytest.mark.mission("M132")
def test_arguments_win_over_the_environment_and_that_over_the_file(file: Path) -> None:
    file.write_text('port = 1\nhost = "::1"\nlog_level = "error"\nretain_days = 30\n', encoding="utf-8")
    environment = {"PENSTOCK_CONFIG": str(file), "PENSTOCK_PORT": "2", "PENSTOCK_HOST": "127.0.0.2"}
    found = load_settings(environment, port=3)
    assert (found.port, found.host, found.log_level, found.retain_days) == (3, "127.0.0.2", "error", 30)
    assert found.retention.age_ms == 30 * 24 * 3600 * 1000


def test_the_file_that_is_named_by_argument_wins(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    file.write_text("port = 1\n", encoding="utf-8")
    other.write_text("port = 2\n", encoding="utf-8")
    assert load_settings({"PENSTOCK_CONFIG": str(file)}, config=str(other)).port == 2
    assert load_settings({}).port == 8090


def test_an_unknown_name_is_refused_with_the_close_one(file: Path) -> None:
    assert "'prot' is no setting (did you mean 'port'?)" in said(file, "prot = 1\n")
    assert "'PENSTOCK_PORT' is no setting" in said(file, "PENSTOCK_PORT = 1\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("port = \n", "is not TOML"),
        ("[store]\nurl = 1\n", "store must be a text or a number"),
        ("port = [1]\n", "port must be a text or a number"),
        ("port = 70000\n", "port: 70000"),
        ('port = "many"\n', "port"),
        ('log_format = "xml"\n', "log_format"),
        ("retain_days = -1\n", "retain_days: must be between 0"),
        ("retain_runs = 1000001\n", "retain_runs: must be between 0"),
        ("#" * 70_000, "has more than"),
    ],
)
def test_what_cannot_be_used_is_refused(file: Path, text: str, reason: str) -> None:
    assert reason in said(file, text)


def test_a_file_that_is_not_there(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read .*: No such file"):
        load_settings({}, config=str(file))


@pytest.mark.parametrize("name", ["token", "key"])
def test_what_is_secret_stands_in_private_files_only(file: Path, name: str) -> None:
    file.touch(0o644)
    found = said(file, f'{name} = "abcdefgh"\n')
    assert "chmod 600" in found
    assert "abcdefgh" not in found
    file.chmod(0o600)
    assert getattr(load_settings({}, config=str(file)), name) == "abcdefgh"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:abcdefgh@db/runs",
        "postgresql://db/runs?user=me&password=abcdefgh",
        "postgres://db/runs?sslkey=k&sslpassword=abcdefgh",
        "postgresql://me:abcdefgh@[db/runs",
    ],
)
def test_a_store_with_its_password_stands_in_private_files_only(file: Path, url: str) -> None:
    file.touch(0o640)
    found = said(file, f'store = "{url}"\n')
    assert "holds the password of the store, but others can read it; `chmod 600" in found
    assert "abcdefgh" not in found
    file.chmod(0o600)
    settings = load_settings({}, config=str(file))
    assert settings.store == url
    assert "abcdefgh" not in repr(settings)


@pytest.mark.parametrize("url", ["postgresql://me@db/runs?passfile=/p", "sqlite:a:b@c.db", "memory:"])
def test_a_store_without_a_password_may_stand_in_any_file(file: Path, url: str) -> None:
    file.touch(0o644)
    file.write_text(f'store = "{url}"\n', encoding="utf-8")
    assert load_settings({}, config=str(file)).store == url


def test_hosts_that_may_be_called_are_read_from_everywhere() -> None:
    settings = load_settings({"PENSTOCK_ALLOW_HOSTS": "billing.internal:8443, 10.0.0.0/8"})
    assert [(entry.name, entry.port) for entry in settings.allowed_hosts] == [("billing.internal", 8443), ("", None)]
    assert load_settings({}).allowed_hosts == ()
    with pytest.raises(SettingsError, match=r"allow_hosts: '\*'"):
        load_settings({}, allow_hosts="*")


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, True), ({"host": "::1"}, True), ({"token": "t"}, False), ({"host": "10.0.0.1", "token": "t"}, False)],
)
def test_development_mode_is_this_machine_without_a_token(given: dict[str, str], expected: bool) -> None:
    assert load_settings({}, **given).in_development is expected
