"""The page of the guide with all commands is what their help is."""

from __future__ import annotations

import re

import click

from app.cli import main
from app.cli.command import subcommands
from app.cli.reference import reference
from tests.support.guide import page


def test_the_page_is_up_to_date() -> None:
    """Otherwise: `python -m app.cli.reference >app/docs/cli.md`."""
    assert page("cli") == reference()


def test_every_command_is_in_it() -> None:
    described = set(re.findall(r"^poolgate ([a-z -]+?)(?= [A-Z\[]|$)", page("cli"), re.MULTILINE))

    assert set(commands(main)) <= described


def commands(group: click.Group, path: str = "") -> list[str]:
    found = []
    for name, command in subcommands(group):
        if command.hidden:
            continue
        if isinstance(command, click.Group):
            found += commands(command, f"{path}{name} ")
        else:
            found.append(path + name)
    return found
