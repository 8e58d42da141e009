"""Time of day in the output of commands: in the time zone of the pool, or with --utc in UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

import click

from app import formatting
from app.cli.output import Wording
from app.wiring import Services

Zone = Callable[[], tzinfo]

ZONE = "poolgate.zone"  # in click's meta: returns the zone
IN_UTC = "poolgate.utc"  # in click's meta: whether --utc was given


def _keep(context: click.Context, _: click.Parameter, in_utc: bool) -> None:
    context.meta[IN_UTC] = in_utc


utc_option = click.option(
    "--utc",
    is_flag=True,
    expose_value=False,
    callback=_keep,
    help="Print times in UTC in place of the pool's time zone.",
)


def use_zone(services: Services, pool: str) -> None:
    """Print the times of this command in the time zone of *pool*, which is read when it is first needed."""
    context = click.get_current_context(silent=True)
    if context is None or context.meta.get(IN_UTC):
        return
    known: list[tzinfo] = []

    def zone() -> tzinfo:
        if not known:
            known.append(services.clock.zone(pool))
        return known[0]

    context.meta[ZONE] = zone


def current_zone() -> tzinfo:
    """Return the time zone of this command; UTC if it has no pool."""
    context = click.get_current_context(silent=True)
    zone: Zone | None = context.meta.get(ZONE) if context is not None else None
    return UTC if zone is None else zone()


def moment(unix_seconds: float, *, seconds: bool = False) -> Wording:
    """
    Return a point in time as `2027-01-31 18:00Z`, or with the abbreviation of its zone.

    With *seconds* for what is compared, such as requests. CSV has all of them: `2027-01-31T18:00:05+00:00`.
    """
    zone = current_zone()
    exact = datetime.fromtimestamp(int(unix_seconds), zone).isoformat()
    return Wording(formatting.moment(unix_seconds, zone, seconds=seconds), exact)


def until(prefix: str, unix_seconds: float | None, suffix: str = "") -> Wording:
    """Return `<prefix> until <moment><suffix>` as a cell of a table; without the moment if it is None."""
    if unix_seconds is None:
        return Wording(f"{prefix}{suffix}", f"{prefix}{suffix}")
    end = moment(unix_seconds, seconds=True)
    return Wording(f"{prefix} until {end}{suffix}", f"{prefix} until {end.plain}{suffix}")
