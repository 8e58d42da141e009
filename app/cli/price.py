"""`poolgate price`: prices of models, and their context and output sizes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import click

from app.cli.command import Group, example
from app.cli.forms import Form
from app.cli.listing import listing, show_table
from app.cli.options import Decorator, checked, in_pool, operations, with_store
from app.cli.output import amount, price, report, show_list
from app.formatting import natural
from app.limits.prices import STANDARD
from app.operations.prices import micro_dollars, price_row
from app.wiring import Services
from schemas.admin import MAX_MODEL_TOKENS
from schemas.bounds import parse_number

HEADS = ("MODEL", "INPUT", "CACHED", "OUTPUT", "CONTEXT", "MAX OUTPUT", "SINCE", "LIST")


def dollars(text: str) -> int:
    """Read US dollars for a million tokens as micro-dollars. Raises ValueError, WrongValue."""
    if parse_number(text) is None:
        raise ValueError
    return checked(lambda price: micro_dollars(Decimal(price)))(text)


DOLLARS = Form(dollars, "a number of US dollars per million tokens, such as 1.25")


def price_option(name: str, what: str, *, required: bool = False) -> Decorator:
    """Return an option that takes US dollars per million tokens."""
    return click.option(name, type=DOLLARS, metavar="USD", required=required, help=f"{what}: {DOLLARS}.")


def tokens_option(name: str, what: str) -> Decorator:
    """Return an option that takes a positive number of tokens."""
    return click.option(name, type=click.IntRange(1, MAX_MODEL_TOKENS), metavar="TOKENS", help=what)


@click.group("price", cls=Group)
def price_group() -> None:
    """Manage model prices: the public list and a pool's own. Strict cost limits refuse models without one."""


@price_group.command(
    "list", epilog=example("poolgate price list", "poolgate price list --model gpt-5 --json")
)
@click.option("--model", metavar="MODEL", help="Only models whose names start with this.")
@listing
@in_pool
@with_store
def list_prices(services: Services, as_json: bool, pool: str, model: str | None) -> None:
    """List prices in US dollars per million tokens."""
    services.pools.check(pool)
    rows = services.prices.current(pool).rows()
    if model is not None:
        rows = {name: row for name, row in rows.items() if name.startswith(model)}
    if as_json:
        show_list([{"model": name, **row} for name, row in sorted(rows.items())])
    else:
        lines = [_row(name, row) for name, row in sorted(rows.items(), key=lambda item: natural(item[0]))]
        show_table(HEADS, lines, "No matching model has a price: see poolgate price set --help")


def _row(model: str, row: dict[str, Any]) -> tuple[object, ...]:
    rates = row[STANDARD]
    cached = rates.get("cached_input", rates["input"])
    values = map(price, (rates["input"], cached, rates["output"]))
    bounds = [amount(row[name]) if row.get(name) else "-" for name in ("context", "max_output")]
    return model, *values, *bounds, row.get("date", "-"), row["version"]


@price_group.command(
    "set",
    epilog=example(
        "poolgate price set llama-4 --input 0 --output 0 --context 131072 --max-output 8192",
        "poolgate price set gpt-5 --input 1.10 --cached-input 0.11 --output 9",
    ),
)
@click.argument("model")
@price_option("--input", "Input", required=True)
@price_option("--output", "Output, including reasoning", required=True)
@price_option("--cached-input", "Input read from the prompt cache")
@tokens_option("--context", "Context window, if known.")
@tokens_option("--max-output", "Maximum output, if known.")
@tokens_option("--image", "Maximum that one image counts for.")
@in_pool
@with_store
def set_price(services: Services, as_json: bool, pool: str, model: str, **fields: Any) -> None:
    """
    Set the price of MODEL in this pool, in every service tier, from the next request on.

    Values that are not given stay as listed.
    """
    known = services.prices.current(pool).rows().get(model, {})
    stored = operations(services).prices.set(pool, model, price_row(known, fields))
    report(as_json, {"model": model, **stored}, f"'{model}' has its own price in pool '{pool}'.")


@price_group.command("remove", epilog=example("poolgate price remove gpt-5"))
@click.argument("model")
@in_pool
@with_store
def remove_price(services: Services, as_json: bool, pool: str, model: str) -> None:
    """Remove this pool's own price of MODEL. The public list applies again."""
    services.pools.check(pool)
    removed = operations(services).prices.remove(pool, model)
    if model in services.prices.current(pool).rows():
        now = f"{'uses' if removed else 'already uses'} the list price"
    else:
        now = f"has {'now no price' if removed else 'no price'}: the list does not have it"
    report(as_json, {"model": model, "removed": removed}, f"'{model}' {now}.")
