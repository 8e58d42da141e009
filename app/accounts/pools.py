"""Pools: the unit of tenancy. A fresh install has one, `default`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any
from zoneinfo import available_timezones

import orjson

from app.accounts.settings import PoolSettings, settings_from, settings_of
from app.errors import InvalidRequest, NotFound
from app.stores import keys
from app.stores.client import store_errors
from app.stores.scripts import Scripts

DEFAULT = "default"
POLICIES = ("balanced", "round_robin", "least_loaded", "ordered", "use_before_reset")


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool as an administrator sees it."""

    name: str
    policy: str
    zone: str  # where its days begin
    accounts: int  # how many
    keys: int
    settings: dict[str, Any] = field(default_factory=dict)  # those that are not the defaults

    @property
    def effective(self) -> PoolSettings:
        return settings_of(self.settings)

    def public(self) -> dict[str, Any]:
        return asdict(self)


def checked_name(pool: str) -> str:
    """Return *pool* when it can name one. Raises InvalidRequest."""
    if keys.POOL_NAME.fullmatch(pool) is None:
        raise InvalidRequest(
            f"'{pool[:40]}' cannot name a pool: 1 to 32 of a-z, 0-9, '-' and '_'", param="pool"
        )
    return pool


def checked_policy(policy: str) -> str:
    """Return *policy* when there is one of that name. Raises InvalidRequest."""
    if policy not in POLICIES:
        raise InvalidRequest(f"'{policy[:40]}' is no policy; there are {', '.join(POLICIES)}", param="policy")
    return policy


def checked_zone(zone: str) -> str:
    """Return *zone* when it is an IANA time zone. Raises InvalidRequest."""
    if zone not in available_timezones():
        raise InvalidRequest(f"'{zone[:40]}' is not an IANA time zone", param="zone")
    return zone


class PoolRepository:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def ensure(self, pool: str) -> None:
        """Make *pool* if it is not there; one round trip, by way of a script, if it is."""
        if self._scripts.run("ensure_pool", checked_name(pool)) == 1:
            with store_errors():
                self._scripts.client.sadd(keys.POOLS, pool)

    def check(self, pool: str) -> None:
        """Raise NotFound when there is no *pool*; `default` is always there."""
        with store_errors():
            if pool != DEFAULT and not self._scripts.client.exists(keys.pool(checked_name(pool))):
                raise NotFound(f"There is no pool named '{pool}'", param="pool")

    def names(self) -> list[str]:
        with store_errors():
            return sorted(self._scripts.client.smembers(keys.POOLS))

    def settings(self, pool: str) -> PoolSettings:
        """Return the settings of *pool*. One round trip."""
        with store_errors():
            return settings_from(self._scripts.client.hget(keys.pool(pool), "settings") or "")

    def all(self) -> list[Pool]:
        """Return every pool by name."""
        names = self.names()
        with store_errors():
            pipeline = self._scripts.client.pipeline(transaction=False)
            for name in names:
                pipeline.hmget(keys.pool(name), "policy", "zone", "settings")
                pipeline.hlen(keys.account_names(name))
                pipeline.hlen(keys.key_names(name))
            answers = iter(pipeline.execute())
        return [
            Pool(
                name, policy or POLICIES[0], zone or "UTC", accounts, api_keys, orjson.loads(settings or "{}")
            )
            for name, (policy, zone, settings), accounts, api_keys in zip(
                names, answers, answers, answers, strict=True
            )
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
        Change *pool*, all at once or not at all; what is None stays.

        *zone*, an IANA name such as Europe/Berlin, is where its days begin. *settings* makes the
        stored text of `app.accounts.settings` from the one before. Raises InvalidRequest.
        """
        if policy is not None:
            checked_policy(policy)
        if zone is not None:
            checked_zone(zone)
        fields = {"policy": policy, "zone": zone}
        fields = {name: value for name, value in fields.items() if value is not None}
        while True:
            with store_errors():
                was = self._scripts.client.hget(keys.pool(pool), "settings") or ""
            changed = {"settings": settings(was)} if settings else {}
            if self._scripts.run_raw("set_pool", pool, {"fields": fields | changed, "was": was}):
                return
