"""Pools, the unit of tenancy. A new installation has one, `default`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypedDict
from zoneinfo import available_timezones

import orjson

from app.accounts.settings import PoolSettings, settings_from, settings_of
from app.errors import InvalidRequest, NotFound
from app.records import public_fields
from app.stores import keys
from app.stores.pools import PoolHashes
from app.stores.scripts import Scripts
from app.suggestions import suggestion

DEFAULT = "default"
POLICY_DESCRIPTIONS = {  # policy -> which account it picks; the first is the default
    "balanced": "the least used account with capacity",
    "round_robin": "accounts in turn, by weight",
    "least_loaded": "the account with the fewest requests in flight",
    "ordered": "the lowest group with capacity",
    "use_before_reset": "quota that expires first is used first",
}
POLICIES = tuple(POLICY_DESCRIPTIONS)


class PoolJson(TypedDict):
    """The public fields of a Pool."""

    name: str
    policy: str
    zone: str
    accounts: int
    keys: int
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool as an administrator sees it."""

    name: str
    policy: str
    zone: str  # time zone in which its days begin
    accounts: int  # number of accounts
    keys: int
    settings: dict[str, Any] = field(default_factory=dict)  # settings that differ from the defaults

    @property
    def effective(self) -> PoolSettings:
        return settings_of(self.settings)

    def public(self) -> PoolJson:
        return public_fields(self, PoolJson)


def checked_name(pool: str) -> str:
    """Return *pool* if it is a valid name. Raises InvalidRequest."""
    if keys.POOL_NAME.fullmatch(pool) is None:
        raise InvalidRequest(
            f"'{pool[:40]}' cannot name a pool: 1 to 32 of a-z, 0-9, '-' and '_'", param="pool"
        )
    return pool


def checked_policy(policy: str) -> str:
    """Return *policy* if it is a known name. Raises InvalidRequest."""
    if policy not in POLICIES:
        raise InvalidRequest(f"'{policy[:40]}' is no policy; there are {', '.join(POLICIES)}", param="policy")
    return policy


def checked_zone(zone: str) -> str:
    """Return *zone* when it is an IANA time zone. Raises InvalidRequest, which names one of that city."""
    known = available_timezones()
    if zone not in known:
        of_city = sorted(name for name in known if name.lower().endswith(f"/{zone.lower()}"))
        similar = f". Did you mean '{of_city[0]}'?" if of_city else suggestion(zone, sorted(known))
        raise InvalidRequest(f"'{zone[:40]}' is not an IANA time zone{similar}", param="zone")
    return zone


class PoolRepository:
    """Pools and their settings: policy, time zone, and those of `PoolSettings`."""

    def __init__(self, scripts: Scripts) -> None:
        self._store = PoolHashes(scripts)

    def ensure(self, pool: str) -> None:
        """Create *pool* if it does not exist. One round trip if it exists. Raises InvalidRequest."""
        self._store.ensure(checked_name(pool))

    def check(self, pool: str) -> None:
        """Raise NotFound if *pool* does not exist; `default` always exists."""
        if pool != DEFAULT and not self._store.exists(checked_name(pool)):
            similar = suggestion(pool, self.names())
            raise NotFound(f"There is no pool named '{pool}'{similar}", param="pool")

    def names(self) -> list[str]:
        """Return the names of all pools, in order."""
        return self._store.names()

    def settings(self, pool: str) -> PoolSettings:
        """Return the settings of *pool*. One round trip."""
        return settings_from(self._store.settings_text(pool))

    def all(self) -> list[Pool]:
        """Return every pool by name."""
        return [
            Pool(
                stored.name,
                stored.policy or POLICIES[0],
                stored.zone or "UTC",
                stored.accounts,
                stored.api_keys,
                orjson.loads(stored.settings or "{}"),
            )
            for stored in self._store.read_all(self.names())
        ]

    def change(
        self,
        pool: str,
        *,
        policy: str | None = None,
        zone: str | None = None,
        settings: Callable[[str], str] | None = None,
    ) -> None:
        """
        Change *pool*, completely or not at all; None leaves a field unchanged.

        *zone*, an IANA name such as Europe/Berlin, is where its days begin. *settings* makes the new
        stored text of `app.accounts.settings` from the previous one. Raises InvalidRequest.
        """
        fields = {}
        if policy is not None:
            fields["policy"] = checked_policy(policy)
        if zone is not None:
            fields["zone"] = checked_zone(zone)
        is_stored = False
        while not is_stored:
            previous = self._store.settings_text(pool)
            changed = {"settings": settings(previous)} if settings else {}
            is_stored = self._store.change(pool, fields | changed, previous)
