"""`poolgate doctor`: problems and their remedies, and the rules of the gateway."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from app.cli.command import Command, example
from app.cli.gateways import FoundGateway, check_gateways, find_gateways
from app.cli.listing import has_colours, terminal_width
from app.cli.options import connect, json_option, pool_name, redis_url_option, settings_for
from app.cli.output import (
    REFUSED,
    STORE_UNAVAILABLE,
    pairs,
    printable,
    show_json,
    show_list,
    store_failure,
    table,
)
from app.config import Settings
from app.errors import StoreUnavailable
from app.operations.diagnostic import Diagnostic, Level
from app.operations.doctor import check_machine
from app.stores.failures import START, diagnose
from app.stores.private_server import PrivateServerError
from app.wiring import Services

RULES = ("retries", "fields", "states")


@click.command("doctor", cls=Command, epilog=example("poolgate doctor", "poolgate doctor retries"))
@click.argument("rules", type=click.Choice(RULES), required=False, metavar="[RULES]")
@click.option("--pool", type=pool_name, metavar="POOL", help="Check only this pool.")
@redis_url_option
@json_option
def doctor(rules: str | None, pool: str | None, redis_url: str | None, as_json: bool) -> None:
    """
    Report problems and how to fix them. Status 1 if something is wrong, 3 if the store cannot be used.

    It is wrong as well that no gateway runs, unless other machines may use the store: see REDIS_URL.

    With RULES, print the gateway's rules instead: `retries`, how a failure is retried; `states`, how a
    failure affects its account; `fields`, how request fields are translated. A table that is wider than the
    terminal is printed as one block for each row.
    """
    if rules:
        _show_rules(rules, as_json)
        return
    settings = settings_for(redis_url, os.environ)
    findings, services = find_problems(settings, pool, find_gateways(settings))
    if as_json:
        show_list([finding.public() for finding in findings])
    elif findings and terminal_width() is not None:
        click.echo("\n".join(map(_block, findings)))
    elif findings:
        rows = [(finding.level, finding.where, finding.what, finding.remedy) for finding in findings]
        click.echo(table(("LEVEL", "WHERE", "WHAT", "REMEDY"), rows))
    else:
        click.echo("No problems found.")
    if services is None:
        raise click.exceptions.Exit(STORE_UNAVAILABLE)
    if any(finding.level == Level.WRONG for finding in findings):
        raise click.exceptions.Exit(REFUSED)


def _block(finding: Diagnostic) -> str:
    """Return *finding* as lines, unwrapped, since its remedy has a command to copy."""
    level, where, what = map(printable, (finding.level, finding.where, finding.what))
    if has_colours():
        level = click.style(level, fg="red" if finding.level is Level.WRONG else "yellow")
        where = click.style(where, bold=True)
    lines = [f"{level}  {where}", f"  {what}"]
    return "\n".join([*lines, *([f"  Remedy: {printable(finding.remedy)}"] if finding.remedy else [])])


def find_problems(
    settings: Settings, pool: str | None, gateways: Sequence[FoundGateway]
) -> tuple[list[Diagnostic], Services | None]:
    """Return the problems and the services; without a store, those of this machine and None."""
    serving = check_gateways(settings, gateways)
    try:
        services = connect(settings)
        return [*serving, *services.doctor.check(pool)], services
    except PrivateServerError as error:
        what, remedy = str(error), START
    except StoreUnavailable as error:
        what, remedy = store_failure(error), diagnose(error).remedy
    return [*serving, *check_machine(settings), Diagnostic(Level.WRONG, "redis", what, remedy)], None


def _show_rules(name: str, as_json: bool) -> None:
    from app.cli import policy_tables  # imported here, because only these rules need the relay

    result = policy_tables.RULES[name]()
    if as_json:
        names = [head.lower().replace(" ", "_") for head in result.heads]
        rows = [dict(zip(names, row, strict=True)) for row in result.rows]
        show_json({"rules": name, "data": rows, "numbers": result.numbers})
        return
    text, width = table(result.heads, result.rows), terminal_width()
    if width is not None and max(map(len, text.splitlines())) > width:
        labels = [head.lower() for head in result.heads]
        text = "\n\n".join(pairs(zip(labels, row, strict=True)) for row in result.rows) + "\n"
    click.echo(text)
    for what, number in result.numbers.items():
        click.echo(f"{number:>6g}  {what}")
