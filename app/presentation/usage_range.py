"""The time range that an operator selects: a span, or dates."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo

from marshmallow import ValidationError

from app.errors import InvalidRequest
from app.ledger.ranges import Range, Span
from app.ledger.series import UsageSeries
from schemas.api_keys import seconds_at

DEFAULT_SPAN = Span.DAY


def read_range(usage: UsageSeries, pool: str, span: str, since: str, until: str, zone: tzinfo) -> Range:
    """
    Return the range of *span*, or from *since* to *until*; empty texts are not set.

    *since* and *until* are ISO 8601 dates, or dates with a time; without an offset they are in *zone*. An end
    that is a date includes that day; without an end it is now. Raises InvalidRequest with the param `span`,
    `from` or `to`.
    """
    if not since:
        if until:
            raise InvalidRequest("to needs from: when the range begins", param="from")
        if (span or DEFAULT_SPAN) not in list(Span):
            raise InvalidRequest(f"span must be one of {', '.join(Span)}", param="span")
        return usage.range_of(pool, span or DEFAULT_SPAN)
    if span:
        raise InvalidRequest("span cannot be combined with from and to", param="span")
    first = _seconds(since, zone, "from")
    last = _seconds(_after(until), zone, "to") if until else usage.now()
    return usage.range_between(pool, first, last)


def _after(until: str) -> str:
    """Return the day after *until* if it is a date without a time."""
    try:
        return (date.fromisoformat(until) + timedelta(days=1)).isoformat()
    except (ValueError, OverflowError):
        return until


def _seconds(text: str, zone: tzinfo, param: str) -> float:
    try:
        return seconds_at(text, zone)
    except ValidationError as error:
        raise InvalidRequest(f"{param} {error.messages[0]}", param=param) from None


def describe_range(within: Range, viewer_zone: tzinfo, pool_zone: tzinfo) -> str:
    """Return a description of *within*: `2026-11-01 to 2026-11-29, by day, in Europe/Berlin`."""
    zone = pool_zone if within.step.is_days else viewer_zone
    first, last = (datetime.fromtimestamp(at, zone) for at in (within.since, within.until))
    if within.step.is_days:
        last -= timedelta(seconds=1)
        return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}, by {within.step}, in {zone}"
    return f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}, by {within.step}"
