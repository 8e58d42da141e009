"""Points in time as options take them: dates, times, `yesterday`, `monday`, `2 days ago`."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

import click
from marshmallow import ValidationError

from app.cli.clock import current_zone
from app.suggestions import aside
from schemas.api_keys import seconds_at
from schemas.validation_errors import first_error_path

EXAMPLES = "2026-11-20, 2026-11-20T18:00, today, yesterday, monday, '2 days ago' or '3 hours ago'"
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WORDS = ("today", "yesterday", *WEEKDAYS)
SECONDS = {"minute": 60, "hour": 3600}
DAYS = {"day": 1, "week": 7}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_AGO = re.compile(r"(\d{1,4}) ?(minute|hour|day|week)s? ago")


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
    elif ago[2] in SECONDS:
        return (now - timedelta(seconds=int(ago[1]) * SECONDS[ago[2]])).isoformat(timespec="seconds")
    else:
        days = int(ago[1]) * DAYS[ago[2]]
    return (now.date() - timedelta(days=days)).isoformat()
