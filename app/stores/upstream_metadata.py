"""
Upstream metadata of accounts that a few endpoints show: the model catalogue and the usage of a plan.

JSON objects of a bounded size, outside the account's record, which every request reads. Each expires a day
after its last update.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from app.stores import keys
from app.stores.scripts import Scripts

RETAINED_SECONDS = 86_400
MAX_BYTES = 1024 * 1024  # largest object that is stored


class UpstreamMetadataRepository:
    """The newest object of each topic (`catalogue`, `usage`) for each account."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def put(self, pool: str, account_id: str, topic: str, payload: Mapping[str, Any]) -> None:
        """Store *payload* for a day in place of the previous one. Raises StoreUnavailable."""
        text = orjson.dumps(payload)
        if len(text) <= MAX_BYTES:
            self._scripts.client.set(
                keys.upstream_metadata(pool, account_id, topic), text.decode(), ex=RETAINED_SECONDS
            )

    def get(self, pool: str, topic: str, account_ids: Iterable[str]) -> list[dict[str, Any]]:
        """Return the stored objects of *account_ids*, in their order. Raises StoreUnavailable."""
        names = [keys.upstream_metadata(pool, account_id, topic) for account_id in account_ids]
        if not names:
            return []
        return [orjson.loads(text) for text in self._scripts.client.mget(names) if text]
