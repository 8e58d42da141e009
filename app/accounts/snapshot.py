"""The current state of a pool's accounts, for pages that refresh every second."""

from __future__ import annotations

from app.accounts.account import Account
from app.accounts.account_reading import account_from
from app.stores.accounts import AccountHashes
from app.stores.scripts import Scripts

FIELDS = (
    *(
        "id",
        "name",
        "kind",
        "base_url",
        "wires",
        "weight",
        "cap",
        "group",
        "stream_upstream",
        "created_ms",
        "expires_ms",
    ),
    *("state", "reason", "since_ms", "until_ms", "in_flight"),
    *("attempts", "failed_attempts", "rescues"),
    *("errors", "probe", "streak", "streak_ok", "streak_of", "unanswered", "unproven", "look_models"),
    *("used_1", "used_2", "reset_1", "reset_2", "length_1", "length_2"),
)


def read_current_accounts(scripts: Scripts, pool: str) -> list[Account]:
    """
    Return every account by name, without its models, its sign-in or its credential. Two round trips.

    Whether an account has listed its models is known, as `has_answered` depends on it.
    """
    found = AccountHashes(scripts).read_some_and_whether(pool, FIELDS, "listed")
    return [
        account_from(fields | ({"listed": "[]"} if has_listed else {}), lambda _: "")
        for fields, has_listed in found
    ]
