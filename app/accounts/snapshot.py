"""How the accounts of a pool do just now, and no more: what is looked at again every second."""

from __future__ import annotations

from typing import Any

from app.accounts.account import Account, account_from
from app.stores import keys
from app.stores.client import store_errors

FIELDS = (
    *("id", "name", "kind", "base_url", "wires", "weight", "cap", "group", "created_ms", "expires_ms"),
    *("state", "reason", "since_ms", "until_ms", "in_flight"),
    *("attempts", "failed_attempts", "rescues"),
    *("used_1", "used_2", "reset_1", "reset_2", "length_1", "length_2"),
)


def glance(client: Any, pool: str) -> list[Account]:
    """Return every account by name, without its models, its sign-in or its credential. Two round trips."""
    with store_errors():
        names = client.hgetall(keys.account_names(pool))
        pipeline = client.pipeline(transaction=False)
        for _, account_id in sorted(names.items()):
            pipeline.hmget(keys.account(pool, account_id), FIELDS)
        records = pipeline.execute()
    found = [
        {name: value for name, value in zip(FIELDS, record, strict=True) if value is not None}
        for record in records
    ]
    return [account_from(fields, lambda _: "") for fields in found if "id" in fields]
