"""Entries of the audit log in words: money in dollars, times as dates, limits in their text form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from app.accounts.settings import EVERY_MODEL
from app.formatting import duration, exact_dollars, moment
from app.limits.limit_syntax import readable_limit
from app.limits.prices import FLEX, PRIORITY, STANDARD
from app.presentation.accounts import state_label
from app.presentation.audit_fields import COUNTERS, given_fields
from app.presentation.model_routes import step_texts
from app.presentation.names import Names
from app.stores.records.limits import Limit

MAX_CHARS = 300  # of the text of one value
_ACRONYMS = ("api", "ca", "id", "url")
ENTRY_FIELDS = frozenset(
    (
        *("id", "at", "opened_ms", "who", "via", "address", "action", "pool", "object", "outcome"),
        *("before", "after"),
    )
)
UNCHANGED = "result: nothing changed"  # a form or command that set what was set already
_EMPTY: tuple[object, ...] = ("", None, [], {})
NO_NAMES = Names({}, {})
_TIERS = (STANDARD, FLEX, PRIORITY)  # fields of a price: micro-dollars per million tokens, by kind of token


def describe_changes(entry: Mapping[str, Any], arrow: str, names: Names = NO_NAMES) -> Iterator[str]:
    """
    Yield a line for each field that changed in *entry*; of a new or removed object, those that were given.

    A field with an earlier value is shown as `<before> <arrow> <after>`; what else the entry records follows,
    such as `credential: replaced`. *names* are those of its pool.
    """
    changed = [*_describe_fields(entry, arrow, names)]
    extra = {name: value for name, value in entry.items() if name not in ENTRY_FIELDS and value not in _EMPTY}
    changed += [f"{name}: {_describe(name, value, names)}" for name, value in extra.items()]
    is_change = entry["before"] is not None and entry["after"] is not None
    yield from changed or ([UNCHANGED] if is_change and entry["action"].endswith((".change", ".set")) else [])


def _describe_fields(entry: Mapping[str, Any], arrow: str, names: Names) -> Iterator[str]:
    if entry["before"] is None or entry["after"] is None:
        fields = _flat(entry["after"] or entry["before"])
        for name, value in given_fields(entry["action"], fields).items():
            if value not in _EMPTY and name not in COUNTERS:
                yield f"{name}: {_describe(name, value, names)}"
        return
    before, after = (_flat(entry[side]) for side in ("before", "after"))
    for name in {**before, **after}:
        if before.get(name) != after.get(name) and name not in COUNTERS:
            values = (_describe(name, side.get(name), names) for side in (before, after))
            yield f"{name}: {f' {arrow} '.join(values)}"


def action_label(action: str) -> str:
    """Return an action such as `account.forget_refused` in words: `account: forget refused`."""
    noun, _, verb = action.replace("_", " ").partition(".")
    return f"{noun}: {verb}" if verb else noun


def field_label(name: str) -> str:
    """Return the name of a field in words: `until_ms` is `until`, `base_url` is `base URL`."""
    words = name.removesuffix("_ms").split("_")
    return " ".join(word.upper() if word in _ACRONYMS else word for word in words)


def title_label(name: str) -> str:
    """Return the name of a field in words, with a capital letter first: `Base URL`."""
    label = field_label(name)
    return label[:1].upper() + label[1:]


def _flat(fields: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return *fields* with the members of pool settings in place of the settings object."""
    flat = dict(fields or {})
    settings = flat.pop("settings", None)
    if not isinstance(settings, Mapping):
        return flat if settings is None else {**flat, "settings": settings}
    return {**flat, **settings}


def _describe(name: str, value: object, names: Names) -> str:
    value = _named(name, value, names)
    return (_in_words(name, value) or _as_stored(value))[:MAX_CHARS]


def _in_words(name: str, value: object) -> str | None:
    """Return the text of a value that people cannot read as it is stored; None for other values."""
    if name == "steps" and isinstance(value, list):
        return _describe_steps(value)
    if name == "state" and isinstance(value, str):
        return state_label(value)
    if name == "limits" and isinstance(value, list):
        return ", ".join(map(_describe_limit, value))
    if name in _TIERS and isinstance(value, Mapping):
        rates = ", ".join(f"{kind} {exact_dollars(rate)}" for kind, rate in value.items())
        return f"{rates} per million tokens"
    if name == "time_limits" and isinstance(value, Mapping | None):
        return "; ".join(filter(None, map(_describe_time_limits, (value or {}).items()))) or "none"
    if name.endswith(("_at", "_until")) and isinstance(value, int | float) and value > 0:
        return moment(value)
    if name.endswith("_ms") and isinstance(value, int | float):
        return moment(value / 1000) if value > 0 else "none"
    if name.endswith("_seconds") and isinstance(value, int | float) and value > 0:
        return duration(value)
    return None


def _named(name: str, value: object, names: Names) -> object:
    """Return *value* with the names of accounts in place of their ids, at any depth."""
    if name == "accounts" and isinstance(value, list):
        return [names.account.get(one, one) if isinstance(one, str) else one for one in value]
    if isinstance(value, list):
        return [_named("", one, names) for one in value]
    if isinstance(value, Mapping):
        return {field: _named(field, one, names) for field, one in value.items()}
    return value


def _describe_steps(steps: list[Any]) -> str:
    try:
        return ", then ".join(step_texts(steps))
    except (KeyError, TypeError, ValueError):  # written by another version
        return _as_stored(steps)


def _describe_limit(stored: Mapping[str, Any]) -> str:
    try:
        return readable_limit(Limit.from_json(stored))
    except (KeyError, ValueError):  # written by another version
        return _as_stored(stored)


def _describe_time_limits(item: tuple[str, Any]) -> str:
    """Return the time limits of one pattern of models: `total 300 s, idle 20 s for gpt-5*`."""
    pattern, limits = item
    if not isinstance(limits, Mapping):  # written by another version
        return _as_stored({pattern: limits})
    listed = ", ".join(f"{name.replace('_', ' ')} {_seconds(limit)}" for name, limit in limits.items())
    return f"{listed} for {pattern}" if listed and pattern != EVERY_MODEL else listed


def _seconds(value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:g} s" if is_number else _as_stored(value)


def _as_stored(value: object) -> str:
    """Return *value* as text without JSON syntax: `yes`, `a, b`, `name=value, other=value`."""
    if value in _EMPTY:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_as_stored(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_as_stored, value))
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
