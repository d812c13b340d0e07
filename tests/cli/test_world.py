"""Events, tools, secrets, version: the rest of what the command line says to a server."""

import json
import shlex

from tests.cli.process import Shell

SECRET = "a-secret-value"


class TestEvents:
    def test_an_event_from_its_parts(self, penstock: Shell) -> None:
        said = penstock("send", "tests.parts", "--source", "/me", "--subject", "s", "--data", '{"n": 1}', "--id", "p1")
        assert (said.status, said.out, said.err) == (0, "p1\n", "taken\n")
        (event,) = [one for one in penstock("ls", "events", "-o", "json").json if one["id"] == "p1"]
        assert (event["type"], event["source"], event["subject"], event["data"]) == (
            "tests.parts",
            "/me",
            "s",
            {"n": 1},
        )

    def test_whole_events_from_a_file_and_from_stdin(self, penstock: Shell) -> None:
        event = {"specversion": "1.0", "id": "w1", "source": "/me", "type": "tests.whole", "data": 1}
        penstock.write("event.json", json.dumps(event))
        assert penstock("send", "@event.json").out == "w1\n"
        batch = json.dumps([{**event, "id": "w2"}, {**event, "id": "w3"}])
        assert penstock("send", "-", stdin=batch).out == "w2\nw3\n"
        listed = {one["id"] for one in penstock("ls", "events", "-o", "json").json}
        assert {"w1", "w2", "w3"} <= listed

    def test_what_is_no_event_is_refused(self, penstock: Shell) -> None:
        assert penstock("send", "-", stdin='{"type": "x"}').status == 2
        assert penstock("send", "tests.bad", "--data", "{").status == 2
        assert penstock("send", "@event.json", "--id", "1").status == 2


class TestTools:
    def test_register_list_and_forget(self, penstock: Shell) -> None:
        assert penstock("tools", "register", "numbers", "--endpoint", "http://127.0.0.1:9/n", "--dry-run").status == 0
        assert "numbers" not in penstock("tools", "ls").out
        said = penstock("tools", "register", "numbers", "--endpoint", "http://127.0.0.1:9/n", "--weight", "3")
        assert said.status == 0, said.err
        (tool,) = penstock("tools", "ls", "-o", "json").json
        assert (tool["name"], tool["capability"], tool["weight"]) == ("numbers", "numbers", 3)
        assert penstock("ls", "capabilities").out.splitlines()[1].split() == ["numbers", "numbers"]
        assert penstock("tools", "rm", "numbers").status == 0
        assert penstock("tools", "rm", "numbers").status == 3

    def test_a_definition_from_a_file(self, penstock: Shell) -> None:
        definition = {"name": "t", "capability": "c", "transport": {"kind": "http", "endpoint": "http://127.0.0.1:9"}}
        penstock.write("tool.json", json.dumps(definition))
        assert penstock("tools", "register", "@tool.json").status == 0
        assert penstock("tools", "rm", "t").status == 0

    def test_a_tool_that_cannot_be_is_refused(self, penstock: Shell) -> None:
        said = penstock("tools", "register", "t", "--endpoint", "nowhere")
        assert said.status == 2
        assert "endpoint" in said.err
        assert penstock("tools", "register", "t").status == 2
        assert "did you mean 'register'" in penstock("tools", "registr").err


class TestSecrets:
    def test_values_go_in_and_never_come_out(self, penstock: Shell) -> None:
        assert penstock("secrets", "set", "key", "--value", "-", stdin=f"{SECRET}\n").status == 0
        penstock.write("value.json", json.dumps({"user": SECRET}))
        assert penstock("secrets", "set", "login", "--value", "@value.json", "--json").status == 0
        for listing in (penstock("secrets", "ls"), penstock("ls", "secrets", "-o", "json")):
            assert listing.status == 0
            assert "key" in listing.out
            assert "login" in listing.out
            assert SECRET not in listing.out + listing.err
        assert penstock("secrets", "rm", "key", "login").status == 0
        assert penstock("secrets", "rm", "key").status == 3

    def test_a_value_as_an_argument_is_refused_without_repeating_it(self, penstock: Shell) -> None:
        said = penstock("secrets", "set", "key", "--value", SECRET)
        assert said.status == 2
        assert SECRET not in said.out + said.err


class TestVersion:
    def test_client_and_server(self, penstock: Shell) -> None:
        answer = penstock("version", "-o", "json").json
        assert answer["client"] == answer["server"]
        assert answer["url"] == penstock.url

    def test_without_a_server_the_client_alone(self, shell: Shell) -> None:
        said = shell("version", "-o", "json")
        assert said.status == 0
        assert said.json["server"] is None
        assert shell("--version").out == f"penstock {said.json['client']}\n"


LISTENS = """
document: {dsl: 1.0.3, namespace: why, name: hears, version: 1.0.0}
do:
- paid:
    listen: {to: {one: {with: {type: why.paid}, correlate: {order: {from: "${ .data.order }", expect: "${ .order }"}}}}}
"""


class TestWhy:
    def test_the_command_that_it_proposes_ends_the_wait(self, penstock: Shell) -> None:
        run = self._listening(penstock, "A-1")
        said = penstock("why", run)
        lines = [line.strip() for line in said.out.splitlines()]
        assert lines[0].split() == [run, "why/hears:1.0.0", "waiting"]
        assert lines[1] == "event  paid (/do/0/paid)"
        assert lines[2] == 'waits for an event with with.type "why.paid", correlate.order "A-1"'
        assert lines[3].startswith("since     20")
        command = lines[4].removeprefix("ended by  an event like that: ")
        assert shlex.split(command)[:3] == ["penstock", "send", "why.paid"]
        sent = penstock(*shlex.split(command)[1:]).out.strip()
        assert penstock("logs", run, "--follow").status == 0
        row = penstock("why", "--event", sent).out.splitlines()[-1].split()
        assert row[:5] == ["delivered", run, "why/hears:1.0.0", "paid", "(/do/0/paid)"]
        assert "waits for nothing" in penstock("why", run).out

    def test_an_event_that_did_not_match(self, penstock: Shell) -> None:
        run = self._listening(penstock, "B-1")
        sent = penstock("send", "why.paid", "--data", '{"order": "B-2"}', "--source", "/why").out.strip()
        told = penstock("why", "--event", sent, "--source", "/why", run, "-o", "json").json["candidates"]
        assert [(one["verdict"], one["reason"]) for one in told] == [
            ("no", 'correlate.order: the run expects "B-1", the event has "B-2"')
        ]
        assert penstock("cancel", run).status == 0

    def test_what_is_not_there_and_what_is_not_said(self, penstock: Shell) -> None:
        assert penstock("why").status == 2
        assert penstock("why", "--event", "nothing-has-this-id").status == 3
        assert penstock("why", "--event", "x", "--source", "/none").status == 3
        for source in ("/one", "/two"):
            penstock("send", "why.twice", "--id", "twice", "--source", source)
        said = penstock("why", "--event", "twice")
        assert said.status == 4
        assert "/one, /two" in said.err

    def _listening(self, penstock: Shell, order: str) -> str:
        penstock.write("hears.yaml", LISTENS)
        assert penstock("deploy", "hears.yaml").status == 0
        run: str = penstock("start", "why/hears", "--input", json.dumps({"order": order}), "-o", "json").json["id"]
        for _ in range(50):
            if penstock("why", run, "-o", "json").json["status"] == "waiting":
                return run
        raise AssertionError("the run does not listen")


class TestMoreOfEvents:
    def test_every_attribute_can_be_said(self, penstock: Shell) -> None:
        given = ("--time", "2030-01-31T12:00:00Z", "--ttl", "PT5M", "-x", "shelf=7", "--extension", "note=a=b")
        assert penstock("send", "more.all", "--id", "m1", *given).status == 0
        (event,) = penstock("events", "--type", "more.all", "-o", "json").json
        assert (event["time"], event["penstockttl"], event["shelf"], event["note"]) == (given[1], "PT5M", "7", "a=b")
        assert penstock("send", "more.all", "-x", "id=1").status == 2
        assert penstock("send", "more.all", "-x", "nothing").status == 2
        assert penstock("send", "more.all", "--ttl", "soon").status == 2

    def test_an_event_is_sent_again(self, penstock: Shell) -> None:
        penstock("send", "more.again", "--id", "again", "--source", "/me", "--data", "1")
        said = penstock("resend", "again")
        assert (said.status, said.err) == (0, "sent again: more.again of /me\n")
        (new, old) = penstock("events", "--type", "more.again", "-o", "json").json
        assert (new["id"], new["penstockresendof"], old["id"]) == (said.out.strip(), "again", "again")
        assert penstock("resend", "none", "--source", "/me").status == 3

    def test_filters_choose_events(self, penstock: Shell) -> None:
        for subject in "ab":
            penstock("send", "more.some", "--subject", subject, "--source", "/some", "--id", subject)
        assert [one["id"] for one in penstock("events", "--source", "/some", "-o", "json").json] == ["b", "a"]
        assert [one["id"] for one in penstock("events", "--subject", "a", "--source", "/some", "-o", "json").json] == [
            "a"
        ]
        assert "no events" in penstock("events", "--type", "more.none").err

    def test_the_events_of_a_run_are_followed_to_its_end(self, penstock: Shell) -> None:
        penstock.write("tells.yaml", TELLS)
        assert penstock("deploy", "tells.yaml").status == 0
        run = penstock("start", "why/tells", "-o", "json").json["id"]
        assert penstock("logs", run, "--follow").status == 0
        said = penstock("events", "--run", run, "--follow", "-o", "json")
        assert said.status == 0
        assert [json.loads(line)["type"] for line in said.out.splitlines()] in ([], ["why.told"])
        assert [one["type"] for one in penstock("events", "--run", run, "-o", "json").json] == ["why.told"]


TELLS = """
document: {dsl: 1.0.3, namespace: why, name: tells, version: 1.0.0}
do:
- tell: {emit: {event: {with: {source: /why, type: why.told}}}}
"""
