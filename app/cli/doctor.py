"""`poolgate doctor`: problems and their remedies, and the rules of the gateway."""

from __future__ import annotations

import os

import click

from app.cli.options import (
    Command,
    connect,
    example,
    json_option,
    pool_name,
    redis_url_option,
    settings_for,
)
from app.cli.output import REFUSED, STORE_UNAVAILABLE, show_json, show_list, store_failure, table
from app.cli.policy_tables import RULES
from app.errors import StoreUnavailable
from app.operations.doctor import STORE_FIX, WRONG, Finding, check_machine, checkup
from app.stores.private_server import PrivateServerError


@click.command("doctor", cls=Command, epilog=example("poolgate doctor", "poolgate doctor retries"))
@click.argument("rules", type=click.Choice(list(RULES)), required=False, metavar="[RULES]")
@click.option("--pool", type=pool_name, metavar="POOL", help="Check only this pool.")
@redis_url_option
@json_option
def doctor(rules: str | None, pool: str | None, redis_url: str | None, as_json: bool) -> None:
    """
    Report problems and how to fix them. Status 1 if there are any, 3 if the store cannot be used.

    With RULES, print rules of the gateway instead: `retries`, how a failure is retried; `states`,
    how it affects its account; `fields`, how request fields are translated.
    """
    if rules:
        _show_rules(rules, as_json)
        return
    found, away = _found(redis_url, pool)
    if as_json:
        show_list([one.public() for one in found])
    elif found:
        rows = [(one.level, one.where, one.what, one.mend) for one in found]
        click.echo(table(("", "WHERE", "WHAT", "REMEDY"), rows))
    else:
        click.echo("No problems found.")
    if away:
        raise click.exceptions.Exit(STORE_UNAVAILABLE)
    if any(one.level == WRONG for one in found):
        raise click.exceptions.Exit(REFUSED)


def _found(redis_url: str | None, pool: str | None) -> tuple[list[Finding], bool]:
    """Return what is wrong, and whether the store could not be used (then of this machine alone)."""
    try:
        return checkup(connect(redis_url, os.environ), pool), False
    except PrivateServerError as error:
        what = str(error)
    except StoreUnavailable as error:
        what = store_failure(error)
    settings = settings_for(redis_url, os.environ)
    return [*check_machine(settings), Finding(WRONG, "redis", what, STORE_FIX)], True


def _show_rules(name: str, as_json: bool) -> None:
    told = RULES[name]()
    if as_json:
        names = [head.lower().replace(" ", "_") for head in told.heads]
        rows = [dict(zip(names, row, strict=True)) for row in told.rows]
        show_json({"rules": name, "data": rows, "numbers": told.numbers})
        return
    click.echo(table(told.heads, told.rows))
    for what, number in told.numbers.items():
        click.echo(f"{number:>6g}  {what}")
