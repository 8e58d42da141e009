"""
Read the usage windows that upstreams report, in the form that the store takes.

A window is [used percent, reset in Unix ms], with its length in seconds where it is known. The
store reads them, primary and secondary, as the `windows` of an outcome; None: not reported.
Sources: the `x-codex-*` headers and the usage endpoint of the ChatGPT backend;
https://platform.openai.com/docs/guides/rate-limits for `x-ratelimit-*`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.durations import seconds_in
from app.stores.records.accounts import AccountOutcome
from schemas import bounds

Windows = list[list[float] | None]

MIN_RESET_SECONDS = 1.0  # windows that reset sooner are not stored
UNKNOWN_RESET_SECONDS = 600.0  # assumed for a spent account whose upstream names no end


def windows_from_headers(headers: Mapping[str, str], now: float) -> Windows | None:
    """
    Return the windows that a response's *headers* report, else None. Absent headers cost almost nothing.

    The names in *headers* are matched without case or are in lower case. *now* is in Unix seconds.
    """
    if "x-codex-primary-used-percent" in headers or "x-codex-secondary-used-percent" in headers:
        return _windows([_codex_headers(headers, name) for name in ("primary", "secondary")], now)
    if "x-ratelimit-limit-requests" in headers or "x-ratelimit-limit-tokens" in headers:
        return _windows([_rate_headers(headers, name) for name in ("requests", "tokens")], now)
    return None


def windows_from_usage(payload: Mapping[str, Any], now: float) -> Windows | None:
    """Return the windows in the usage endpoint's response."""
    limits = _object(payload.get("rate_limit"))
    return _windows([_object(limits.get(name)) for name in ("primary_window", "secondary_window")], now)


def has_room(payload: Mapping[str, Any]) -> bool | None:
    """Return whether the usage endpoint would accept a request; None when it does not report that."""
    limits = _object(payload.get("rate_limit"))
    allowed, reached = limits.get("allowed"), limits.get("limit_reached")
    if allowed is False or reached is True:
        return False
    return True if allowed is True or reached is False else None


def outcome_from_usage(payload: Mapping[str, Any], now: float) -> AccountOutcome:
    """Return the outcome of a query of the usage endpoint: its windows, and the state if one is spent."""
    windows = windows_from_usage(payload, now)
    outcome: AccountOutcome = {"windows": windows} if windows else {}
    if has_room(payload) is not False:
        return outcome
    full = [window[1] for window in windows or [] if window and window[0] >= 100]
    wait_ms = int(max(full) - now * 1000) if full else int(UNKNOWN_RESET_SECONDS * 1000)
    return outcome | {"state": "window_spent", "reason": "usage_limit_reached", "wait_ms": wait_ms}


def _windows(reported: list[Mapping[str, Any]], now: float) -> Windows | None:
    """Return [primary, secondary], None for a window whose use or end is not reported."""
    windows = [_window(window, now) for window in reported]
    while windows and windows[-1] is None:
        windows.pop()
    return windows or None


def _window(reported: Mapping[str, Any], now: float) -> list[float] | None:
    used, seconds = bounds.percent(reported.get("used_percent")), _seconds_left(reported, now)
    if used is None or seconds is None or not MIN_RESET_SECONDS <= seconds <= bounds.MAX_WAIT_SECONDS:
        return None
    length = _length(reported)
    return [used, int((now + seconds) * 1000), *([length] if length else [])]


def _length(window: Mapping[str, Any]) -> int:
    """Return the length of a window in seconds, 0 if it is not reported."""
    seconds = bounds.number(window.get("limit_window_seconds"))
    minutes = bounds.number(window.get("window_minutes"))
    return int(bounds.lifetime_seconds(seconds or 60 * (minutes or 0)) or 0)


def _seconds_left(window: Mapping[str, Any], now: float) -> float | None:
    """Return the seconds until the reset; the window's length if only that is reported."""
    if (resets_at := bounds.moment(window.get("reset_at"))) is not None:
        return resets_at - now
    if (seconds := bounds.number(window.get("reset_after_seconds"))) is not None:
        return seconds
    if (seconds := bounds.number(window.get("limit_window_seconds"))) is not None:
        return seconds
    minutes = bounds.number(window.get("window_minutes"))
    return None if minutes is None else minutes * 60


def _codex_headers(headers: Mapping[str, str], name: str) -> dict[str, str | None]:
    fields = ("used_percent", "reset_at", "reset_after_seconds", "window_minutes")
    return {field: headers.get(f"x-codex-{name}-{field.replace('_', '-')}") for field in fields}


def _rate_headers(headers: Mapping[str, str], name: str) -> dict[str, float]:
    """Return the window of *name*, `requests` or `tokens`, in the form of the other windows."""
    limit, left = (
        bounds.number(headers.get(f"x-ratelimit-{part}-{name}")) for part in ("limit", "remaining")
    )
    seconds = _duration(headers.get(f"x-ratelimit-reset-{name}"))
    if not limit or left is None or seconds is None:
        return {}
    return {"used_percent": max(0.0, 100 * (1 - left / limit)), "reset_after_seconds": seconds}


def _duration(text: str | None) -> float | None:
    """Return the seconds in `6m0s`, `1.5s`, `20ms` or a number of seconds."""
    if (seconds := bounds.number(text)) is not None:
        return seconds
    return seconds_in(text) if text else None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
