"""Settings of a pool for all its requests, parsed once per version of their text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import orjson

from app.config import MAX_TIME_LIMIT_SECONDS, ConfigError, TimeLimits
from app.errors import InvalidRequest
from app.patterns import MAX_STARS, STAR, matches, pattern_error
from schemas.bounds import MAX_TIME_LIMIT_PATTERNS, POOL_NUMBERS

TIME_LIMITS = tuple(limit.name for limit in fields(TimeLimits))
EVERY_MODEL = "*"
FLAGS = ("names_accounts", "tells_windows", "holders_rotate")  # see PoolSettings
CHOICES = {  # values of each setting; the first is the default
    "stream_upstream": ("auto", "always", "never"),
}
MAX_PATTERN_CHARS = 4096  # of a stored pattern; new ones must be shorter


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """The settings of a pool. `time_limits`: overrides in seconds by model pattern, most specific last."""

    time_limits: tuple[tuple[str, Mapping[str, float]], ...] = ()
    names_accounts: bool = True  # whether responses name their account
    tells_windows: bool = True  # whether callers see the used part of the pool's upstream windows
    holders_rotate: bool = True  # whether the holders of keys may rotate them on their page
    stream_upstream: str = "auto"  # whether upstreams are requested to stream
    # How long after its last turn a conversation stays at its account; 0: not at all
    affinity_minutes: int = 30
    keep_days: int = 30  # how long ledger entries and hourly totals are stored, which bounds the charts
    # Sizes that strict token limits assume for a model without a size in the price list. The output length is
    # sent to the upstream if a request sets none; servers with a small context refuse a large one.
    assumed_output_tokens: int = 8192  # 0: no assumption, so strict limits refuse such requests
    assumed_context_tokens: int = 131_072  # for files and images, whose tokens cannot be counted
    queue_seconds: int = 10  # longest wait while all accounts are busy; API keys may have their own
    queue_length: int = 256  # longest queue; in a full one, a request with precedence replaces the last

    def limits_for(self, model: str, base: TimeLimits) -> TimeLimits:
        """Return *base* with the overrides of this pool for *model*."""
        for pattern, overrides in self.time_limits:
            if matches(pattern, model):
                base = replace(base, **overrides)
        return base


DEFAULTS = PoolSettings()


@lru_cache(maxsize=256)
def settings_from(text: str) -> PoolSettings:
    """Return the settings in a pool's stored JSON; '' means the defaults."""
    return settings_of(orjson.loads(text)) if text else DEFAULTS


def settings_of(stored: Mapping[str, Any]) -> PoolSettings:
    """Return the settings in a pool's stored object; absent ones have their defaults."""
    limits = stored.get("time_limits", {})
    return PoolSettings(
        time_limits=tuple(
            (
                pattern,
                {name: min(seconds, MAX_TIME_LIMIT_SECONDS) for name, seconds in limits[pattern].items()},
            )
            for pattern in sorted(limits, key=_specificity)
        ),
        **{name: stored[name] for name in (*FLAGS, *CHOICES, *POOL_NUMBERS) if name in stored},
    )


def check_settings(text: str) -> None:
    """
    Check stored settings *text* by the rules for setting each one. Raises InvalidRequest.

    Time limits that earlier versions accepted pass: longer ones, for more models, or for names refused now.
    """
    stored = orjson.loads(text or "{}")
    for pattern, limits in stored.get("time_limits", {}).items():
        if not 0 < len(pattern) <= MAX_PATTERN_CHARS or pattern.count(STAR) > MAX_STARS:
            raise InvalidRequest("A time limit must be of a model or a pattern", param="time_limit")
        for name, seconds in limits.items():
            if type(seconds) not in (int, float):
                raise InvalidRequest("A time limit must be a number of seconds", param="time_limit")
            _check_time_limit(name, min(seconds, MAX_TIME_LIMIT_SECONDS))
    settings = settings_of(stored)
    for pattern, _ in settings.time_limits:
        _check_combination(settings, pattern)
    for name in (*FLAGS, *CHOICES, *POOL_NUMBERS):
        if name not in stored:
            continue
        value = stored[name]
        if name in POOL_NUMBERS:
            with_number("", name, value)
        elif name in CHOICES:
            with_choice("", name, value)
        elif type(value) is not bool:
            raise InvalidRequest(f"{name} must be true or false", param=name)


def _specificity(pattern: str) -> tuple[bool, int, str]:
    return pattern != EVERY_MODEL, len(pattern), pattern


def with_time_limit(text: str, pattern: str, name: str, seconds: float | None) -> str:
    """
    Return stored settings *text* with one time limit set, or removed if *seconds* is None.

    Raises InvalidRequest for a limit that does not exist, or does not fit with the others.
    """
    _check_time_limit(name, seconds)
    if error := pattern_error(pattern):
        raise InvalidRequest(f"A pattern of models {error}", param="time_limit")
    stored: dict[str, Any] = orjson.loads(text or "{}")
    patterns = stored.setdefault("time_limits", {})
    if pattern not in patterns and len(patterns) >= MAX_TIME_LIMIT_PATTERNS:
        raise InvalidRequest(
            f"A pool has time limits for at most {MAX_TIME_LIMIT_PATTERNS} models or patterns",
            param="time_limit",
        )
    overrides = patterns.setdefault(pattern, {})
    if seconds is None:
        overrides.pop(name, None)
    else:
        overrides[name] = seconds
    changed = orjson.dumps(stored).decode()
    _check_combination(settings_from(changed), pattern)
    return changed


def _check_time_limit(name: str, seconds: float | None) -> None:
    """Raise InvalidRequest unless *name* may be limited to *seconds*; None removes its limit."""
    if name not in TIME_LIMITS:
        raise InvalidRequest(
            f"'{name[:40]}' is no time limit; there are {', '.join(TIME_LIMITS)}", param="time_limit"
        )
    if seconds is not None and not 0 < seconds <= MAX_TIME_LIMIT_SECONDS:
        raise InvalidRequest(
            f"The time limit {name} must be more than 0 and at most {MAX_TIME_LIMIT_SECONDS} seconds",
            param="time_limit",
        )


def _check_combination(settings: PoolSettings, pattern: str) -> None:
    """Raise InvalidRequest unless the time limits of models that match *pattern* fit with each other."""
    try:
        settings.limits_for(pattern.replace("*", "x"), TimeLimits())
    except ConfigError as error:
        raise InvalidRequest(str(error), param="time_limit") from None


def with_flag(text: str, name: str, value: bool) -> str:
    """Return stored settings *text* with *name*, one of FLAGS, set to *value*."""
    return _with(text, name, value)


def with_choice(text: str, name: str, value: str) -> str:
    """Return stored settings *text* with *name*, one of CHOICES, set to *value*. Raises InvalidRequest."""
    if value not in CHOICES[name]:
        raise InvalidRequest(f"{name} must be one of {', '.join(CHOICES[name])}", param=name)
    return _with(text, name, value)


def with_number(text: str, name: str, value: int | str) -> str:
    """Return stored settings *text* with *name*, a pool number, set to *value*. Raises InvalidRequest."""
    minimum, maximum = POOL_NUMBERS[name]
    if not isinstance(value, int) or not minimum <= value <= maximum:
        raise InvalidRequest(f"{name} must be a whole number from {minimum} to {maximum}", param=name)
    return _with(text, name, value)


def _with(text: str, name: str, value: object) -> str:
    return orjson.dumps({**orjson.loads(text or "{}"), name: value}).decode()
