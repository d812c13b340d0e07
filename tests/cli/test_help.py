"""The surface: help texts against their golden file, the documentation, and the time that help takes.

After a wanted change: `PENSTOCK_REGENERATE=1 python -m pytest tests/cli/test_help.py`.
"""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import click

from penstock.cli.main import COMMANDS, root
from tests.cli.process import COMMAND, Shell, environment

GOLDEN = Path(__file__).parent / "golden" / "help.txt"
DOCS = Path(__file__).parents[2] / "docs" / "cli.md"
HELP_S = 0.3
WIDTH = 100


def every_command() -> Iterator[tuple[str, click.Context]]:
    """Every command by its whole name, groups before their members."""

    def walk(context: click.Context) -> Iterator[tuple[str, click.Context]]:
        yield context.command_path, context
        if isinstance(context.command, click.Group):
            for name in context.command.list_commands(context):
                command = context.command.get_command(context, name)
                assert command is not None
                yield from walk(click.Context(command, context, name, terminal_width=WIDTH))

    return walk(click.Context(root, info_name="penstock", terminal_width=WIDTH, **root.context_settings))


def section_of(text: str, title: str) -> str:
    """The part of a Markdown text under a heading `### title` or `## title`, up to the next heading."""
    found = re.search(rf"^#+ `{re.escape(title)}`\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    return found.group(1) if found else ""


class TestHelp:
    def test_every_help_text_is_as_in_the_golden_file(self) -> None:
        text = "\n".join(f"$ {name} --help\n{context.get_help()}\n" for name, context in every_command())
        text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
        if os.environ.get("PENSTOCK_REGENERATE"):
            GOLDEN.write_text(text, "utf8")
        assert GOLDEN.read_text("utf8") == text, "PENSTOCK_REGENERATE=1 writes the golden file anew"

    def test_help_takes_less_than_a_third_of_a_second(self) -> None:
        def once() -> float:
            begin = time.perf_counter()
            subprocess.run((*COMMAND, "--help"), env=environment(), check=True, capture_output=True)
            return time.perf_counter() - begin

        assert min(once() for _ in range(5)) < HELP_S

    def test_help_imports_none_of_the_heavy_modules(self) -> None:
        program = (
            "import sys\n"
            "from penstock.cli.main import run_command\n"
            "assert run_command(['--help']) == 0\n"
            "heavy = {'aiohttp', 'rich', 'jq', 'asyncio', 'penstock.runtime', 'penstock.model.load'}\n"
            "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
        )
        done = subprocess.run(
            (COMMAND[0], "-c", program), env=environment(), check=True, capture_output=True, text=True
        )
        assert done.stderr.strip() == "[]"

    def test_the_line_in_the_list_is_the_first_line_of_no_other_command(self) -> None:
        summaries = [entry.summary for entry in COMMANDS.values()]
        assert len(set(summaries)) == len(summaries)
        assert all(len(summary) <= 60 for summary in summaries)


class TestDocumentation:
    def test_every_command_and_option_stands_in_the_docs(self) -> None:
        text = DOCS.read_text("utf8")
        missing: list[str] = []
        for name, context in every_command():
            section = section_of(text, name)
            if not section:
                missing.append(name)
            for parameter in context.command.params:
                if isinstance(parameter, click.Option):
                    missing += [f"{name} {opt}" for opt in parameter.opts if f"`{opt}" not in section]
        assert missing == []

    def test_the_docs_name_no_command_that_is_not_there(self) -> None:
        known = {name for name, _ in every_command()}
        headings = set(re.findall(r"^#+ `(penstock[^`]*)`$", DOCS.read_text("utf8"), re.MULTILINE))
        assert headings <= known


class TestUsage:
    def test_an_unknown_command_is_answered_with_a_close_one(self, shell: Shell) -> None:
        said = shell("statr")
        assert said.status == 2
        assert "there is no command 'statr'; did you mean 'start'" in said.err
        assert said.out == ""

    def test_an_unknown_option_is_answered_with_a_close_one(self, shell: Shell) -> None:
        said = shell("ls", "--limti", "3")
        assert said.status == 2
        assert "--limit" in said.err

    def test_without_a_server_it_says_so_and_what_to_do(self, shell: Shell) -> None:
        said = shell("ls")
        assert said.status == 5
        assert "cannot reach http://127.0.0.1:9: Connection refused" in said.err
        assert "penstock up" in said.err

    def test_an_address_that_is_none_is_wrong_usage(self, shell: Shell) -> None:
        assert shell("ls", "--url", "ftp://example.com").status == 2
        assert shell("ls", "--url", "http://127.0.0.1:nine").status == 2
