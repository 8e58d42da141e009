"""Each command is imported only when it is called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from app.cli import main
from app.cli.command import LazyCommand

ROOT = Path(__file__).parents[3]
LOADED = """
import sys
from app.cli import main
main(sys.argv[1:], standalone_mode=False)
print("\\n".join(sys.modules), file=sys.stderr)
"""


def lazy_commands(group: click.Group, path: str = "") -> list[tuple[str, LazyCommand]]:
    found = []
    for name, command in group.commands.items():
        if isinstance(command, LazyCommand):
            found.append((f"{path}{name}", command))
            loaded = command.load()
        else:
            loaded = command
        if isinstance(loaded, click.Group):
            found += lazy_commands(loaded, f"{path}{name} ")
    return found


def modules_after(*arguments: str) -> set[str]:
    """Return the modules that a process has loaded which ran the command line *arguments*."""
    run = [sys.executable, "-c", LOADED, *arguments]
    return set(subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stderr.split())


class TestLazyCommand:
    @pytest.mark.parametrize(("path", "command"), lazy_commands(main))
    def test_lists_show_the_summary_and_the_name_of_the_command(self, path: str, command: LazyCommand):
        loaded = command.load()

        assert command.name == loaded.name or path == "open", path
        assert command.get_short_help_str(1000) == loaded.get_short_help_str(1000)
        assert not loaded.hidden

    @pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
    def test_a_list_of_commands_imports_none(self, arguments: list[str]):
        modules = modules_after(*arguments)

        assert {name for name in modules if name.startswith("app.cli.")} == {"app.cli.command"}
        assert not modules & {"app.wiring", "redis", "requests", "structlog", "cryptography"}

    def test_a_command_imports_no_other(self):
        """Besides `app.cli.complete`, which completes names for all of them."""
        of_commands = {command.target.partition(":")[0] for _, command in lazy_commands(main)}

        modules = modules_after("team", "--help")

        assert modules & of_commands == {"app.cli.team", "app.cli.complete"}
