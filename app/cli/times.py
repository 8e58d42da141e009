"""Points in time as options take them: dates, times, `yesterday`, `monday`, `2 days ago`, `30d`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import click
from marshmallow import ValidationError

from app.cli.clock import current_zone
from app.suggestions import aside
from schemas.api_keys import seconds_at
from schemas.validation_errors import first_error_path

EXAMPLES = "2026-11-20, 2026-11-20T18:00, today, yesterday, monday, '2 days ago', 2d, 3h or 30m"
EXPIRIES = "2027-01-01, a date with a time, or 30d, 12h or '2 weeks' from now"
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WORDS = ("today", "yesterday", *WEEKDAYS)
SECONDS = {"m": 60, "h": 3600}
DAYS = {"d": 1, "w": 7}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SPAN = r"(\d{1,4}) ?(?:([mhdw])|(minute|hour|day|week)s?"
_AGO = re.compile(_SPAN + r" ago)")
_LATER = re.compile(rf"(?:in )?{_SPAN})")


def absolute(text: str, option: str) -> str:
    """
    Return the date, or the date with time and offset, that the value *text* of *option* means now.

    Days begin at midnight in the time zone of the command's output, and a time without an offset is in that
    zone. A weekday is the latest before today. Raises click.UsageError.
    """
    zone, words = current_zone(), " ".join(text.lower().split())
    value = relative(words, datetime.now(zone)) or text.strip()
    try:
        seconds = seconds_at(value, zone)
    except ValidationError as error:
        problem = first_error_path(error)[1]
        if problem.startswith("must be a date"):
            problem = f"must be like {EXAMPLES}{aside(words, WORDS)}"
        raise click.UsageError(f"{option} {problem}") from None
    return value if _DAY.fullmatch(value) else datetime.fromtimestamp(seconds, zone).isoformat()


def moment_of(text: str, option: str) -> str:
    """Return `absolute` with a date as its first second, with the offset of the zone."""
    zone = current_zone()
    return datetime.fromtimestamp(seconds_at(absolute(text, option), zone), zone).isoformat()


def day_of(text: str, option: str) -> date:
    """Return the day of `absolute`."""
    return datetime.fromisoformat(absolute(text, option)).date()


def relative(words: str, now: datetime) -> str | None:
    """Return what *words* mean at *now*, None if they are no words for a time."""
    if words in WEEKDAYS:
        days = (now.weekday() - WEEKDAYS.index(words) - 1) % 7 + 1
    elif words in ("today", "yesterday"):
        days = int(words == "yesterday")
    elif (ago := _AGO.fullmatch(words)) is None:
        return None
    elif (unit := _unit(ago)) in SECONDS:
        return (now - timedelta(seconds=int(ago[1]) * SECONDS[unit])).isoformat(timespec="seconds")
    else:
        days = int(ago[1]) * DAYS[unit]
    return (now.date() - timedelta(days=days)).isoformat()


def expires_option(or_else: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the option `--expires`, whose value is a result of `expiry`; its help ends with *or_else*."""
    return click.option(
        "--expires",
        metavar="DATE",
        callback=lambda _, __, text: None if text is None else expiry(text),
        help=f"When it expires: {EXPIRIES}{or_else}.",
    )


def expiry(text: str) -> str:
    """Return what a time from now such as `30d` or `12 hours` means, in UTC; any other *text* as it is."""
    return _later(text, datetime.now(UTC)) or text


def _later(text: str, now: datetime) -> str | None:
    later = _LATER.fullmatch(" ".join(text.lower().split()))
    if later is None:
        return None
    unit, number = _unit(later), int(later[1])
    span = timedelta(seconds=number * SECONDS.get(unit, 0), days=number * DAYS.get(unit, 0))
    return (now + span).isoformat(timespec="seconds")


def _unit(span: re.Match[str]) -> str:
    """Return the unit of a match of _SPAN: a key of SECONDS or DAYS."""
    return span[2] or span[3][0]
