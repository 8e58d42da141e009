"""What operators do with pools. One that is named and not there is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from app.accounts.pools import POLICIES, Pool, checked_name, checked_policy, checked_zone
from app.errors import InvalidRequest
from app.operations.base import AuditedOperations

Step = Callable[[str], str]


class Pools(AuditedOperations):
    def create_pool(self, pool: str, *, policy: str | None = None, zone: str | None = None) -> Pool:
        """Make *pool*. Raises InvalidRequest where there is one of that name, and nothing is made."""
        checked_policy(policy or POLICIES[0])
        checked_zone(zone or "UTC")
        if checked_name(pool) in self._parts.pools.names():
            raise InvalidRequest(f"A pool named '{pool}' exists", param="name")
        self._ensure(pool)
        return self.change_pool(pool, policy=policy, zone=zone) if policy or zone else self.pool(pool)

    def change_pool(
        self,
        pool: str,
        *,
        policy: str | None = None,
        zone: str | None = None,
        steps: Sequence[Step] = (),
    ) -> Pool:
        """
        Change *pool*, all at once or not at all; what is None stays.

        *steps* lead from one stored text of its settings to the next, see `app.accounts.settings`.
        """
        self._ensure(pool)
        before = self.pool(pool)
        with self._change("pool.change", pool, pool) as change:
            self._parts.pools.change(
                pool,
                policy=policy,
                zone=zone,
                settings=(lambda text: reduce(lambda was, step: step(was), steps, text)) if steps else None,
            )
            after = self.pool(pool)
            change.before, change.after = before.public(), after.public()
        return after

    def pool(self, pool: str) -> Pool:
        """Return *pool* as it is. Raises NotFound."""
        self._parts.pools.check(pool)
        known = {one.name: one for one in self._parts.pools.all()}
        if pool not in known:  # `default`, which is there before anybody made it
            self._ensure(pool)
            known = {one.name: one for one in self._parts.pools.all()}
        return known[pool]
