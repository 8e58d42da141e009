"""Reads the rows of the list of keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from app.ledger.points import Series
from app.ledger.sums import SUMMARY_FIGURES, Grouping
from app.presentation.account_list import LastUse
from app.presentation.api_keys import KeyView, key_views
from app.presentation.key_list import KeyRow
from app.stores.records.api_keys import ApiKey
from app.wiring import Services

_REQUESTS = SUMMARY_FIGURES.index("requests")


def read_rows(services: Services, pool: str, api_keys: Sequence[ApiKey], span: str) -> list[KeyRow]:
    """Return a row for each of *api_keys* of *pool*, with its figures in *span*, without its limits."""
    now, names = services.clock.now(), services.accounts.names_by_id(pool)
    usage = services.ledger.series.at_once(pool)
    within = usage.range_of(span)
    figures = usage.read(within.as_one_point, Grouping.KEY).totals()
    refused = Counter[str]()
    for (key_id, _), count in services.ledger.refusals.counts(pool, span).counts.items():
        refused[key_id] += count
    key_ids = [key.id for key in api_keys]
    used = services.ledger.usage.used_keys(pool, key_ids)
    last_times = services.ledger.usage.last_times(pool, key_ids)
    is_unknown = any(key_id in figures and key_id not in last_times for key_id in key_ids)
    points = usage.read(within, Grouping.KEY) if is_unknown else None
    return [
        KeyRow(
            KeyView(key, names, now),
            figures.get(key.id, {}),
            refused[key.id],
            _last_use(key.id, last_times.get(key.id), points),
            key.id in used,
        )
        for key in api_keys
    ]


def with_limits(services: Services, pool: str, rows: Sequence[KeyRow]) -> list[KeyRow]:
    """Return *rows* with the usage of their limits; two round trips."""
    if not rows:
        return []
    first = rows[0].view
    views = key_views(
        services.ledger.usage, pool, [row.key for row in rows], first.account_names, now=first.now
    )
    return [replace(row, view=view) for row, view in zip(rows, views, strict=True)]


def _last_use(key_id: str, exact: float | None, points: Series | None) -> LastUse | None:
    """Return when a key was last used; if only an earlier version recorded it, the last of *points*."""
    if exact is not None:
        return LastUse(exact, is_exact=True)
    if points is None:
        return None
    used = [index for index, amounts in points.lines.get(key_id, ()) if amounts[_REQUESTS]]
    return LastUse(points.starts[max(used)], is_exact=False) if used else None


def rounded(seconds: float) -> float:
    """Round *seconds* down to whole days, hours or minutes, so that a list shows one short unit."""
    unit = next((length for length in (86_400, 3600, 60) if seconds >= length), 1)
    return seconds // unit * unit
