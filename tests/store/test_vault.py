"""Secrets at rest: sealed under one key, bound to their names."""

import base64
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from penstock.errors import InfrastructureError
from penstock.store import Vault, load_key

KEY = bytes(range(32))


@pytest.mark.parametrize("value", ["s3cret", None, {"user": "u", "pass": ["p", 1, 2.5, True]}, "", "é\0"])
def test_a_sealed_value_opens_again(value: object) -> None:
    sealed = Vault(KEY).seal("name", value)
    assert Vault(KEY).open("name", sealed) == value


def test_the_sealed_form_shows_nothing_and_never_repeats() -> None:
    one, two = (Vault(KEY).seal("name", "s3cret") for _ in range(2))
    assert one != two
    assert b"s3cret" not in one


@pytest.mark.parametrize(
    ("key", "name", "change"),
    [
        (bytes(32), "name", lambda sealed: sealed),
        (KEY, "other", lambda sealed: sealed),
        (KEY, "name", lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (KEY, "name", lambda sealed: sealed[:20]),
        (KEY, "name", lambda sealed: sealed[:5]),
        (KEY, "name", lambda sealed: b"\x02" + sealed[1:]),
        (KEY, "name", lambda sealed: b""),
    ],
    ids=["key", "name", "damaged", "short", "shorter", "version", "empty"],
)
def test_what_does_not_fit_is_refused_by_the_name_alone(
    key: bytes, name: str, change: Callable[[bytes], bytes]
) -> None:
    sealed = change(Vault(KEY).seal("name", "s3cret"))
    with pytest.raises(InfrastructureError, match=f"the secret '{name}'") as caught:
        Vault(key).open(name, sealed)
    assert "s3cret" not in str(caught.value)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(InfrastructureError, match="32 bytes"):
        Vault(b"short")


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    text = base64.b64encode(KEY).decode()
    assert load_key(tmp_path / "key", {"PENSTOCK_KEY": text + "\n"}) == KEY
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize("text", ["hunter2", "", "AAAA", base64.b64encode(bytes(33)).decode()])
def test_a_bad_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(InfrastructureError, match="32 random bytes in base64") as caught:
        load_key(tmp_path / "key", {})
    assert not text or text not in str(caught.value)
    if text:
        with pytest.raises(InfrastructureError, match=r"PENSTOCK_KEY must hold"):
            load_key(tmp_path / "other", {"PENSTOCK_KEY": text})


def test_a_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key"
    key = load_key(path, {})
    assert load_key(path, {}) == key
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_engines_that_start_together_agree_on_the_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: load_key(tmp_path / "key", {}), range(8)))
    assert len(keys) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    load_key(path, {})
    path.chmod(mode)
    with pytest.raises(InfrastructureError, match=r"others can read .* chmod 600"):
        load_key(path, {})


def test_a_key_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InfrastructureError, match="key file"):
        load_key(tmp_path / "file" / "key", {})
    with pytest.raises(InfrastructureError, match="cannot read the key file"):
        load_key(tmp_path, {})
