"""Tools that take work by event, on the command line."""

import json
import time

from tests.cli.process import Shell

DOCUMENT = """\
document: {dsl: '1.0.3', namespace: cli, name: offers, version: '1.0.0'}
do:
- a: {call: cli-check}
"""


def letters(penstock: Shell, name: str, state: str) -> list[dict[str, str]]:
    """The work in this state, once there is some."""
    until = time.monotonic() + 20
    while True:
        found = penstock("tools", "work", name, "--state", state, "-o", "json").json
        if found or time.monotonic() > until:
            return found


def test_a_tool_is_registered_for_pull_and_its_work_is_listed(penstock: Shell) -> None:
    arguments = ("--pull", "--lease", "PT5S", "--capability", "cli-check", "--start-timeout", "PT1M", "--prefix", "p.")
    said = penstock("tools", "register", "puller", *arguments, "-o", "json")
    assert said.status == 0, said.err
    assert said.json["transport"] == {"kind": "pull", "lease": {"milliseconds": 5000}}
    assert (said.json["prefix"], said.json["start_timeout"]) == ("p.", {"milliseconds": 60_000})
    assert "pull" in penstock("tools", "ls").out
    penstock("deploy", penstock.write("offers.yaml", DOCUMENT))
    run_id = penstock("start", "cli/offers", "-o", "json").json["id"]
    (letter,) = letters(penstock, "puller", "waiting")
    assert (letter["run"], letter["tool"]) == (run_id, "puller")
    assert letter["id"] in penstock("tools", "work", "puller").out
    assert penstock("tools", "rm", "puller").status == 0


def test_dead_letters_are_redelivered(penstock: Shell) -> None:
    transport = {"kind": "push", "url": "http://127.0.0.1:9/", "attempts": 1}
    definition = json.dumps({"name": "pusher", "capability": "cli-check", "transport": transport})
    assert penstock("tools", "register", "-", stdin=definition).status == 0
    penstock("deploy", penstock.write("offers.yaml", DOCUMENT))
    penstock("start", "cli/offers")
    (dead,) = letters(penstock, "pusher", "dead")
    assert "127.0.0.1:9" in dead["reason"]
    assert "would redeliver 1" in penstock("tools", "redeliver", "pusher", "--dry-run").err
    assert "redelivered 1" in penstock("tools", "redeliver", "pusher", dead["id"]).err
    assert penstock("tools", "redeliver", "nobody").status != 0
    assert penstock("tools", "rm", "pusher").status == 0


def test_a_tool_has_one_transport(penstock: Shell) -> None:
    for wrong in (
        (),
        ("--pull", "--push", "http://x/"),
        ("--pull", "--secret", "s"),
        ("--push", "http://x/", "--lease", "PT1S"),
    ):
        assert penstock("tools", "register", "wrong", *wrong).status == 2, wrong
