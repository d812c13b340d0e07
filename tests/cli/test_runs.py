"""Runs by the command line: define, run, watch, cancel, and the rest of their lives (M134)."""

import json
import re

import pytest

from tests.cli.documents import faulty, hello, listening, sleeping
from tests.cli.process import DEADLINE_S, Said, Shell

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n")


def deploy(shell: Shell, text: str) -> Said:
    return shell("deploy", "-", stdin=text)


def started(shell: Shell, name: str, *options: str) -> str:
    """The id of a new run."""
    said = shell("start", f"tests/{name}", *options)
    assert said.status == 0, said.err
    assert ID.fullmatch(said.out)
    return said.out.strip()


class TestDeploy:
    def test_a_file_is_stored_once(self, penstock: Shell) -> None:
        name = penstock.write("once.yaml", hello("once"))
        first, second = penstock("deploy", name), penstock("deploy", name)
        assert (first.status, first.out) == (0, "tests/once:1.0.0\n")
        assert first.err == "deployed tests/once:1.0.0 from once.yaml\n"
        assert (second.status, second.err) == (0, "unchanged tests/once:1.0.0 from once.yaml\n")

    def test_another_content_of_a_version_is_a_conflict(self, penstock: Shell) -> None:
        assert deploy(penstock, hello("taken")).status == 0
        assert deploy(penstock, faulty("taken")).status == 4

    @pytest.mark.mission("M125")
    def test_errors_have_their_place_and_do_not_stop_the_others(self, penstock: Shell) -> None:
        bad = penstock.write("bad.yaml", hello("bad").replace("set:", "sett:"))
        good = penstock.write("good.yaml", hello("good"))
        said = penstock("deploy", bad, good)
        assert said.status == 2
        assert said.out == "tests/good:1.0.0\n"
        place, error, *_ = said.err.splitlines()
        assert re.match(r"bad\.yaml:[34]:[57]: error: .*did you mean 'set'", place)
        assert error == "error: invalid document: bad.yaml"

    def test_a_dry_run_stores_nothing(self, penstock: Shell) -> None:
        name = penstock.write("dry.yaml", hello("dry"))
        assert penstock("deploy", name, "--dry-run").status == 0
        assert penstock("show", "tests/dry").status == 3
        bad = penstock.write("bad.yaml", hello("dry").replace("set:", "sett:"))
        said = penstock("deploy", bad, "--dry-run")
        assert said.status == 2
        assert said.err.startswith("bad.yaml:")

    def test_a_workflow_is_shown_as_it_was_written_and_removed_by_version(self, penstock: Shell) -> None:
        deploy(penstock, hello("shown"))
        assert penstock("show", "tests/shown").out == hello("shown")
        assert penstock("show", "tests/shown:1.0.0", "-o", "json").json["name"] == "shown"
        assert penstock("rm", "workflow", "tests/shown").status == 2
        assert penstock("rm", "workflow", "tests/shown:1.0.0", "--dry-run").status == 0
        assert penstock("show", "tests/shown").status == 0
        assert penstock("rm", "workflow", "tests/shown:1.0.0").status == 0
        assert penstock("show", "tests/shown").status == 3


class TestStart:
    def test_waiting_prints_the_output(self, penstock: Shell) -> None:
        deploy(penstock, hello())
        said = penstock("start", "tests/hello", "--input", '{"name": "Ada"}', "--wait", "10")
        assert said.status == 0, said.err
        assert said.json == {"said": "hello Ada"}

    def test_a_run_that_faults_is_1(self, penstock: Shell) -> None:
        deploy(penstock, faulty())
        said = penstock("start", "tests/faulty", "--wait", "10", "-o", "json")
        assert said.status == 1
        assert said.json["status"] == "faulted"
        assert "the run faulted: Boom: on purpose (at /do/1/stop)" in said.err

    def test_a_run_that_goes_on_is_6(self, penstock: Shell) -> None:
        deploy(penstock, sleeping())
        said = penstock("start", "tests/sleeping", "--wait", "0.2")
        assert said.status == 6
        assert said.out == ""
        assert "timed out: the run is still waiting" in said.err

    def test_what_is_not_there_is_3_and_what_is_no_name_is_2(self, penstock: Shell) -> None:
        assert penstock("start", "tests/absent").status == 3
        assert penstock("start", "no name").status == 2
        assert penstock("start", "tests/absent", "--label", "nothing").status == 2

    def test_the_same_key_is_the_same_run(self, penstock: Shell) -> None:
        deploy(penstock, sleeping())
        first = started(penstock, "sleeping", "--key", "once")
        assert started(penstock, "sleeping", "--key", "once") == first
        assert penstock("start", "tests/sleeping", "--key", "once", "-i", '{"other": 1}').status == 4

    def test_a_later_start_waits(self, penstock: Shell) -> None:
        deploy(penstock, hello("later"))
        run = started(penstock, "later", "--at", "2027-01-01T00:00:00Z")
        assert penstock("show", run, "-o", "json").json["status"] == "pending"
        assert penstock("cancel", run).status == 0

    def test_a_version_can_be_named(self, penstock: Shell) -> None:
        deploy(penstock, hello("versions", "1.0.0"))
        deploy(penstock, faulty("versions").replace("'1.0.0'", "'1.1.0'"))
        assert penstock("start", "tests/versions:1.0.0", "-i", '{"name": "x"}', "--wait", "10").status == 0
        assert penstock("start", "tests/versions", "--wait", "10").status == 1


class TestWatch:
    @pytest.mark.mission("M134")
    def test_define_run_watch_and_an_event_moves_it(self, penstock: Shell) -> None:
        deploy(penstock, listening("watched", "tests.watched"))
        watching = penstock.begin("start", "tests/watched", "--watch")
        assert watching.stderr is not None
        told = [watching.stderr.readline() for _ in range(4)]
        assert told[0].startswith("run ")
        assert told[3].split()[1:] == ["running", "await"]
        assert penstock("send", "tests.watched", "--data", '{"n": 1}').status == 0
        out, err = watching.communicate(timeout=DEADLINE_S)
        assert watching.returncode == 0, err
        assert json.loads(out) == [{"n": 1}]
        assert err.split()[1:3] == ["completed", "await"]

    @pytest.mark.mission("M134")
    def test_cancelling_ends_the_watch_with_1(self, penstock: Shell) -> None:
        deploy(penstock, sleeping("dozing"))
        watching = penstock.begin("start", "tests/dozing", "--watch")
        assert watching.stderr is not None
        run = watching.stderr.readline().split()[1]
        assert "doze" in watching.stderr.readline()
        assert penstock("cancel", run).status == 0
        _, err = watching.communicate(timeout=DEADLINE_S)
        assert watching.returncode == 1
        assert "the run was cancelled" in err

    def test_logs_follow_to_the_end(self, penstock: Shell) -> None:
        deploy(penstock, listening("followed", "tests.followed"))
        run = started(penstock, "followed")
        following = penstock.begin("logs", run, "--follow", "-o", "json")
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["type"] == "io.serverlessworkflow.workflow.started.v1"
        assert penstock("send", "tests.followed", "--data", "1").status == 0
        out, err = following.communicate(timeout=DEADLINE_S)
        assert following.returncode == 0, err
        assert json.loads(out.splitlines()[-1])["type"] == "io.serverlessworkflow.workflow.completed.v1"
        history = penstock("logs", run, "-o", "json").out.splitlines()
        assert [json.loads(line)["id"] for line in history][-len(out.splitlines()) :] == [
            json.loads(line)["id"] for line in out.splitlines()
        ]


class TestSteering:
    def test_suspend_resume_cancel(self, penstock: Shell) -> None:
        deploy(penstock, sleeping("steered"))
        run = started(penstock, "steered")
        assert penstock("suspend", run, "--dry-run").status == 0
        assert penstock("show", run, "-o", "json").json["status"] == "waiting"
        assert penstock("suspend", run).status == 0
        assert penstock("show", run, "-o", "json").json["status"] == "suspended"
        assert penstock("resume", run).status == 0
        assert penstock("cancel", run, "-o", "json").json == [{"id": run, "status": "cancelled"}]
        again = penstock("cancel", run)
        assert again.status == 4
        assert "is cancelled" in again.err

    def test_one_that_is_not_there_does_not_keep_the_others_from_it(self, penstock: Shell) -> None:
        deploy(penstock, sleeping("several"))
        run = started(penstock, "several")
        said = penstock("cancel", "00000000-0000-7000-8000-000000000000", run)
        assert said.status == 3
        assert f"cancelled {run}" in said.err

    def test_a_retry_is_a_new_run(self, penstock: Shell) -> None:
        deploy(penstock, faulty("retried"))
        old = penstock("start", "tests/retried", "--wait", "10", "-o", "json").json["id"]
        assert penstock("retry", old, "--dry-run").out == ""
        new = penstock("retry", old, "--from", "/do/0/first").out.strip()
        assert new != old
        assert penstock("show", new, "-o", "json").json["retry_of"] == old
        assert penstock("retry", old, "--from", "/do/9/absent").status == 2

    def test_only_ended_runs_are_deleted(self, penstock: Shell) -> None:
        deploy(penstock, sleeping("deleted"))
        run = started(penstock, "deleted")
        assert penstock("rm", run).status == 4
        assert penstock("cancel", run).status == 0
        assert penstock("rm", run, "--dry-run").status == 0
        assert penstock("rm", run).status == 0
        assert penstock("show", run).status == 3


class TestNames:
    def test_prefixes_and_last(self, penstock: Shell) -> None:
        deploy(penstock, hello("named"))
        first, last = started(penstock, "named"), started(penstock, "named")
        assert penstock("show", "@last", "-o", "json").json["id"] == last
        assert penstock("show", first[:30], "-o", "json").json["id"] == first
        several = penstock("show", first[:2])
        assert several.status == 4
        assert "the ids of several runs begin with" in several.err
        assert penstock("show", "00").status == 3
        assert penstock("show", "no-such-id").status == 3
        assert penstock("cancel", "no-such-id").status == 2

    def test_a_workflow_is_named_without_its_namespace(self, penstock: Shell) -> None:
        deploy(penstock, hello("bare"))
        run = penstock("start", "bare", "--wait", "10", "-o", "json").json["id"]
        assert penstock("show", run, "-o", "json").json["workflow"]["namespace"] == "tests"
        assert penstock("start", "bare:1.0.0").status == 0
        assert penstock("show", "bare").out == hello("bare")
        assert [r["id"] for r in penstock("ls", "--workflow", "bare", "-o", "json").json][-1] == run
        assert penstock("prune", "--workflow", "bare", "--keep", "0", "--dry-run", "-o", "json").json["runs"] == 2
        absent = penstock("start", "bare:9.0.0")
        assert (absent.status, "no workflow bare:9.0.0 in any namespace" in absent.err) == (3, True)
        assert penstock("rm", "bare:1.0.0").err == "deleted workflow tests/bare:1.0.0\n"
        assert penstock("start", "bare").status == 3

    def test_several_namespaces_are_told_unless_one_is_default(self, penstock: Shell) -> None:
        for namespace in ("one", "two"):
            deploy(penstock, hello("shared").replace("namespace: tests", f"namespace: {namespace}"))
        said = penstock("start", "shared")
        assert said.status == 4
        assert "several namespaces have a workflow shared: one, two" in said.err
        assert "one/shared" in said.err
        deploy(penstock, hello("shared").replace("namespace: tests", "namespace: default"))
        started_in_default = penstock("start", "shared", "-o", "json").json
        assert started_in_default["workflow"]["namespace"] == "default"

    def test_a_name_that_could_begin_an_id(self, penstock: Shell) -> None:
        deploy(penstock, hello("feed"))
        assert penstock("show", "feed").out == hello("feed")
        assert penstock("show", "dead").status == 3

    def test_lists_choose_and_bound(self, penstock: Shell) -> None:
        deploy(penstock, hello("listed"))
        runs = [started(penstock, "listed", "--label", f"n={number}") for number in range(3)]
        assert [run["id"] for run in penstock("ls", "--workflow", "tests/listed", "-o", "json").json] == runs[::-1]
        assert [run["id"] for run in penstock("ls", "--label", "n=1", "-o", "json").json] == [runs[1]]
        assert penstock("ls", "--workflow", "tests/listed", "--status", "cancelled", "-o", "json").json == []
        bounded = penstock("ls", "--workflow", "tests/listed", "--limit", "2")
        assert len(bounded.out.splitlines()) == 3
        assert "--limit shows more" in bounded.err
        assert penstock("ls", "tools", "--status", "running").status == 2

    def test_tables_are_plain_and_yaml_reads_back(self, penstock: Shell) -> None:
        deploy(penstock, hello("plain"))
        run = started(penstock, "plain")
        table = penstock("ls", "--workflow", "plain").out
        assert table.splitlines()[0].split() == ["ID", "WORKFLOW", "STATUS", "CREATED", "LASTED", "LABELS"]
        assert "\x1b" not in table
        assert f"id: '{run}'" in penstock("show", run, "-o", "yaml").out

    @pytest.mark.mission("M125")
    def test_a_faulted_run_shows_its_tasks_and_the_place_in_the_text(self, penstock: Shell) -> None:
        deploy(penstock, faulty("placed"))
        penstock("start", "tests/placed", "--wait", "10")
        shown = penstock("show", "@last").out
        assert "error     Boom: on purpose (500, at /do/1/stop, line 4, column 5 of its text)" in shown
        assert re.search(r"^  ✓ first", shown, re.MULTILINE)
        assert re.search(r"^  ✗ stop", shown, re.MULTILINE)
