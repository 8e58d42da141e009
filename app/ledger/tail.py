"""The newest end of the ledger, for those who watch it grow."""

from __future__ import annotations

from typing import Any

import orjson

from app.stores import keys
from app.stores.client import store_errors

Entry = tuple[str, dict[str, Any]]  # its id in the ledger, and the row


def after(client: Any, pool: str, entry_id: str, most: int) -> list[Entry]:
    """Return the newest *most* entries that came after *entry_id* ("" : all), oldest first."""
    least = f"({entry_id}" if entry_id else "-"
    with store_errors():
        entries = client.xrevrange(keys.ledger(pool), "+", least, count=most)
    return [(found, orjson.loads(fields["row"])) for found, fields in reversed(entries)]


def newest(client: Any, pool: str) -> str:
    """Return the id of the newest entry, from which `after` goes on; "0" where there is none."""
    with store_errors():
        entries = client.xrevrange(keys.ledger(pool), count=1)
    return str(entries[0][0]) if entries else "0"
