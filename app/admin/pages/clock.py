"""
The time zone of all times on the pages: the viewer's.

The script of the pages sends its name in a cookie. Without the cookie, times are in the time zone of the
pool.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from flask import g, has_request_context, request
from markupsafe import Markup
from marshmallow import ValidationError

from app import formatting
from app.admin.current_pool import current_pool
from app.admin.services import services
from app.errors import InvalidRequest
from schemas.api_keys import seconds_at

COOKIE = "poolgate_zone"  # static/poolgate.js sets it


def viewer_zone() -> tzinfo:
    """Return the viewer's time zone; the pool's if it is unknown, and UTC outside a request."""
    if not has_request_context():
        return UTC  # as in live updates, whose times the script converts
    if "zone" not in g:
        name = request.cookies.get(COOKIE, "")
        g.zone = ZoneInfo(name) if name in _zones() else services().clock.zone(current_pool())
    zone: tzinfo = g.zone
    return zone


def zone_name() -> str:
    """Return the name of the viewer's time zone, such as Europe/Berlin."""
    return str(viewer_zone())


def parse_moment(text: str, param: str) -> float | None:
    """
    Return a date, or a date with time, as Unix seconds; None for an empty text.

    Without an offset it is in the viewer's time zone. Raises InvalidRequest with *param*.
    """
    text = text.strip()
    if not text:
        return None
    try:
        return seconds_at(text, viewer_zone())
    except ValidationError as error:
        raise InvalidRequest(error.messages[0], param=param) from None


def input_moment(unix_seconds: float | None) -> str:
    """Return the value of an input of type `datetime-local`; '' for None or a time without a date."""
    at = _date(unix_seconds)
    return f"{at:%Y-%m-%dT%H:%M}" if at else ""


def moment(unix_seconds: float | None, *, seconds: bool = False) -> Markup:
    """Return a `<time>` element with its zone, which the script shortens."""
    if not unix_seconds:
        return Markup("–")
    at = _date(unix_seconds)
    if at is None:
        return Markup("far in the future")
    mark = Markup(" data-seconds") if seconds else ""
    return Markup('<time datetime="{}"{}>{}</time>').format(
        f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        mark,
        formatting.moment(unix_seconds, at.tzinfo, seconds=seconds),
    )


def _date(unix_seconds: float | None) -> datetime | None:
    if not unix_seconds:
        return None
    try:
        at = datetime.fromtimestamp(unix_seconds, viewer_zone())
        at.astimezone(UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return at


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
