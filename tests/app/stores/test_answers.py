from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.stores import keys
from app.stores.answers import AnswerStore
from app.stores.scripts import Scripts
from app.stores.secrets import Vault


@pytest.fixture
def store(redis_client: Any) -> AnswerStore:
    return AnswerStore(Scripts(redis_client), Vault((Fernet.generate_key().decode(),)))


def test_what_was_kept_comes_back(store: AnswerStore) -> None:
    store.put("p", "d", "Grüße", 60)

    assert store.get("p", "d") == "Grüße"
    assert store.get("p", "other") is None
    assert store.get("q", "d") is None


def test_it_is_sealed_and_ends(store: AnswerStore, redis_client: Any) -> None:
    store.put("p", "d", "private", 60)

    assert "private" not in redis_client.get(keys.answer("p", "d"))
    assert 0 < redis_client.pttl(keys.answer("p", "d")) <= 60_000


def test_an_answer_sealed_with_a_key_that_is_gone_is_none(store: AnswerStore, redis_client: Any) -> None:
    store.put("p", "d", "private", 60)

    other = AnswerStore(Scripts(redis_client), Vault((Fernet.generate_key().decode(),)))
    assert other.get("p", "d") is None
