"""Limits as operators write them: `10 requests/minute`, `5.50 usd/month for gpt-5* balanced`."""

from __future__ import annotations

import re
import secrets
from decimal import Decimal

from app.errors import InvalidRequest
from app.formatting import MICRO_DOLLARS, count, exact_dollars, plain_dollars
from app.patterns import pattern_error
from app.stores.records.limits import Limit, LimitMode, LimitUnit, Period
from schemas.bounds import parse_number

UNITS = {name: unit for unit in LimitUnit for name in (unit.value, *unit.traits.aliases)}
PERIODS = tuple(period for period in Period if period is not Period.NONE)

MAX_AMOUNT = 10**13  # scripts write numbers with 14 digits, and add held amounts
MAX_ROLLING = 10**11  # limits per second and minute count in units of 1/1,000 and 1/60,000

_PATTERN = re.compile(
    r"(?P<amount>\S+) (?P<unit>[a-z_]+)(?: ?/ ?(?P<period>[a-z]+))?"
    r"(?: for (?P<model>\S+))?(?: (?P<mode>strict|balanced))?"
)
_SEPARATED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")  # thousands, as they are shown
LIMIT_EXAMPLES = (
    "'10 requests/minute', '1000000 total_tokens/day for gpt-5*', '5 usd/month' or '20 parallel_requests'"
)


def parse_limit(text: str, *, model: str | None = None, mode: str = LimitMode.STRICT) -> Limit:
    """
    Return the limit that *text* describes, with a new id.

    *model* (a name, or a pattern with `*`) and *mode* apply if *text* does not contain them. Raises
    InvalidRequest, param `limit`.
    """
    match = _PATTERN.fullmatch(" ".join(text.split()))
    if match is None:
        raise _invalid("limit", f"'{text[:60]}' is not a limit: write it like {LIMIT_EXAMPLES}")
    try:
        return limit_of_parts(
            match["amount"], match["unit"], match["period"], match["model"] or model, match["mode"] or mode
        )
    except InvalidRequest as error:
        raise _invalid("limit", error.message) from None


def limit_of_parts(
    amount: str, unit: str, period: str | None, model: str | None, mode: str = LimitMode.STRICT
) -> Limit:
    """
    Return the limit with these parts of its text, with a new id.

    Raises InvalidRequest, whose param is `amount`, `unit`, `period`, `model` or `mode`.
    """
    counted = _parse_unit(unit)
    window = _parse_period(counted, period)
    if model and (error := pattern_error(model)):
        raise _invalid("model", f"A pattern of models {error}")
    return Limit(
        id=f"lim_{secrets.token_hex(6)}",
        unit=counted,
        period=window,
        max=_parse_amount(amount, counted, window),
        mode=_parse_mode(mode),
        model=model or None,
    )


def readable_limit(limit: Limit) -> str:
    """Return *limit* for people: `1,000,000 total_tokens/day`. `parse_limit` reads it, too."""
    amount, _, rest = format_limit(limit).partition(" ")
    integer, point, fraction = amount.partition(".")
    return f"{int(integer):,}{point}{fraction} {rest}"


def format_limit(limit: Limit) -> str:
    """Return the text that `parse_limit` reads as *limit*, with an amount without separators."""
    if limit.unit.is_money:
        text = f"{plain_dollars(limit.max)} usd"
    else:
        text = f"{limit.max} {limit.unit}"
    if not limit.unit.is_concurrent:
        text += f"/{limit.period}"
    if limit.model:
        text += f" for {limit.model}"
    return text if limit.is_strict else f"{text} {limit.mode}"


def _parse_unit(name: str) -> LimitUnit:
    if name not in UNITS:
        raise _invalid("unit", f"'{name}' cannot be limited; these can: {', '.join(UNITS)}")
    return UNITS[name]


def _parse_period(unit: LimitUnit, name: str | None) -> Period:
    if unit.is_concurrent:
        if name:
            raise _invalid("period", f"{unit} are counted at one moment: leave out '/{name}'")
        return Period.NONE
    if name not in PERIODS:
        problem = f"'/{name}' is not a period" if name else "The period is missing"
        raise _invalid(
            "period", f"{problem}; a limit is per {', '.join(PERIODS[:-1])} or {PERIODS[-1]}, like '/day'"
        )
    return Period(name)


def _parse_mode(name: str) -> LimitMode:
    if name not in list(LimitMode):
        raise _invalid("mode", f"A limit is {' or '.join(LimitMode)}, not '{name[:20]}'")
    return LimitMode(name)


def _parse_amount(text: str, unit: LimitUnit, period: Period) -> int:
    plain = text.replace(",", "") if _SEPARATED.fullmatch(text) else text
    if parse_number(plain) is None:
        raise _invalid("amount", f"'{text[:40]}' is not a number")
    number = Decimal(plain)
    if number <= 0:
        raise _invalid("amount", f"A limit must be above zero, not {text[:40]}")
    amount = number * MICRO_DOLLARS if unit.is_money else number
    maximum = MAX_ROLLING if period.is_rolling else MAX_AMOUNT
    if amount > maximum:
        most = exact_dollars(maximum) if unit.is_money else count(maximum)
        raise _invalid("amount", f"A limit per {period} of more than {most} is not a limit")
    if amount != int(amount) or amount < 1:  # a tiny amount becomes zero
        finest = "dollars with six decimals" if unit.is_money else "whole numbers"
        raise _invalid("amount", f"{unit} must be {finest}: {text[:40]} is too fine")
    return int(amount)


def _invalid(part: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, param=part)
