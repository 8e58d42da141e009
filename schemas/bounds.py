"""
Bounds of values that clients and upstreams send, with the reason for each, and parsers.

Every package may use this module: it is pure and imports no other module of the project. Numbers, waits,
dates and texts are bounded where they are read. A parser returns None for an implausible value, which is then
treated as absent.
"""

from __future__ import annotations

import math
import re
from typing import Any

MAX_TOKENS = 10**12  # thousands of times any context window; sums of a year stay below 2**53
MAX_COST = 10**13  # micro-dollars of one request: ten million dollars; Lua and cjson are exact to 14 digits
MAX_WAIT_SECONDS = 90 * 86_400  # longer than any usage window: a quarter
MAX_LIFETIME_SECONDS = 366 * 86_400  # longest lifetime of a credential, and length of a usage window
MAX_PERCENT = 100.0
LATEST_AT = 4_102_444_800  # 2100-01-01; there is no lower bound, since any past date is over
MAX_NUMBER_CHARS = 64  # of a number written as text; parsing time grows with its length
MAX_TEXT_CHARS = 256  # of a name or an id: of a model, an account, a key, a conversation
MAX_LISTED_MODELS = 5000  # per upstream; the longest known list, of an aggregator, has hundreds
MAX_LISTED_BYTES = 1024 * 1024  # of the stored list, as JSON: 5,000 names of 200 bytes
MAX_CREDENTIAL_CHARS = 16_000  # servers refuse longer headers; tokens of large identity providers have 8,000
MAX_TIER_CHARS = 64  # of a service tier; known tiers have up to eight
POOL_NUMBERS = {  # numeric settings of a pool: (minimum, maximum)
    "keep_days": (1, 3650),
    "affinity_minutes": (0, 7 * 24 * 60),
    "assumed_output_tokens": (0, 10_000_000),
    "assumed_context_tokens": (0, 100_000_000),
    "queue_seconds": (0, 600),  # as long as most clients wait for a response
    "queue_length": (1, 1000),  # each one is tried every 0.75 s, for some 100 us of the store
}
MAX_KEY_WEIGHT = 1000  # of a key in the queue; the default is 1
# Lists that operators write and every admission reads; meanwhile the script or worker does nothing else.
MAX_LIMITS = 64  # per key and per pool: several units and periods for several models; 0.06 ms each
MAX_KEY_MODELS = 1000  # models that a key allows: more than any upstream lists, except aggregators
MAX_KEY_ACCOUNTS = 1000  # accounts that a key may use
MAX_ACCOUNT_MODELS = MAX_LISTED_MODELS  # allowed models of an account: as many as it may list
MAX_ACCOUNT_HEADERS = 32  # per account, public and secret ones together
MAX_MODEL_NAMES = 256  # per account: names of callers with another name at the upstream
MAX_OWN_FIELDS = 16  # fields that requests to an account leave out, and as many that they set
MAX_OWN_FIELD_BYTES = 4096  # of all fields that are set, as JSON: settings, not texts
MAX_OWN_FIELD_LEVELS = 5  # nested objects and arrays in a field that is set
MAX_CERTIFICATES = 16  # CA certificates of an account
MAX_CERTIFICATE_CHARS = 32_768  # of all these together, in PEM
MAX_TIME_LIMIT_PATTERNS = 64  # per pool: models with their own time limits
MAX_OWN_PRICES = 2000  # per pool; a name without its own price is compared with each
MAX_ROUTES = 500  # per pool; a name without its own route is compared with each pattern
MAX_ROUTE_STEPS = 16
MAX_ROUTE_TARGETS = 16  # per step
MAX_ROUTE_WEIGHT = 1_000_000
MAX_ROUTE_ATTEMPTS = 32  # targets that one request tries, including those of its fallbacks
MAX_WEBHOOKS = 10  # per pool; each has its own open alerts and pending messages
MAX_WEBHOOK_URL_CHARS = 2048
MAX_REMINDER_HOURS = 720  # 30 days
MAX_METADATA_PAIRS = 16  # as the OpenAI API documents `metadata`
MAX_METADATA_KEY_CHARS = 64
MAX_METADATA_VALUE_CHARS = 512


def name_error(name: str) -> str:
    """Return the reason that *name* cannot be the name of a model, as a predicate; '' if it can."""
    if not 0 < len(name) <= MAX_TEXT_CHARS:
        return f"must have 1 to {MAX_TEXT_CHARS} characters"
    if name != name.strip():
        return "must not begin or end with a space"  # some upstreams ignore it, so it would be another name
    return "" if name.isprintable() else "must not have unprintable characters"


_INTEGER = re.compile(r"[0-9]{1,15}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


def parse_integer(text: str) -> int | None:
    """
    Parse a whole number of up to 15 ASCII digits; None for any other text.

    Python's `int` accepts more, which no one means as a number: `1_0`, ` 1`, and digits of any script.
    """
    return int(text) if _INTEGER.fullmatch(text) else None


def parse_number(text: str) -> float | None:
    """Parse a finite decimal number; None for any other text, such as `1_0`, ` 1`, `inf` and `nan`."""
    if len(text) > MAX_NUMBER_CHARS or not _NUMBER.fullmatch(text):
        return None
    parsed = float(text)
    return parsed if math.isfinite(parsed) else None


def number(value: Any) -> float | None:
    """Return a finite, non-negative number, given as a number or a short text; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        value = value.strip(" \t")
        if len(value) > MAX_NUMBER_CHARS or not _NUMBER.fullmatch(value):
            return None
    try:
        parsed = float(value)
    except OverflowError:
        return None
    return parsed if math.isfinite(parsed) and parsed >= 0 else None


def tokens(value: Any) -> int | None:
    """Return a token count; None for an implausible one. 5.0 is 5, because JSON has one number type."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_TOKENS else None


def wait_seconds(value: Any) -> float | None:
    """Return a wait in seconds, or None for an implausible one above `MAX_WAIT_SECONDS`."""
    parsed = number(value)
    return parsed if parsed is not None and parsed <= MAX_WAIT_SECONDS else None


def lifetime_seconds(value: Any) -> float | None:
    """Return a lifetime in seconds, at most `MAX_LIFETIME_SECONDS`."""
    parsed = number(value)
    return None if parsed is None else min(parsed, MAX_LIFETIME_SECONDS)


def percent(value: Any) -> float | None:
    """Return a percentage, at most 100."""
    parsed = number(value)
    return None if parsed is None else min(parsed, MAX_PERCENT)


def moment(value: Any) -> float | None:
    """Return a date in Unix seconds, or None for one after this century."""
    parsed = number(value)
    return parsed if parsed is not None and parsed <= LATEST_AT else None


def text(value: Any, max_chars: int = MAX_TEXT_CHARS) -> str | None:
    """Return the first *max_chars* characters of a non-empty string; None for any other value."""
    return value[:max_chars] if isinstance(value, str) and value else None
