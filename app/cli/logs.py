"""`poolgate logs`: the requests of a pool as they end, a line each."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import click
import orjson

from app.cli.clock import moment, utc_option
from app.cli.command import Command, example
from app.cli.options import in_pool, with_store
from app.cli.output import printable, store_failure, wrong_call
from app.cli.width import pad
from app.errors import StoreUnavailable
from app.formatting import count, dollars, milliseconds
from app.ledger.query import STATUS_FORMS
from app.ledger.tail import LedgerTail
from app.presentation.names import Names
from app.presentation.requests import RequestView, ledger_query, request_views, serialize_entry
from app.stores.records.ledger import LedgerEntry
from app.wiring import Services
from schemas.admin import RequestsQuery

POLL_SECONDS = 1.0
MAX_LINES = 1000
NAME_CHARS, MODEL_CHARS = 12, 20  # widths of columns; longer texts move the rest of their line


@click.command(
    "logs",
    cls=Command,
    epilog=example(
        "poolgate logs --follow", "poolgate logs --follow --status failed", "poolgate logs --key ann --json"
    ),
)
@click.option("--follow", "-f", is_flag=True, help="Continue with each request that ends, until Ctrl-C.")
@click.option(
    "--lines",
    "-n",
    "number",
    metavar="N",
    default=20,
    show_default=True,
    type=click.IntRange(0, MAX_LINES),
    help="How many of the newest requests to print first.",
)
@click.option("--key", metavar="NAME", help="Only of this API key; of a removed one, give its ID.")
@click.option("--account", metavar="NAME", help="Only served by this account; of a removed one, give its ID.")
@click.option("--model", metavar="MODEL", help="Only for this model.")
@click.option("--status", metavar="STATUS", help=f"Only with this status: {STATUS_FORMS}.")
@utc_option
@in_pool
@with_store
def logs(
    services: Services, as_json: bool, pool: str, follow: bool, number: int, **filters: str | None
) -> None:
    """
    Print the newest requests of a pool, completed and refused ones, oldest first: a line each.

    These are the requests of all workers and machines that share the store. (What a gateway process prints
    itself goes to its standard error.) With --json, each line is an object. `poolgate request list` has more
    filters, and `poolgate request explain ID` explains one request.

    Not all are printed of more than 2,000 requests in a second, and of many refusals of one key.
    """
    services.pools.check(pool)
    given = RequestsQuery().load({name: value for name, value in filters.items() if value is not None})
    query = ledger_query(Names.read(pool, services.api_keys, services.accounts), given)
    with wrong_call():
        query.check()
    tail = LedgerTail(services.ledger.entries, services.ledger.search, pool, query)
    _print(services, pool, tail.begin(number), as_json)
    while follow:
        time.sleep(POLL_SECONDS)
        _print_new(services, pool, tail, as_json)


def _print_new(services: Services, pool: str, tail: LedgerTail, as_json: bool) -> None:
    """Print what is new, or why that cannot be read now: the store may be back at the next call."""
    try:
        _print(services, pool, tail.new(), as_json)
    except StoreUnavailable as error:
        click.echo(store_failure(error), err=True)


def _print(services: Services, pool: str, entries: Sequence[LedgerEntry], as_json: bool) -> None:
    if not entries:
        return
    names = Names.read(pool, services.api_keys, services.accounts)
    for view in request_views(services.ledger.entries, pool, entries, names):
        row = serialize_entry(view.entry, names, view.answer) if as_json else {}
        click.echo(orjson.dumps(row).decode() if as_json else _line(view))
    sys.stdout.flush()


def _line(view: RequestView) -> str:
    """Return time, status, key, account, model, usage or error, duration and id."""
    entry = view.entry
    who = f"{pad(printable(view.key), NAME_CHARS)}  {pad(printable(view.account), NAME_CHARS)}"
    return "  ".join(
        (
            str(moment(entry.ended_at, seconds=True)),
            str(entry.status),
            who,
            pad(printable(entry.model), MODEL_CHARS),
            *filter(None, (view.failure and printable(view.failure), _usage(view), _duration(view))),
            entry.request_id,
        )
    )


def _usage(view: RequestView) -> str:
    if view.entry.is_refused:
        return ""
    tokens = ", ".join(
        f"{count(view.number(name) or 0)} {word}"
        for name, word in (("input_tokens", "in"), ("output_tokens", "out"))
    )
    cost = view.number("cost")
    return tokens if cost is None else f"{tokens}, {dollars(cost)}"


def _duration(view: RequestView) -> str:
    total = view.number("total_ms")
    return "" if total is None else milliseconds(total)
