"""What operators do with limits, of a key (named) or of a whole pool (no key named)."""

from __future__ import annotations

from typing import Any

from app.limits.limit_syntax import format_limit
from app.operations.base import AuditedOperations
from app.stores.limits import FOR_POOL
from app.stores.records.limits import Limit


class Limits(AuditedOperations):
    def add_limit(self, pool: str, limit: Limit, key: str | None = None) -> Limit:
        """Add *limit*, as `parse_limit` returns one; what its window has seen counts already."""
        owner = self._owner(pool, key)
        with self._change("limit.add", pool, self._object(pool, key)) as change:
            added = self._parts.limits.add(pool, limit, owner)
            change.after = _told(added)
        return added

    def edit_limit(self, pool: str, limit_id: str, wanted: Limit, key: str | None = None) -> Limit:
        """Give a limit another maximum or mode; its counter goes on. Raises NotFound, InvalidRequest."""
        owner = self._owner(pool, key)
        before = self._limit(pool, owner, limit_id)
        with self._change("limit.change", pool, self._object(pool, key)) as change:
            edited = self._parts.limits.edit(pool, limit_id, wanted, owner)
            change.before, change.after = before, _told(edited)
            change.beside = {"limit": limit_id}
        return edited

    def remove_limit(self, pool: str, limit_id: str, key: str | None = None) -> None:
        """Remove a limit and what it has counted. Raises NotFound."""
        owner = self._owner(pool, key)
        before = self._limit(pool, owner, limit_id)
        with self._change("limit.remove", pool, self._object(pool, key)) as change:
            change.before = before
            self._parts.limits.remove(pool, limit_id, owner)

    def _owner(self, pool: str, key: str | None) -> str:
        return FOR_POOL if key is None else self._parts.api_keys.find(pool, key).id

    def _limit(self, pool: str, owner: str, limit_id: str) -> dict[str, Any] | None:
        known = self._parts.limits.all(pool, owner)
        return next((_told(one) for one in known if one.id == limit_id), None)

    @staticmethod
    def _object(pool: str, key: str | None) -> str:
        return pool if key is None else key


def _told(limit: Limit) -> dict[str, Any]:
    return {"id": limit.id, "limit": format_limit(limit)}
