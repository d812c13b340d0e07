"""Events, tools, secrets, version: the rest of what the command line says to a server."""

import json

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
