"""How pages say numbers, money, times and states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from app.quotas.limits import MICRO_DOLLARS

_LETTERS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_SPANS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True, slots=True)
class State:
    """A word, and which of the shapes in the sheet goes with it: ok, wait, bad, off or open."""

    word: str
    shape: str
    person: bool = False  # whether it stays until somebody does something


STATES = {
    "active": State("active", "ok"),
    "paused": State("paused", "off", person=True),
    "credential_dead": State("credential refused", "bad", person=True),
    "window_spent": State("window spent", "wait"),
    "cooling_down": State("cooling down", "wait"),
    "disabled": State("disabled", "off"),
    "expired": State("expired", "off"),
    "open": State("open", "open"),
}


def state(name: str) -> State:
    return STATES.get(name) or State(name.replace("_", " "), "wait")


def status(code: int | None) -> State:
    """Return what became of a request, by the status its client was told; None: it is under way."""
    if code is None:
        return STATES["open"]
    if code == 499:
        return State("499 left", "off")
    if code == 599:
        return State("599 lost", "bad")
    return State(str(code), "ok" if code < 400 else "wait" if code in (408, 429) else "bad")


def count(number: float | None) -> str:
    """Return a whole number with its thousands apart: 1 234 567."""
    return "–" if number is None else f"{number:,.0f}".replace(",", "\u202f")


def short(number: float | None) -> str:
    """Return a number in few letters: 1.2M."""
    if number is None:
        return "–"
    for unit, letter in _LETTERS:
        if abs(number) >= unit * 0.9995:
            return f"{number / unit:.3g}{letter}"
    return f"{number:.3g}" if number < 100 and number != int(number) else f"{number:.0f}"


def dollars(micro_dollars: float | None) -> str:
    """Return money: cents where there is a dollar or more, else as many places as say something."""
    if micro_dollars is None:
        return "–"
    amount = Decimal(int(micro_dollars)) / MICRO_DOLLARS
    if amount == 0:
        return "$0"
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}" if amount >= Decimal("0.001") else "<$0.001"


def exact_dollars(micro_dollars: float) -> str:
    """Return money to the millionth, for a limit that is what it says."""
    return f"${Decimal(int(micro_dollars)) / MICRO_DOLLARS:,f}"


def millis(ms: float | None) -> str:
    """Return a time that something took."""
    if ms is None:
        return "–"
    return f"{ms:.0f}\u202fms" if ms < 1000 else f"{ms / 1000:.3g}\u202fs" if ms < 1e5 else span(ms / 1000)


def span(seconds: float) -> str:
    """Return a length of time in its largest unit or two: 5 h, 2 d 3 h."""
    left, parts = int(seconds), list[str]()
    for unit, name in _SPANS:
        if left >= unit and len(parts) < 2:
            parts.append(f"{left // unit}\u202f{name}")
            left %= unit
    return " ".join(parts) or "0\u202fs"


def percent(share: float | None) -> str:
    return (
        "–"
        if share is None
        else f"{share:.0f}\u202f%"
        if share >= 10 or share == 0
        else f"{share:.1f}\u202f%"
    )


def moment(unix_seconds: float | None, *, seconds: bool = False) -> Markup:
    """Return a point in time that a script shows in the viewer's zone, and no script in UTC."""
    if not unix_seconds:
        return Markup("–")
    try:
        at = datetime.fromtimestamp(unix_seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return Markup("far ahead")
    told = at.strftime("%Y-%m-%d %H:%M" + (":%S" if seconds else "") + " UTC")
    mark = Markup(" data-seconds") if seconds else ""
    return Markup('<time datetime="{}"{}>{}</time>').format(at.strftime("%Y-%m-%dT%H:%M:%SZ"), mark, told)


def badge(told: State) -> Markup:
    return Markup('<span class="state {}">{}</span>').format(told.shape, told.word)


def amount(number: float | None, what: str) -> str:
    """Return how much of something that can be limited."""
    return (dollars if what == "cost" else count)(number)


Say = Callable[[float | None], str]

FILTERS: dict[str, Callable[..., Any]] = {
    "count": count,
    "short": short,
    "dollars": dollars,
    "millis": millis,
    "span": span,
    "percent": percent,
    "moment": moment,
    "amount": amount,
    "state": lambda name: badge(state(name)),
    "status": lambda code: badge(status(code)),
}
