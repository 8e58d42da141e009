"""A pool as it is stored."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredPool:
    """Fields that are not set are empty; *settings* is JSON; the last two are numbers of members."""

    name: str
    policy: str
    zone: str
    settings: str
    accounts: int
    api_keys: int
