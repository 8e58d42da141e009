"""`poolgate settings`: the effective settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click
import orjson

from app.cli.command import Command, example
from app.cli.options import in_pool, with_store
from app.cli.output import show_json, table
from app.config import NAMES
from app.operations.effective_settings import serialize_settings
from app.wiring import Services

HEADS = ("SETTING", "VARIABLE", "VALUE")


@click.command("settings", cls=Command, epilog=example("poolgate settings", "poolgate settings --json"))
@in_pool
@with_store
def settings(services: Services, as_json: bool, pool: str) -> None:
    """Show the settings of this environment, without secrets, and those of a pool."""
    services.pools.check(pool)
    own: Mapping[str, Any] = next(
        (pool_entry.public() for pool_entry in services.pools.all() if pool_entry.name == pool), {}
    )
    settings_in_force = serialize_settings(services.settings)
    if as_json:
        show_json({**settings_in_force, "pool": own})
        return
    rows = [(name, NAMES.get(name, ""), str(value)) for name, value in settings_in_force["settings"].items()]
    rows += [(f"limits.{name}", "", f"{value:g}") for name, value in asdict(services.settings.limits).items()]
    rows += [(f"{pool}: {name}", "", own[name]) for name in ("policy", "zone") if name in own]
    rows += [(f"{pool}: {name}", "", _text(value)) for name, value in own.get("settings", {}).items()]
    click.echo(table(HEADS, rows))


def _text(value: object) -> str:
    return orjson.dumps(value).decode()
