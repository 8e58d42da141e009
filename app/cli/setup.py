"""`poolgate apply` and `poolgate dump`: a pool as a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from app import administration
from app.cli.command import Command, example
from app.cli.options import in_pool, operations, with_store
from app.cli.output import printable, show_json
from app.cli.yaml_files import file_label, read_yaml_document
from app.errors import InvalidRequest
from app.operations.setup.changes import (
    MadeChange,
    PlannedChange,
    make_changes,
    summary,
)
from app.operations.setup.descriptions import describe, title
from app.operations.setup.dump import dump_setup, left_out_of_routes
from app.operations.setup.errors import MAX_LISTED, DocumentInvalid
from app.operations.setup.mistakes import find_mistakes
from app.operations.setup.plan import SetupPlan, plan_document
from app.operations.setup.yaml_text import YamlDocument, write_yaml
from app.wiring import Services


@dataclass(frozen=True, slots=True)
class Source:
    """
    A *document*, not validated, and the *name* of its file.

    *secrets* are variables in addition to the environment; *extra* are fields of the JSON output. *coming*
    are names of accounts that will exist when the changes are made. *lines* has the lines of the
    file, if they are known.
    """

    name: str
    document: Any
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict)
    coming: Collection[str] = ()
    lines: YamlDocument | None = None

    def line(self, param: str | None) -> int:
        """Return the line of *param* in the file; 0 if it is unknown."""
        return self.lines.line_of(param or "") if self.lines is not None else 0

    def place(self, param: str | None) -> str:
        """Return the file, and the line of *param* if it is known: `setup.yaml:3`."""
        line = self.line(param)
        return f"{self.name}:{line}" if line else self.name


@click.command(
    "apply",
    cls=Command,
    epilog=example(
        "poolgate apply setup.yaml --dry-run",
        "OPENAI_API_KEY=sk-… poolgate apply setup.yaml --pool team-b",
    ),
)
@click.argument("file", type=click.Path(exists=True, allow_dash=True, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@in_pool
@with_store
def apply(services: Services, as_json: bool, pool: str, file: str, dry_run: bool) -> None:
    """
    Change a pool to match FILE, a YAML or JSON document; - reads standard input.

    FILE has any of the sections settings, limits, prices, accounts, models (routes), teams, keys and
    webhooks; `poolgate dump` shows their form. What FILE leaves out stays as it is, and nothing is removed.

    Secrets are in environment variables, which FILE names (api_key_env). A new API key is shown once.
    """
    read = read_yaml_document(file)
    source = Source(file_label(file), read.content, lines=read)
    apply_document(services, as_json, pool, source, dry_run=dry_run)


@click.command(
    "dump", cls=Command, epilog=example("poolgate dump > setup.yaml", "poolgate dump --pool team-b")
)
@in_pool
@with_store
def dump(services: Services, as_json: bool, pool: str) -> None:
    """
    Print a pool as a YAML document for `poolgate apply`. It has no secrets.

    It names environment variables in place of secrets, and API keys get new secrets when it is applied;
    `poolgate backup` copies them. Sign-ins are in `poolgate account export --all`.
    """
    services.pools.check(pool)
    stores = administration.setup_stores(services)
    document = dump_setup(pool, stores)
    if as_json:
        show_json(document)
    else:
        click.echo(write_yaml(document), nl=False)
    for sentence in left_out_of_routes(pool, stores):
        click.echo(f"Warning: {sentence}.", err=True)


def apply_document(
    services: Services,
    as_json: bool,
    pool: str,
    source: Source,
    *,
    dry_run: bool,
    prepare: Callable[[], None] | None = None,
) -> None:
    """
    Apply the document of *source* to *pool*, and print each change; a *dry_run* only prints.

    *prepare* adds the accounts that are coming; it runs after all checks.
    """
    try:
        plan = _plan(services, pool, source)
    except DocumentInvalid as error:
        raise _report_errors(source, error.errors, as_json) from None
    if plan.missing and not dry_run:
        raise _report_errors(source, plan.missing_errors(), as_json)
    if prepare is not None:
        prepare()
    changes = plan.changes
    reports: list[dict[str, Any]] = []
    try:
        for made in make_changes(changes, dry_run=dry_run):
            if as_json:
                reports.append(made.public())
            else:
                _show(made)
    finally:
        if as_json:  # also after a failure: secrets of earlier changes are returned only once
            show_json({"object": "list", "data": reports, **source.extra})
    if not as_json:
        click.echo(summary(changes, dry_run=dry_run))
    _warn(services, pool, changes, source.coming)
    if plan.missing:
        raise _report_errors(source, plan.missing_errors(), as_json)


def _warn(services: Services, pool: str, changes: Sequence[PlannedChange], coming: Collection[str]) -> None:
    """Print warnings about what is or would be added or changed, as the commands for one object do."""
    stores, now = administration.setup_stores(services), services.clock.now()
    for change, sentence in find_mistakes(stores, pool, changes, now, coming=coming):
        click.echo(f"Warning: {title(change)}: {sentence}.", err=True)


def _plan(services: Services, pool: str, source: Source) -> SetupPlan:
    return plan_document(
        source.document,
        pool,
        operations(services),
        administration.setup_stores(services),
        {**os.environ, **source.secrets},
        coming=source.coming,
    )


def _report_errors(source: Source, errors: Sequence[InvalidRequest], as_json: bool) -> InvalidRequest:
    """Print each of *errors* on one line, in the order of the file, and return the error of the command."""
    listed = sorted(errors[:MAX_LISTED], key=lambda error: source.line(error.param))
    placed = [
        InvalidRequest(f"{source.place(error.param)}: {error.message}", param=error.param) for error in listed
    ]
    if as_json or len(errors) == 1:
        return DocumentInvalid(placed)
    for error in placed:
        click.echo(printable(error.message), err=True)
    more = f", of which the first {MAX_LISTED} are listed" if len(errors) > MAX_LISTED else ""
    return InvalidRequest(f"{source.name} has {len(errors)} errors{more}; nothing was changed")


def _show(made: MadeChange) -> None:
    change = made.change
    for note in change.notes:
        click.echo(f"Note: {title(change)}: {note}", err=True)
    if not change.is_change:
        return
    click.echo(printable(f"{change.action} {title(change)}"))
    for line in describe(change, "->"):
        click.echo(f"  {printable(line)}")
    if made.secret:
        click.echo(f"  The {change.secret_name}, shown only once:", err=True)
        click.echo(f"  {made.secret}")
