"""Settings, versions, masks, clocks, logs."""

import asyncio
import io
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from penstock.runtime.clock import ManualClock, SystemClock
from penstock.runtime.logs import make_log
from penstock.runtime.masking import MASK, Mask
from penstock.runtime.settings import Settings, SettingsError, load_settings, read_secrets_file
from penstock.runtime.versions import latest, version_key
from penstock.store.rows import StoredWorkflow


def test_settings_come_from_the_environment_and_arguments_win() -> None:
    found = load_settings({"PENSTOCK_PORT": "9000", "PENSTOCK_HOST": "::1", "PENSTOCK_URL": "ignored"}, port=0)
    assert (found.port, found.host, found.store_url) == (0, "::1", "sqlite:.penstock/penstock.db")


@pytest.mark.parametrize("name, value", [("PORT", "x"), ("PORT", "70000"), ("EXPRESSION_PROCESSES", "1")])
def test_a_setting_that_cannot_be_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name.lower()):
        load_settings({f"PENSTOCK_{name}": value})


def test_settings_show_neither_token_nor_key() -> None:
    assert "hidden" not in repr(Settings(token="hidden", key="hidden"))


def test_a_secrets_file_is_json_or_yaml_and_is_never_quoted(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text('{"a": {"b": 1}}')
    assert read_secrets_file(str(path)) == {"a": {"b": 1}}
    path.write_text("a: b\n")
    assert read_secrets_file(str(path)) == {"a": "b"}
    path.write_text("a: [hidden\n")
    with pytest.raises(SettingsError) as caught:
        read_secrets_file(str(path))
    assert "hidden" not in str(caught.value)


def test_latest_follows_semver_and_prefers_releases() -> None:
    def row(version: str) -> StoredWorkflow:
        return StoredWorkflow("n", "w", version, 0, b"", b"")

    order = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-rc.2",
        "1.0.0-rc.10",
        "1.0.0",
        "1.2.9",
        "1.2.10",
    ]
    shuffled = [*order[3:], *order[:3]]
    assert sorted(shuffled, key=version_key) == order
    assert latest(map(row, ["1.2.9", "1.2.10", "2.0.0-rc.1"])) == row("1.2.10")
    assert latest(map(row, ["2.0.0-rc.1"])) == row("2.0.0-rc.1")
    assert latest([]) is None


def test_masks_hide_secrets_and_their_base64_but_not_short_texts() -> None:
    mask = Mask([{"password": "hunter22", "pin": "abc"}, 123456])
    assert mask("hunter22 aHVudGVyMjI= abc 123456") == f"{MASK} {MASK} abc {MASK}"


def test_masks_know_how_a_secret_stands_in_a_uri_and_in_json() -> None:
    mask = Mask(['pa55 w"/é'])
    for shown in ("pa55%20w%22/%C3%A9", "pa55%20w%22%2F%C3%A9", "pa55+w%22%2F%C3%A9", 'pa55 w\\"/é'):
        assert mask(f"<{shown}>") == f"<{MASK}>"


def test_the_system_clock_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([2_000_000_000, 1_000_000_000, 3_000_000_000])
    monkeypatch.setattr("penstock.runtime.clock.time.time_ns", lambda: next(times))
    clock = SystemClock()
    assert [clock.now_ms() for _ in range(3)] == [2000, 2000, 3000]


async def test_a_manual_clock_wakes_sleepers_in_order() -> None:
    clock, woken = ManualClock(0), list[int]()

    async def sleep(at: int) -> None:
        await clock.sleep_until(at)
        woken.append(at)

    tasks = [asyncio.create_task(sleep(at)) for at in (30, 10, 20)]
    await asyncio.sleep(0)
    clock.advance(20)
    await asyncio.gather(*tasks[1:])
    assert woken == [10, 20]
    clock.advance(10)
    await tasks[0]


@pytest.mark.parametrize("form", ["text", "json"])
def test_logs_name_an_error_by_type_and_place_but_not_its_message(form: str) -> None:
    out = io.StringIO()
    with redirect_stderr(out):
        log = make_log(Settings(log_format=form))  # type: ignore[arg-type]
        secret = "s3cr3t"
        try:
            raise ValueError(f"bad value {secret}")
        except ValueError as error:
            log.error("it failed", run_id="r1", exc_info=error)
    said = out.getvalue()
    assert "ValueError" in said and "r1" in said and "test_small_parts.py" in said
    assert "s3cr3t" not in said


@pytest.mark.parametrize("token", [" ", "a b", "token\n", " token", "tökén", "a\x00"])
def test_a_token_that_no_client_could_send_is_refused(token: str) -> None:
    with pytest.raises(SettingsError, match="token"):
        load_settings({}, token=token)
