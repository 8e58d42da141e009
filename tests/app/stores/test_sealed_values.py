"""Every encrypted value is found, whatever holds it, and replaced only if it has not changed."""

from __future__ import annotations

from typing import Any

import pytest

from app.stores import keys
from app.stores.scripts import Scripts
from app.stores.sealed_values import FERNET_BEGINS, SealedValue, SealedValueRepository

SEALED = FERNET_BEGINS + "old"


@pytest.fixture
def values(redis_client: Any) -> SealedValueRepository:
    return SealedValueRepository(Scripts(redis_client))


def test_all(values: SealedValueRepository, redis_client: Any) -> None:
    """Encrypted values are found in hashes and strings of this pool; other values are ignored."""
    fields = {"sign_in": SEALED, "credential": SEALED, "name": "a"}
    redis_client.hset(keys.account("p", "1"), mapping=fields)
    redis_client.hset(keys.account("q", "1"), mapping=fields)
    redis_client.set(keys.cached_response("p", "d"), SEALED)
    redis_client.set(keys.flow("p", "f"), "in clear")
    redis_client.hset(keys.webhooks("p"), "ops", SEALED)
    redis_client.sadd(keys.staged_names("p", "run"), SEALED)

    assert list(values.all("p")) == [
        SealedValue("p", "a:1", "credential", SEALED),
        SealedValue("p", "a:1", "sign_in", SEALED),
        SealedValue("p", "ans:d", "", SEALED),
        SealedValue("p", "webhooks", "ops", SEALED),
    ]


class TestReplacing:
    def test_a_field(self, values: SealedValueRepository, redis_client: Any) -> None:
        redis_client.hset(keys.account("p", "1"), mapping={"sign_in": SEALED, "name": "a"})
        value = SealedValue("p", "a:1", "sign_in", SEALED)

        assert values.replace(value, "new")

        assert values.read(value) == "new"
        assert redis_client.hget(keys.account("p", "1"), "name") == "a"

    def test_a_string_expires_as_before(self, values: SealedValueRepository, redis_client: Any) -> None:
        redis_client.set(keys.cached_response("p", "d"), SEALED, ex=100)

        assert values.replace(SealedValue("p", "ans:d", "", SEALED), "new")

        assert redis_client.get(keys.cached_response("p", "d")) == "new"
        assert 0 < redis_client.ttl(keys.cached_response("p", "d")) <= 100

    @pytest.mark.parametrize("field", ["", "sign_in"])
    def test_changed_meanwhile(self, values: SealedValueRepository, redis_client: Any, field: str) -> None:
        value = SealedValue("p", "ans:d" if not field else "a:1", field, SEALED)
        if field:
            redis_client.hset(keys.account("p", "1"), field, "newer")
        else:
            redis_client.set(keys.cached_response("p", "d"), "newer")

        assert not values.replace(value, "new")
        assert values.read(value) == "newer"

    @pytest.mark.parametrize(
        "value", [SealedValue("p", "ans:d", "", SEALED), SealedValue("p", "a:1", "f", SEALED)]
    )
    def test_gone(self, values: SealedValueRepository, redis_client: Any, value: SealedValue) -> None:
        """It is not created again."""
        assert not values.replace(value, "new")
        assert values.read(value) == ""
        assert redis_client.keys("pg:*") == []
