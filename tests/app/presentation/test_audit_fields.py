"""Which fields of a new object were given by an operator."""

from __future__ import annotations

import orjson
import pytest

from app.accounts.account import Account
from app.accounts.kinds import KINDS
from app.presentation.audit_fields import given_fields
from app.stores.records.api_keys import ApiKey
from app.stores.records.teams import Team


@pytest.mark.parametrize(
    ("action", "fields", "given"),
    [
        ("key.create", ApiKey("key_1", "ann", "p", created_at=5.0).public(), []),
        ("key.create", ApiKey("key_1", "ann", "p", weight=2, raw=True).public(), ["raw", "weight"]),
        ("team.remove", Team("red", "p", created_at=5.0).public(), []),
        (
            "account.remove",
            Account("acct_1", "main", "openai", "https://x", attempts=7).public(),
            ["base_url", "kind"],
        ),
        ("other.create", {"id": "x", "weight": 1, "version": 3}, ["version", "weight"]),
    ],
)
def test_fields_that_differ_from_those_of_a_new_object(action: str, fields: object, given: list[str]) -> None:
    assert sorted(given_fields(action, orjson.loads(orjson.dumps(fields)))) == given


@pytest.mark.parametrize("kind", KINDS)
def test_the_protocols_of_a_kind_are_no_choice(kind: str) -> None:
    account = Account("acct_1", "main", kind, "https://x", protocols=KINDS[kind].protocols)

    assert "wires" not in given_fields("account.add", orjson.loads(orjson.dumps(account.public())))
