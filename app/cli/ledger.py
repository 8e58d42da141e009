"""`poolgate ledger`: verify and export the ledger."""

from __future__ import annotations

from typing import TypedDict

import click
import orjson

from app.cli.command import Group, example
from app.cli.options import in_pool, with_store
from app.cli.output import REFUSED, show_json, table
from app.cli.progress import progress
from app.cli.replay import exported
from app.formatting import counted, moment
from app.ledger.verify import Difference, Verification
from app.stores.records.ledger import EVER, Total
from app.stores.rollups import HOUR
from app.wiring import Services

HEADS = ("TOTAL", "FIGURE", "STORED", "RECOMPUTED")


@click.group("ledger", cls=Group)
def ledger_group() -> None:
    """Verify and export the ledger, which has an entry for every completed request."""


@ledger_group.command("verify", epilog=example("poolgate ledger verify", "poolgate ledger verify --json"))
@in_pool
@with_store
def verify(services: Services, as_json: bool, pool: str) -> None:
    """Recompute every stored total from the entries. Status 1 if a total differs."""
    services.pools.check(pool)
    verification = Verification(services.ledger.entries, pool)
    with progress("Verifying", _rows(services, pool)) as advance:
        differences = verification.differences(advance)
    if as_json:
        counts = {"rows": verification.rows, "totals": verification.totals, "skipped": verification.skipped}
        show_json(
            {
                "balanced": not differences,
                **counts,
                "differences": [_public(difference) for difference in differences],
            }
        )
    else:
        if differences:
            click.echo(table(HEADS, [tuple(_public(difference).values()) for difference in differences]))
        skipped = (
            f"; {counted(verification.skipped, 'total')} older than the oldest entry skipped"
            if verification.skipped
            else ""
        )
        outcome = counted(len(differences), "difference") if differences else "The ledger balances"
        click.echo(
            f"{outcome}: {counted(verification.rows, 'entry', 'entries')}, "
            f"{counted(verification.totals, 'total')}{skipped}.",
            err=bool(differences),
        )
    if differences:
        raise click.exceptions.Exit(REFUSED)


@ledger_group.command("export", epilog=example("poolgate ledger export > traffic.jsonl"))
@in_pool
@with_store
def export(services: Services, as_json: bool, pool: str) -> None:
    """
    Print the pool's accounts, without credentials, and every entry as JSON lines; see poolgate replay.

    Entries have the team, the owner and the labels that their API keys had at the time of the request.
    """
    services.pools.check(pool)
    with progress("Exporting", _rows(services, pool), prints=True) as advance:
        for line in exported(services, pool):
            click.echo(orjson.dumps(line))
            advance(1)


def _rows(services: Services, pool: str) -> int:
    return services.ledger.entries.count(pool)


class DifferenceJson(TypedDict):
    total: str
    figure: str
    booked: int
    recomputed: int


def _public(difference: Difference) -> DifferenceJson:
    return {
        "total": _total_name(difference.total),
        "figure": difference.figure,
        "booked": difference.booked,
        "recomputed": difference.recomputed,
    }


def _total_name(total: Total) -> str:
    if total.span == EVER:
        return f"ever {total.key_id}"
    return f"{'hour' if total.span == HOUR else 'day'} {moment(total.start)}"
