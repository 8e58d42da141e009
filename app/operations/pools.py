"""Create and change pools. A change that names a new pool creates it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial, reduce
from typing import Any

from app.accounts.pools import POLICIES, Pool, PoolRepository, checked_name, checked_policy, checked_zone
from app.accounts.settings import CHOICES, FLAGS, with_choice, with_flag, with_number, with_time_limit
from app.errors import InvalidRequest
from app.operations.audit_trail import AuditedOperations, AuditTrail
from schemas.bounds import POOL_NUMBERS

Step = Callable[[str], str]


def setting_steps(fields: Mapping[str, Any]) -> Iterator[Step]:
    """
    Yield the steps that set the settings in *fields*, those of a valid PoolChange.

    A time limit of None resets it to the default.
    """
    for pattern, limits in fields.get("time_limits", {}).items():
        for name, seconds in limits.items():
            yield partial(with_time_limit, pattern=pattern, name=name, seconds=seconds)
    for name in fields.keys() & set(CHOICES):
        yield partial(with_choice, name=name, value=fields[name])
    for name in fields.keys() & set(FLAGS):
        yield partial(with_flag, name=name, value=fields[name])
    for name in POOL_NUMBERS.keys() & fields.keys():
        yield partial(with_number, name=name, value=fields[name])


class PoolOperations(AuditedOperations):
    def __init__(self, audit: AuditTrail, pools: PoolRepository) -> None:
        super().__init__(audit)
        self._pools = pools

    def create(self, pool: str, *, policy: str | None = None, zone: str | None = None) -> Pool:
        """
        Create *pool*.

        Raises InvalidRequest if it exists or a value is invalid; nothing is created then.
        """
        checked_policy(policy or POLICIES[0])
        checked_zone(zone or "UTC")
        if checked_name(pool) in self._pools.names():
            raise InvalidRequest(f"A pool named '{pool}' exists", param="name")
        self._audit.ensure_pool(pool)
        return self.change(pool, policy=policy, zone=zone) if policy or zone else self.read(pool)

    def change(
        self,
        pool: str,
        *,
        policy: str | None = None,
        zone: str | None = None,
        steps: Sequence[Step] = (),
    ) -> Pool:
        """
        Change *pool* in one transaction; None leaves a value as it is.

        Each of *steps* maps the stored text of the pool's settings to a new text; see
        `app.accounts.settings`.
        """
        self._audit.ensure_pool(pool)
        before = self.read(pool)
        with self._audit.change("pool.change", pool, pool) as change:
            self._pools.change(
                pool,
                policy=policy,
                zone=zone,
                settings=(lambda text: reduce(lambda stored, step: step(stored), steps, text))
                if steps
                else None,
            )
            after = self.read(pool)
            change.before, change.after = before.public(), after.public()
        return after

    def read(self, pool: str) -> Pool:
        """Return *pool*. Raises NotFound."""
        self._pools.check(pool)
        pools = {stored.name: stored for stored in self._pools.all()}
        if pool not in pools:  # the pool `default` exists even if it is not stored
            self._audit.ensure_pool(pool)
            pools = {stored.name: stored for stored in self._pools.all()}
        return pools[pool]
