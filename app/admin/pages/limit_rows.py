"""
Limits as rows of a form: amount, unit, period, model and mode. `limit_rows.html` draws them.

The fields of row 2 are `limit_2_amount`, `limit_2_unit` and so on; a form may use another prefix. A row
without an amount and a model is blank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from app.admin.pages.forms import Form
from app.errors import InvalidRequest
from app.formatting import plain_dollars
from app.limits.limit_syntax import format_limit, limit_of_parts, readable_limit
from app.patterns import pattern_error
from app.stores.records.limits import Limit, LimitMode, LimitUnit, Period
from schemas.bounds import MAX_LIMITS

ROWS = 5  # minimum number of rows
BLANK_ROWS = 2  # blank rows after the limits
PARTS = ("amount", "unit", "period", "model", "mode")
DOLLARS = "usd"
UNITS = (
    (DOLLARS, "US dollars"),
    (LimitUnit.REQUESTS.value, "requests"),
    (LimitUnit.TOTAL_TOKENS.value, "tokens, input and output"),
    (LimitUnit.INPUT_TOKENS.value, "input tokens"),
    (LimitUnit.OUTPUT_TOKENS.value, "output tokens"),
    (LimitUnit.PARALLEL_REQUESTS.value, "requests at the same time"),
)
PERIODS = (
    (Period.SECOND.value, "per second, sliding"),
    (Period.MINUTE.value, "per minute, sliding"),
    (Period.HOUR.value, "per hour"),
    (Period.DAY.value, "per calendar day"),
    (Period.WEEK.value, "per calendar week"),
    (Period.MONTH.value, "per calendar month"),
    (Period.EVER.value, "in all"),
)
MODES = ((LimitMode.STRICT.value, "strict"), (LimitMode.BALANCED.value, "balanced"))
EFFECTS = {
    LimitMode.STRICT.value: "a request is refused unless its maximum fits",
    LimitMode.BALANCED.value: "a request is refused unless its estimate fits",
}
NO_PERIOD = ", whatever the period"
_BLANK = {"unit": DOLLARS, "period": Period.MONTH.value, "mode": LimitMode.STRICT.value}


def count_rows(typed: Mapping[str, str], prefix: str = "limit") -> int:
    """Return the number of rows of the form that shows, or was submitted with, the values *typed*."""
    known = range(MAX_LIMITS, 0, -1)
    return max(ROWS, next((number for number in known if f"{prefix}_{number}_amount" in typed), 0))


def row_fields(rows: int, prefix: str = "limit") -> list[str]:
    """Return the names of the fields of all rows."""
    return [f"{prefix}_{number}_{part}" for number in range(1, rows + 1) for part in PARTS]


def row_values(limits: Iterable[Limit] = (), prefix: str = "limit") -> dict[str, str]:
    """Return the values of a form with *limits* and blank rows below them."""
    parts = [limit_parts(limit) for limit in limits]
    blank = max(ROWS - len(parts), min(BLANK_ROWS, MAX_LIMITS - len(parts)))
    rows = [*parts, *([{"amount": "", "model": "", **_BLANK}] * blank)]
    return {f"{prefix}_{n}_{part}": text for n, row in enumerate(rows, 1) for part, text in row.items()}


def limit_parts(limit: Limit) -> dict[str, str]:
    """Return the values of the fields of one limit, by part."""
    money, concurrent = limit.unit.is_money, limit.unit.is_concurrent
    return {
        "amount": plain_dollars(limit.max) if money else str(limit.max),
        "unit": DOLLARS if money else limit.unit.value,
        "period": _BLANK["period"] if concurrent else limit.period.value,
        "model": limit.model or "",
        "mode": limit.mode.value,
    }


def read_limits(form: Form, rows: int, prefix: str = "limit") -> list[Limit]:
    """Return the limits in the rows of *form*, which records the errors of each at its field."""
    form.check_rows(prefix, MAX_LIMITS)
    found = (_read_row(form, f"{prefix}_{number}_") for number in range(1, rows + 1))
    return [limit for limit in found if limit is not None]


def read_new(form: Form) -> Callable[[], Limit]:
    """Return a function that creates the limit in the first row of *form*, with a new id at each call."""
    if not read_limits(form, 1) and not form.errors:
        form.add_error("limit_1_amount", "An amount is missing")
    return lambda: read_limits(form, 1)[0]


@dataclass(frozen=True, slots=True)
class _Row:
    """The texts of one row; a limit of parallel requests has no period."""

    amount: str
    unit: str
    period: str | None
    model: str
    mode: str

    @classmethod
    def of(cls, form: Form, start: str) -> _Row:
        """Return the row whose fields begin with *start*."""
        amount, model = form[start + "amount"].strip(), form[start + "model"].strip()
        unit = form[start + "unit"] or DOLLARS
        period = None if unit == LimitUnit.PARALLEL_REQUESTS else form[start + "period"] or _BLANK["period"]
        return cls(amount, unit, period, model, form[start + "mode"])

    def limit(self) -> Limit:
        """Return the limit, with a new id. Raises InvalidRequest."""
        return limit_of(self.amount, self.unit, self.period, self.model, self.mode)


def _read_row(form: Form, start: str) -> Limit | None:
    row = _Row.of(form, start)
    if not row.amount and not row.model:
        return None
    error = pattern_error(row.model) if row.model else ""
    if error:
        form.add_error(start + "model", f"A pattern of models {error}")
    if not row.amount:
        form.add_error(start + "amount", "An amount is missing")
        return None
    try:
        return (replace(row, model="") if error else row).limit()
    except InvalidRequest as fault:
        form.add_error(start + (fault.param or "amount"), fault.message)
        return None


def limit_of(amount: str, unit: str, period: str | None, model: str | None, mode: str) -> Limit:
    """
    Return the limit with these parts, see `limit_of_parts`; without a *mode* it is strict.

    *amount* may have a currency sign and thousands separators, as people type them.
    """
    for separator in (",", " ", "_"):
        amount = amount.replace(separator, "")
    return limit_of_parts(amount.removeprefix("$"), unit, period, model, mode or LimitMode.STRICT)


def meaning(form: Form, start: str) -> str:
    """
    Return in words what the row means whose fields begin with *start*, or why it is no limit.

    '' for a row without an amount, and for one whose errors are at its fields.
    """
    row = _Row.of(form, start)
    if not row.amount or any(start + part in form.errors for part in PARTS):
        return ""
    try:
        limit = row.limit()
    except InvalidRequest as fault:
        return fault.message
    shown = readable_limit(limit).split()[0]
    period = NO_PERIOD if row.period is None else f" {dict(PERIODS)[row.period]}"
    return (
        f"At most {shown} {dict(UNITS)[row.unit]}{period}, for {row.model or 'all models'}: "
        f"{EFFECTS[limit.mode.value]}. As text: {format_limit(limit)}"
    )


# what `limit_rows.html` needs in every template that imports it
GLOBALS = {
    "limit_units": UNITS,
    "limit_periods": PERIODS,
    "limit_modes": MODES,
    "limit_meaning": meaning,
    "max_limits": MAX_LIMITS,
}
