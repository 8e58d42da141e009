"""`poolgate audit`: the audit log."""

from __future__ import annotations

from typing import Any

import click

from app.cli.command import Command, example
from app.cli.listing import listing, show_table
from app.cli.options import pool_name, with_store
from app.cli.output import show_json
from app.formatting import moment
from app.presentation.audit import NO_NAMES, describe_changes
from app.presentation.names import Names
from app.stores.records.audit import AuditFilter
from app.wiring import Services

HEADS = ("WHEN", "WHO", "BY", "WHAT", "POOL", "OBJECT", "CHANGE")


@click.command(
    "audit", cls=Command, epilog=example("poolgate audit", "poolgate audit --who ann --action key")
)
@click.option("--who", default="", metavar="NAME", help="Only changes by this operator, or by `token:NAME`.")
@click.option(
    "--action", default="", metavar="ACTION", help="Only this action, such as key.rotate, or a noun: key."
)
@click.option("--pool", type=pool_name, metavar="POOL", help="Only in this pool.")
@click.option(
    "--limit",
    "--most",
    "max_entries",
    default=50,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Maximum number of entries.",
)
@listing
@with_store
def audit(
    services: Services, as_json: bool, who: str, action: str, pool: str | None, max_entries: int
) -> None:
    """Show who changed what, newest first. `unknown` marks changes that a crash or an outage interrupted."""
    if pool is not None:
        services.pools.check(pool)
    entries: list[dict[str, Any]] = []
    cursor, matching = None, AuditFilter(who, action, pool or "")
    while len(entries) < max_entries:
        page = services.audit.page(cursor, max_entries=max_entries - len(entries), matching=matching)
        entries += page.entries
        if (cursor := page.cursor) is None:
            break
    if as_json:
        show_json({"object": "list", "data": entries})
    else:
        pools = {entry["pool"] for entry in entries} - {""}
        names = {each: Names.read(each, services.api_keys, services.accounts) for each in pools}
        rows = [_row(entry, names.get(entry["pool"], NO_NAMES)) for entry in entries]
        show_table(HEADS, rows, "No changes found.")


def _row(entry: dict[str, Any], names: Names) -> tuple[object, ...]:
    outcome = "" if entry["outcome"] == "done" else f" ({entry['outcome']})"
    what = entry["who"], entry["via"], entry["action"] + outcome, entry["pool"], entry["object"]
    return moment(entry["at"]), *what, ", ".join(describe_changes(entry, "->", names))
