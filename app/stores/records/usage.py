"""Current usage: of an API key, of its limits, and of the usage windows of its pool's accounts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.stores.records.limits import LimitStatus


class UsageBy(StrEnum):
    """What usage is grouped by."""

    KEY = "key"
    TEAM = "team"
    ACCOUNT = "account"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class UpstreamWindow:
    """A usage window over a pool's ChatGPT accounts: the mean usage, and when the first one resets."""

    used_percent: float
    resets_at: int | None  # Unix seconds
    seconds: int | None = None  # length of the longest window in seconds; None: unknown


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """What an API key has used, and the status of the limits that apply to it."""

    used: dict[str, int]  # figure -> total amount since the key was created
    limits: list[LimitStatus]
    windows: list[UpstreamWindow | None]  # [primary, secondary]; None: not reported by any account
