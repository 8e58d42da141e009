"""
The guide's page of all commands, generated from their help.

`python -m app.cli.reference >app/docs/cli.md` writes it; a test compares the two.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from app.cli import main
from app.cli.command import subcommands

PROGRAM = "poolgate"
COMMON = ("--pool", "--redis-url", "--json", "--help")  # options of nearly all commands
INTRODUCTION = """# Commands

Each command prints the following with `--help`. What scripts read is printed to standard output, everything
else to standard error. The exit status is 1 if something was refused or is wrong, 2 if the command was called
wrongly, 3 if Redis is away, and 130 after Ctrl-C.

Most commands have these options, which are left out below:

| Option | |
|---|---|
| `--pool NAME` | The pool to use; `default` by default. |
| `--json` | Print output and errors as JSON. |
| `--redis-url URL` | The Redis; by default `REDIS_URL`, else the private server under `POOLGATE_HOME`. |

## Shell completion

The Tab key completes commands, options, their values, and names of pools, accounts, keys, teams and webhooks:

| Shell | Once |
|---|---|
| bash | `echo 'eval "$(poolgate completion bash)"' >> ~/.bashrc` |
| zsh | `echo 'eval "$(poolgate completion zsh)"' >> ~/.zshrc`, after `autoload -Uz compinit && compinit` |
| fish | `poolgate completion fish > ~/.config/fish/completions/poolgate.fish` |

Only names are read from Redis, within a second and without starting the private server; all else is completed
without it."""


def reference() -> str:
    """Return the Markdown of the page."""
    context = click.Context(main, info_name=PROGRAM)
    parts = [INTRODUCTION]
    for name, command in _children(main):
        parts.append(f"## {name}")
        parts += _described(command, click.Context(command, context, info_name=name))
    return "\n\n".join(parts) + "\n"


def _described(command: click.Command, context: click.Context) -> Iterator[str]:
    path = context.command_path
    if isinstance(command, click.Group):
        yield from _paragraphs(command.help)
        for name, child in _children(command):
            yield f"### {path.removeprefix(PROGRAM).strip()} {name}"
            yield from _described(child, click.Context(child, context, info_name=name))
        return
    yield f"```\n{' '.join([path, *command.collect_usage_pieces(context)])}\n```"
    yield from _paragraphs(command.help)
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    rows = [_row(each, context) for each in options if each.opts[0] not in COMMON]
    if rows:
        yield "\n".join(["| Option | |", "|---|---|", *rows])
    yield from _examples(command.epilog)


def _children(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    return ((name, child) for name, child in subcommands(group) if not child.hidden)


def _paragraphs(text: str | None) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text or "")):
        if paragraph.startswith("\b\n"):
            yield f"```\n{paragraph[2:]}\n```"
        elif paragraph:
            yield _escaped(paragraph)


def _examples(text: str | None) -> Iterator[str]:
    lines = [line for line in (text or "").replace("\b", "").splitlines() if line.strip()]
    if lines and lines[0].startswith("Example"):
        yield lines.pop(0)
    if lines:
        yield f"```sh\n{inspect.cleandoc(chr(10).join(lines))}\n```"


def _row(option: click.Option, context: click.Context) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    value = "" if option.is_flag or option.count else f" {option.make_metavar(context)}"
    text = _escaped(option.help or "") + (" Required." if option.required else "")
    cells = (f"`{names}{value}`".replace("|", "\\|"), text.replace("|", "\\|"))
    return f"| {cells[0]} | {cells[1]} |"


def _escaped(text: str) -> str:
    """Return *text* with its Markdown escaped."""
    return re.sub(r"([\\*<])", r"\\\1", text)


if __name__ == "__main__":
    click.echo(reference(), nl=False)
