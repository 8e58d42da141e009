"""Prompts on a terminal: confirmations and secrets. Commands prompt before they change anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from app.cli.command import Interrupted

UNCHANGED = "Nothing was changed."

yes_option = click.option(
    "--yes", is_flag=True, help="Skip the confirmation prompt. There is none without a terminal."
)


def confirm(question: str, yes: bool) -> None:
    """Do as `confirm_always` on a terminal, unless *yes*. Does nothing in scripts."""
    if not yes and is_terminal():
        confirm_always(question)


def confirm_always(question: str) -> None:
    """
    Show *question*, and end the command unless the reply on standard input is yes.

    Raises Interrupted, or click's Exit for another reply.
    """
    with _prompting(ends_line=True):
        if click.confirm(question, err=True):
            return
    _end_unconfirmed()


def type_secret(what: str, repeat: str = "") -> str:
    """
    Return the secret that is typed on the terminal at the prompt *what*, which does not show it.

    With *repeat*, the prompt for it again, both have to be the same. Raises Interrupted.
    """
    with _prompting(ends_line=False):
        typed: str = click.prompt(what, hide_input=True, confirmation_prompt=repeat or False, err=True)
    return typed


def is_terminal() -> bool:
    """Return whether standard input is a terminal."""
    return sys.stdin.isatty()


@contextmanager
def _prompting(*, ends_line: bool) -> Iterator[None]:
    """Raise Interrupted at Ctrl-C, and at the end of input on a terminal, which is Ctrl-D."""
    try:
        yield
    except (click.Abort, KeyboardInterrupt):
        if not is_terminal():
            _end_unconfirmed()
        raise Interrupted(UNCHANGED, ends_line=ends_line) from None


def _end_unconfirmed() -> NoReturn:
    click.echo(UNCHANGED, err=True)
    raise click.exceptions.Exit(1)
