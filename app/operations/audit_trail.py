"""Record the changes of one actor in the audit log."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from app.accounts.pools import PoolRepository
from app.stores.audit import AuditLog
from app.stores.records.audit import Actor, Change


@dataclass(frozen=True, slots=True)
class AuditTrail:
    """The audit log as *actor* writes it; also creates pools that a change names."""

    log: AuditLog
    actor: Actor
    pools: PoolRepository

    def change(self, action: str, pool: str, name: str) -> AbstractContextManager[Change]:
        """Record the change that the block makes, see `AuditLog.change`."""
        return self.log.change(self.actor, action, pool, name)

    def note(self, action: str, pool: str, name: str, **extra: object) -> None:
        """Record an action that changes no stored data."""
        self.log.note(self.actor, action, pool, name, **extra)

    def ensure_pool(self, pool: str) -> None:
        """Create *pool* if it does not exist; a change that names a new pool creates it."""
        if pool in self.pools.names():
            return
        with self.change("pool.create", pool, pool):
            self.pools.ensure(pool)


class AuditedOperations:
    """Base of the operations on one noun; every change goes through `_audit`."""

    def __init__(self, audit: AuditTrail) -> None:
        self._audit = audit
