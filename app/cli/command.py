"""Commands and groups that report failures in one line, and import a command only when it is called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, TypeVar

import click

AS_JSON = "poolgate.as_json"  # in click's meta, because failures may occur before options are parsed

MAX_PATHS = 3  # that an error about an unknown command names

T = TypeVar("T")


class _ReportingCommand(click.Command):
    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        as_json = "--json" in args
        context = _reporting(
            as_json, lambda: super(_ReportingCommand, self).make_context(info_name, args, parent, **extra)
        )
        context.meta[AS_JSON] = as_json
        return context

    def invoke(self, ctx: click.Context) -> Any:
        return _reporting(ctx.meta[AS_JSON], lambda: super(_ReportingCommand, self).invoke(ctx))


class Command(_ReportingCommand):
    """A command that prints expected failures as one line on stderr, or with --json as the error envelope."""

    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not all(arg.isprintable() for arg in args):
            raise click.UsageError("an argument contains unprintable characters", ctx)
        rest = super().parse_args(ctx, args)
        # not printed as click does: one may be a pasted key
        if rest and not ctx.resilient_parsing:
            unexpected = "1 unexpected argument" if len(rest) == 1 else f"{len(rest)} unexpected arguments"
            raise click.UsageError(f"{unexpected}; secrets are never passed as arguments", ctx)
        return rest


class LazyCommand(click.Command):
    """
    A command or group that is imported from its *target*, `module:attribute`, when it is called.

    Lists of commands, and completion, show its name and *summary* without the import.
    """

    def __init__(self, name: str, target: str, summary: str) -> None:
        super().__init__(name, help=summary)
        self.target = target

    def load(self) -> click.Command:
        """Import the command."""
        module, _, attribute = self.target.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


class Group(_ReportingCommand, click.Group):
    """A group of such commands."""

    command_class = Command
    group_class = type  # subgroups have the same class

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            name, command, rest = super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise _naming_groups(error, ctx) from None
        return name, command.load() if isinstance(command, LazyCommand) else command, rest


def subcommands(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """Yield the name and the command of each child of *group*, by name, and import those that are lazy."""
    for name, command in sorted(group.commands.items()):
        yield name, command.load() if isinstance(command, LazyCommand) else command


def _naming_groups(error: click.NoSuchCommand, ctx: click.Context) -> click.UsageError:
    """Return *error*; where groups have a command of that very name, with its paths as the suggestion."""
    top = ctx.find_root().command
    paths = list(_paths(top, error.command_name)) if isinstance(top, click.Group) else []
    if not paths:
        return error
    shown = " or ".join(f"'{path}'" for path in sorted(paths, key=len)[:MAX_PATHS])
    return click.UsageError(f"{error.message.rstrip('.')}. Did you mean {shown}?", ctx)


def _paths(group: click.Group, name: str, before: str = "") -> Iterator[str]:
    """Yield the path of each command called *name* in *group* and the groups in it: `key rotate`."""
    for child, command in subcommands(group):
        path = f"{before}{child}"
        if child == name:
            yield path
        if isinstance(command, click.Group):
            yield from _paths(command, name, f"{path} ")


def example(*lines: str) -> str:
    """Return the example section of a help text, with *lines* as command lines."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def _reporting(as_json: bool, call: Callable[[], T]) -> T:
    """Return the result of *call*; an expected failure ends the program with one line on stderr."""
    try:
        return call()
    except (click.exceptions.Exit, click.Abort):
        raise
    except Exception:
        from app.cli.output import report_failures  # here: it imports the store, which few need

        with report_failures(as_json=as_json):
            raise
