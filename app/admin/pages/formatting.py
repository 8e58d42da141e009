"""Formatting of numbers, money, times and states for pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from app import formatting
from app.admin.pages import clock
from app.presentation.accounts import (
    CREDENTIAL_UNREADABLE,
    FAILING,
    NOT_USED_YET,
    candidate_label,
    endless_label,
    failure_label,
    reason_label,
    rest_label,
    state_label,
)
from app.presentation.audit import title_label
from app.presentation.request_usage import cost_text, tokens_text
from app.presentation.requests import passed_over_text
from app.stores.records.accounts import AccountState
from app.stores.records.api_keys import KeyState
from app.stores.records.limits import Limit, LimitUnit

_LETTERS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, slots=True)
class State:
    """A label and its CSS class: ok, wait, bad, off or open."""

    word: str
    shape: str


SHAPES: Mapping[str, str] = {
    AccountState.ACTIVE: "ok",
    AccountState.PAUSED: "off",
    NOT_USED_YET: "open",
    AccountState.CREDENTIAL_DEAD: "bad",
    AccountState.PAYMENT_REQUIRED: "bad",
    CREDENTIAL_UNREADABLE: "bad",
    FAILING: "bad",
    KeyState.DISABLED: "off",
    KeyState.EXPIRED: "off",
    "open": "open",  # a request that is running
}


def state(name: str) -> State:
    """
    Return the badge of the state of an account, a key or a request; unknown states get the shape `wait`.
    """
    return State(state_label(name), SHAPES.get(name, "wait"))


def status(code: int | None, *, answered: bool = False) -> State:
    """
    Return the state of a request by its response status; None means that it is running.

    *answered*: it failed at one model, and a later one answered.
    """
    if code is None:
        return state("open")
    if code == 499:
        return State("499 disconnected", "off")
    if code == 599:
        return State("599 lost", "bad")
    if answered:
        return State(str(code), "off")
    return State(str(code), "ok" if code < 400 else "wait" if code in (408, 429) else "bad")


def count(number: float | None) -> str:
    """Return a whole number with thousands separators."""
    return "–" if number is None else formatting.count(number)


def short(number: float | None) -> str:
    """Return an abbreviated number: 1.2M."""
    if number is None:
        return "–"
    for unit, letter in _LETTERS:
        if abs(number) >= unit * 0.9995:
            return f"{number / unit:.3g}{letter}"
    return f"{number:.3g}" if number < 100 and number != int(number) else f"{number:.0f}"


def dollars(micro_dollars: float | None) -> str:
    """Return money for tables, see `app.formatting.dollars`."""
    return "–" if micro_dollars is None else formatting.dollars(micro_dollars)


def short_dollars(micro_dollars: float | None) -> str:
    """Return money in few characters, for axes: $0.25, $15.00, $1.2k."""
    if micro_dollars is None:
        return "–"
    amount = micro_dollars / formatting.MICRO_DOLLARS
    return f"${short(amount)}" if amount >= 100 else formatting.exact_dollars(micro_dollars)


def price(micro_dollars: int | None) -> str:
    """Return the price of a million tokens, see `app.formatting.price`."""
    return "–" if micro_dollars is None else formatting.price(micro_dollars)


def millis(ms: float | None) -> str:
    """Return a duration in milliseconds as text."""
    if ms is None:
        return "–"
    return f"{ms:.0f}\u202fms" if ms < 1000 else f"{ms / 1000:.3g}\u202fs" if ms < 1e5 else span(ms / 1000)


def span(seconds: float) -> str:
    """Return a length of time in its largest one or two units, without a line break: 5 h, 2 d 3 h."""
    return re.sub(r"(?<=\d) ", "\u202f", formatting.duration(seconds))


def percent(share: float | None) -> str:
    """Return a percentage, with a decimal below ten."""
    return (
        "–"
        if share is None
        else f"{share:.0f}\u202f%"
        if share >= 10 or share == 0
        else f"{share:.1f}\u202f%"
    )


def limit_text(limit: Limit) -> str:
    """Return *limit* for people: `$5.00 per month for gpt-5*, balanced`."""
    return limit.label if limit.is_strict else f"{limit.label}, {limit.mode}"


def badge(state: State) -> Markup:
    """Return *state* as an HTML badge."""
    return Markup('<span class="state {}">{}</span>').format(state.shape, state.word)


def breakable(name: str) -> Markup:
    """Return *name* as HTML in which a line may break between its parts, see `formatting.name_parts`."""
    return Markup("<wbr>").join(formatting.name_parts(name))


Formatter = Callable[[float | None], str]

FILTERS: dict[str, Callable[..., Any]] = {
    "count": count,
    "counted": formatting.counted,
    "short": short,
    "dollars": dollars,
    "tokens_text": tokens_text,
    "cost_text": cost_text,
    "price": price,
    "millis": millis,
    "span": span,
    "percent": percent,
    "moment": clock.moment,
    "input_moment": clock.input_moment,
    "amount": lambda number, unit: unit.rounded_amount(number),
    "exact_amount": lambda number, unit: LimitUnit(unit).amount(number),
    "limit": limit_text,
    "field_title": title_label,
    "names": formatting.names_or_all,
    "breakable": breakable,
    "named": formatting.name_or_id,
    "candidate": candidate_label,
    "passed_over": passed_over_text,
    "reason": reason_label,
    "failure": failure_label,
    "rest": rest_label,
    "endless": endless_label,
    "state": lambda name: badge(state(name)),
    "status": lambda code, answered=False: badge(status(code, answered=answered)),
}
