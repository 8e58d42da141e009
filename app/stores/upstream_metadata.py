"""
What upstreams tell of their accounts that serving does not need: a few endpoints show it.

JSON objects of a bounded size beside the account, which every request reads; each ends by itself
when nobody tells it any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from app.stores import keys
from app.stores.scripts import Scripts

KEPT_SECONDS = 86_400
MAX_BYTES = 1024 * 1024  # of one object; a larger one is not kept


class UpstreamMetadataStore:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def keep(self, pool: str, account_id: str, what: str, told: Mapping[str, Any]) -> None:
        """Keep *told* for a day in place of what was told before. Raises StoreUnavailable."""
        text = orjson.dumps(told)
        if len(text) <= MAX_BYTES:
            self._scripts.client.set(keys.told(pool, account_id, what), text.decode(), ex=KEPT_SECONDS)

    def all(self, pool: str, what: str, account_ids: Iterable[str]) -> list[dict[str, Any]]:
        """Return what is kept of these accounts, in their order. Raises StoreUnavailable."""
        names = [keys.told(pool, account_id, what) for account_id in account_ids]
        if not names:
            return []
        return [orjson.loads(text) for text in self._scripts.client.mget(names) if text]
