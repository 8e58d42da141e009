"""What the desk's nouns share: the books, the actor, and how a change is audited."""

from __future__ import annotations

from contextlib import AbstractContextManager

from app.operations.dependencies import Dependencies
from app.operators.actor import Actor
from app.operators.audit import Change


class AuditedOperations:
    def __init__(self, dependencies: Dependencies, actor: Actor) -> None:
        self._parts = dependencies
        self._actor = actor

    def _change(self, action: str, pool: str, name: str) -> AbstractContextManager[Change]:
        return self._parts.audit.change(self._actor, action, pool, name)

    def _ensure(self, pool: str) -> None:
        """Make *pool* where it is not there: naming a new one is how it is made."""
        if pool in self._parts.pools.names():
            return
        with self._change("pool.create", pool, pool):
            self._parts.pools.ensure(pool)
