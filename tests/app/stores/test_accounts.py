from __future__ import annotations

from typing import Any

import pytest

from app.stores import keys
from app.stores.accounts import AccountHashes
from app.stores.records.accounts import AccountModels
from app.stores.scripts import Scripts
from tests.support.store import StoreOfTest


@pytest.fixture
def accounts(redis_client: Any) -> AccountHashes:
    store = StoreOfTest(redis_client, pool="p")
    store.account("b", models=("m",))
    store.account("a")
    return AccountHashes(Scripts(redis_client))


class TestReading:
    def test_names(self, accounts: AccountHashes) -> None:
        assert list(accounts.names("p").items()) == [("a", "a"), ("b", "b")]
        assert accounts.id_of("p", "a") == "a"
        assert accounts.ids_of("p", ["b", "c"]) == ["b", None]

    def test_fields(self, accounts: AccountHashes) -> None:
        assert accounts.read("p", "a")["kind"] == "openai"
        assert accounts.read("p", "c") == {}
        assert [fields["id"] for fields in accounts.read_all("p")] == ["a", "b"]

    def test_an_account_that_is_removed_while_they_are_read(
        self, accounts: AccountHashes, redis_client: Any
    ) -> None:
        redis_client.hset(keys.account_names("p"), "removed", "3")

        assert [fields["id"] for fields in accounts.read_all("p")] == ["a", "b"]

    def test_some_fields(self, accounts: AccountHashes) -> None:
        """Fields that are not set are left out."""
        assert accounts.read_some("p", ("id", "cap", "until_ms")) == [
            {"id": "a", "cap": "100"},
            {"id": "b", "cap": "100"},
        ]

    def test_models(self, accounts: AccountHashes, redis_client: Any) -> None:
        """The configured models, else the listed ones; None where the upstream has not listed any."""
        assert accounts.models("p") == {
            "a": AccountModels("openai", None),
            "b": AccountModels("openai", frozenset({"m"})),
        }

        redis_client.hset(keys.account("p", "a"), "listed", '["x"]')
        assert accounts.models("p")["a"].names == {"x"}


def test_exceeded(accounts: AccountHashes, redis_client: Any) -> None:
    redis_client.hset(keys.account("p", "a"), "exceeded", "{}")

    accounts.forget_exceeded("p", "a")

    assert "exceeded" not in accounts.read("p", "a")
