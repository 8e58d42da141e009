"""Which fields of an object in the audit log an operator gave, and which have the values of a new object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from app.accounts.account import Account
from app.accounts.kinds import KINDS
from app.presentation.webhooks import webhook_settings
from app.stores.records.api_keys import ApiKey
from app.stores.records.teams import Team
from app.stores.records.webhooks import Webhook

Fields = Mapping[str, Any]

COUNTERS = ("version",)  # fields that change with every change
# Fields that no operator gives: the identity of the object, and what it counts or observes
_NOT_GIVEN = frozenset(
    (
        *("id", "name", "pool", "created_at", "created_by", "password_at", "signed_in_at", "used_at"),
        *("since_ms", "in_flight", "attempts", "failed_attempts", "rescues", "failures"),
        *("unknown_usage", "unknown_usage_at", "recovery_codes", "readable", "proxy_has_password"),
    )
)
_OF_NEW: Mapping[str, Fields] = {
    noun: orjson.loads(orjson.dumps(fields))
    for noun, fields in (
        ("account", Account("", "", "", "").public()),
        ("key", ApiKey("", "", "").public()),
        ("team", Team("", "").public()),
        ("alert", webhook_settings(Webhook("", ""))),
        ("operator", dict.fromkeys(("role_by_rules", "suspended", "second_factor"), False)),
    )
}


def given_fields(action: str, fields: Fields) -> dict[str, Any]:
    """
    Return those of *fields*, of an object that the *action* created or removed, that an operator gave.

    These are the fields that differ from the values of a new object of that noun.
    """
    noun = action.partition(".")[0]
    defaults = dict(_OF_NEW.get(noun, {}))
    if noun == "account" and (kind := KINDS.get(str(fields.get("kind")))):
        defaults |= {"wires": list(kind.protocols)}
    return {
        name: value
        for name, value in fields.items()
        if name not in _NOT_GIVEN and not (name in defaults and defaults[name] == value)
    }
