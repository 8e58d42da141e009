"""Points in time as options take them: dates, times, `yesterday`, `monday`, `2 days ago`, `30d`."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click
from marshmallow import ValidationError

from app.cli.clock import current_zone
from app.cli.forms import Form, WrongValue, one_of, option_of
from app.cli.options import Decorator
from app.suggestions import aside
from schemas.api_keys import NO_DATE, seconds_at
from schemas.validation_errors import first_error_path

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WORDS = ("today", "yesterday", *WEEKDAYS)
TIME_FORMS = (
    "a date such as 2026-11-20",
    "a date with a time such as 2026-11-20T18:00",
    "today",
    "yesterday",
    "a weekday",
    "a time before now such as 30m, 3h, 2d or '2 weeks ago'",
)
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
    zone. A weekday is the latest before today. Raises WrongValue.
    """
    zone, words = current_zone(), " ".join(text.lower().split())
    value = relative(words, datetime.now(zone)) or text.strip()
    try:
        seconds = seconds_at(value, zone)
    except ValidationError as error:
        problem = first_error_path(error)[1]
        if problem == NO_DATE:
            problem = f"must be {one_of(TIME_FORMS)}{aside(words, WORDS)}"
        raise WrongValue(problem, param_hint=option) from None
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


class _Time(Form):
    """The form of what `absolute` reads. The value stays a text, because its time zone is not known yet."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str):
            absolute(value, option_of(WrongValue("", ctx, param)))
        return value


TIME = _Time(str, *TIME_FORMS)


def time_option(*names: str, what: str) -> Decorator:
    """Return an option for a point in time, whose help begins with *what* it is."""
    return click.option(*names, metavar="DATE", type=TIME, help=f"{what}: {TIME}.")


def expiry(text: str) -> str:
    """
    Return when something expires that does so at *text*, in UTC: a date, a time, or a time from now as `30d`.

    Raises ValueError for a text of another form, WrongValue for a time that is too early or too late.
    """
    value = _later(text, datetime.now(UTC)) or text
    try:
        seconds_at(value)
    except ValidationError as error:
        problem = first_error_path(error)[1]
        raise ValueError if problem == NO_DATE else WrongValue(problem) from None
    return value


EXPIRY = Form(
    expiry, "a date such as 2027-01-01", "a date with a time", "a time from now such as 30d, 12h or '2 weeks'"
)
NEVER = "never"
EXPIRY_OR_NEVER = Form(lambda text: text if text == NEVER else expiry(text), *EXPIRY.forms, NEVER)


def expires_option(form: Form = EXPIRY) -> Decorator:
    """Return the option `--expires`, whose value has *form*."""
    return click.option("--expires", metavar="DATE", type=form, help=f"When it expires: {form}.")


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
