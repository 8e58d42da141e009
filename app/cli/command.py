"""Commands and groups that report failures in one line, and import a command only when it is called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, TypeVar

import click

from app.suggestions import similar_names

INTERRUPTED = 130  # exit code, as that of a program that SIGINT ends
CHANGES = "poolgate.changes"  # in click's meta: whether the command has begun what may change the store
AS_JSON = "poolgate.as_json"  # in click's meta, because failures may occur before options are parsed

MAX_PATHS = 3  # that an error about an unknown command names
SYNONYMS = (
    {"add", "create", "new"},
    {"remove", "delete", "rm", "revoke"},
    {"list", "ls"},
    {"set", "update", "edit", "change"},
    {"show", "get", "info", "describe"},
    {"pause", "disable", "stop"},
    {"resume", "enable", "start"},
)

T = TypeVar("T")


class Interrupted(Exception):
    """Ctrl-C, with its effect; *ends_line* is whether the line on the terminal has to be ended first."""

    def __init__(self, effect: str, *, ends_line: bool = True) -> None:
        super().__init__(f"Interrupted. {effect}".rstrip())
        self.ends_line = ends_line


class _ReportingCommand(click.Command):
    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        def make() -> click.Context:
            try:
                return super(_ReportingCommand, self).make_context(info_name, args, parent, **extra)
            except click.BadOptionUsage as error:  # click's parser does not name the command
                error.ctx = error.ctx or click.Context(self, parent, info_name)
                raise

        as_json = "--json" in args
        context = _reporting(as_json, make)
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
            raise _with_suggestion(error, ctx) from None
        return name, command.load() if isinstance(command, LazyCommand) else command, rest


def subcommands(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """Yield the name and the command of each child of *group*, by name, and import those that are lazy."""
    for name, command in sorted(group.commands.items()):
        yield name, command.load() if isinstance(command, LazyCommand) else command


def _with_suggestion(error: click.NoSuchCommand, ctx: click.Context) -> click.UsageError:
    """
    Return *error* with the command that was probably meant.

    That is one of that very name in another group, one of the same meaning in this group, or similar ones.
    """
    name, top = error.command_name, ctx.find_root().command
    paths: dict[str, list[str]] = {}
    for path in _paths(top) if isinstance(top, click.Group) else ():
        paths.setdefault(path.rpartition(" ")[2], []).append(path)
    siblings = set(ctx.command.commands) if isinstance(ctx.command, click.Group) else set()
    synonyms = sorted(siblings & next((words for words in SYNONYMS if name in words), set()))
    found = synonyms or ([name] if name in paths else similar_names(name, paths))
    if found and found[0] in siblings:
        found = [each for each in found if each in siblings]
    meant = [
        path for each in found for path in ([each] if each in siblings else sorted(paths[each], key=len))
    ]
    if not meant:
        return click.UsageError(error.message, ctx)
    shown = " or ".join(f"'{path}'" for path in meant[:MAX_PATHS])
    return click.UsageError(f"{error.message.rstrip('.')}. Did you mean {shown}?", ctx)


def _paths(group: click.Group, before: str = "") -> Iterator[str]:
    """Yield the path of each command in *group* and the groups in it: `key rotate`."""
    for child, command in subcommands(group):
        yield f"{before}{child}"
        if isinstance(command, click.Group):
            yield from _paths(command, f"{before}{child} ")


def example(*lines: str) -> str:
    """Return the example section of a help text, with *lines* as command lines."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def _reporting(as_json: bool, call: Callable[[], T]) -> T:
    """Return the result of *call*; an expected failure ends the program with one line on stderr."""
    try:
        return call()
    except click.exceptions.Exit:
        raise
    except (Exception, KeyboardInterrupt):
        from app.cli.output import report_failures  # here: it imports the store, which few need

        with report_failures(as_json=as_json):
            raise
