"""`penstock check`: findings with their places, without a server (M125)."""

import pytest

from tests.cli.documents import head, hello
from tests.cli.process import Shell

TYPO = head("typo") + "do:\n  - greet:\n      sett: {said: hello}\n"


class TestFindings:
    @pytest.mark.mission("M125")
    def test_an_error_has_file_line_column_and_what_was_probably_meant(self, shell: Shell) -> None:
        said = shell("check", shell.write("typo.yaml", TYPO))
        assert said.status == 2
        assert said.out.startswith("typo.yaml:4:7: error: ") or said.out.startswith("typo.yaml:3:5: error: ")
        assert "did you mean 'set'" in said.out
        assert said.err == "1 file: 1 error, 0 warnings\n"

    @pytest.mark.mission("M125")
    def test_broken_yaml_has_its_place(self, shell: Shell) -> None:
        said = shell("check", shell.write("broken.yaml", head("broken") + "do: [\n  - x: }\n"))
        assert said.status == 2
        assert said.out.startswith("broken.yaml:3:")

    @pytest.mark.mission("M125")
    def test_an_expression_that_libjq_refuses_has_its_place(self, shell: Shell) -> None:
        text = head("jq") + "do:\n  - one:\n      set: {x: '${ nosuchfunction(.a) }'}\n"
        said = shell("check", shell.write("jq.yaml", text))
        assert said.status == 2
        assert said.out.startswith("jq.yaml:4:16: error: the expression ")
        assert "nosuchfunction" in said.out

    def test_a_sound_document_says_nothing(self, shell: Shell) -> None:
        said = shell("check", shell.write("hello.yaml", hello()))
        assert (said.status, said.out, said.err) == (0, "", "1 file: 0 errors, 0 warnings\n")

    def test_warnings_are_no_failure(self, shell: Shell) -> None:
        text = head("warned") + "do:\n  - one: {set: {x: 1}, then: end}\n  - never: {set: {x: 2}}\n"
        said = shell("check", shell.write("warned.yaml", text))
        assert said.status == 0
        assert said.out == "warned.yaml:4:5: warning: the task 'never' is never reached\n"

    def test_a_construct_that_does_not_run_is_an_error_at_its_place(self, shell: Shell) -> None:
        text = head("shell") + "do:\n  - one:\n      run: {shell: {command: ls}}\n"
        said = shell("check", shell.write("shell.yaml", text))
        assert said.status == 2
        assert said.out.startswith("shell.yaml:4:")
        assert "does not run yet" in said.out


class TestForms:
    def test_several_files_and_stdin(self, shell: Shell) -> None:
        said = shell("check", shell.write("hello.yaml", hello()), "-", stdin=TYPO)
        assert said.status == 2
        assert said.out.startswith("<stdin>:")
        assert said.err == "2 files: 1 error, 0 warnings\n"

    def test_findings_as_json(self, shell: Shell) -> None:
        said = shell("check", shell.write("typo.yaml", TYPO), "-o", "json")
        assert said.status == 2
        (one,) = said.json
        assert one["file"] == "typo.yaml"
        assert one["valid"] is False
        assert one["errors"][0]["line"] in {3, 4}
        assert one["errors"][0]["pointer"].startswith("/do/0/greet")

    def test_bounds_and_dsl_can_be_shown(self, shell: Shell) -> None:
        name = shell.write("hello.yaml", hello())
        assert '"steps": 1' in shell("check", name, "--show", "bounds").out
        assert "namespace: tests" in shell("check", name, "--show", "dsl").out

    def test_a_machinery_workflow_is_recognised(self, shell: Shell) -> None:
        name = shell.write("numbers.json", '{"name": "numbers", "services": ["validate", "format"]}')
        said = shell("check", name, "--show", "dsl", "-o", "json")
        assert said.status == 0
        assert said.json[0]["notation"] == "machinery-workflow"
        assert [next(iter(task)) for task in said.json[0]["dsl"]["do"]] == ["validate", "format"]

    def test_a_wrong_machinery_workflow_has_its_place(self, shell: Shell) -> None:
        name = shell.write("numbers.json", '{\n  "name": 7,\n  "services": ["validate"]\n}\n')
        said = shell("check", name)
        assert said.status == 2
        assert said.out == "numbers.json:2:3: error: name: Not a valid string.\n"

    def test_a_file_that_is_not_there(self, shell: Shell) -> None:
        said = shell("check", "absent.yaml")
        assert said.status == 2
        assert "cannot read absent.yaml: No such file or directory" in said.err
