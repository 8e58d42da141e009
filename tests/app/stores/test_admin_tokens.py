"""Admin tokens: only a hash is stored; one works until it expires, is revoked, or its operator is removed."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.errors import InvalidRequest, NotFound
from app.stores import keys
from app.stores.admin_tokens import PREFIX, AdminTokenRepository
from app.stores.records.operators import ActiveToken, NewAdminToken, Role, TokenScope
from app.stores.scripts import Scripts


@pytest.fixture
def tokens(redis_client: Any) -> AdminTokenRepository:
    return AdminTokenRepository(Scripts(redis_client))


def test_created(tokens: AdminTokenRepository, redis_client: Any) -> None:
    token, secret = tokens.create(NewAdminToken("deploy", "cli", scope=TokenScope.READ))

    assert secret.startswith(PREFIX)
    assert token == tokens.find("deploy")
    assert tokens.authenticate(secret) == ActiveToken(token, Role.OWNER)
    assert (token.scope, token.operator, token.expires_at) == (TokenScope.READ, "", None)
    for key in redis_client.scan_iter("*"):
        assert secret not in key
        assert redis_client.type(key) != "hash" or secret not in str(redis_client.hgetall(key))


def test_a_taken_name(tokens: AdminTokenRepository) -> None:
    _, secret = tokens.create(NewAdminToken("deploy", "cli"))

    with pytest.raises(InvalidRequest) as error:
        tokens.create(NewAdminToken("deploy", "cli"))

    assert error.value.param == "name"
    assert tokens.authenticate(secret) is not None


def test_an_expiry_in_the_past(tokens: AdminTokenRepository) -> None:
    with pytest.raises(InvalidRequest) as error:
        tokens.create(NewAdminToken("deploy", "cli", expires_at=time.time() - 60))

    assert error.value.param == "expires_at"
    assert tokens.all() == []


def test_it_goes_when_it_expires(tokens: AdminTokenRepository, redis_client: Any) -> None:
    expires_at = time.time() + 3600
    tokens.create(NewAdminToken("deploy", "cli", expires_at=expires_at))

    digest = redis_client.hget(keys.admin_tokens(), "deploy")
    assert 3500 < redis_client.ttl(keys.admin_token(digest)) <= 3600

    redis_client.delete(keys.admin_token(digest))  # as its expiry does
    assert tokens.all() == []
    assert tokens.create(NewAdminToken("deploy", "cli"))[0].name == "deploy"  # the name is free again


def test_revoked(tokens: AdminTokenRepository) -> None:
    _, secret = tokens.create(NewAdminToken("deploy", "cli"))
    _, other = tokens.create(NewAdminToken("backup", "cli"))
    assert [token.name for token in tokens.all()] == ["backup", "deploy"]

    tokens.revoke("deploy")

    assert tokens.authenticate(secret) is None
    assert tokens.authenticate(other) is not None
    for call in (tokens.revoke, tokens.find):
        with pytest.raises(NotFound):
            call("deploy")


@pytest.mark.parametrize(
    "presented", ["", "pgadm-", "pgadm-" + "x" * 43, "sk-" + "x" * 43, "pgadm-ä" + "x" * 42]
)
def test_no_token(tokens: AdminTokenRepository, presented: str) -> None:
    tokens.create(NewAdminToken("deploy", "cli"))

    assert tokens.authenticate(presented) is None


class TestWithoutOperator:
    """A token that an older version stored without the operator whose removal revokes it."""

    def old_token(self, tokens: AdminTokenRepository, client: Any) -> str:
        _, secret = tokens.create(NewAdminToken("deploy", "ann"))
        client.hdel(keys.admin_token(client.hget(keys.admin_tokens(), "deploy")), "operator")
        return secret

    def test_it_belongs_to_its_creator(self, tokens: AdminTokenRepository, redis_client: Any) -> None:
        """As long as the audit log has nothing else; it is searched once."""
        redis_client.hset(keys.operator("ann"), mapping={"name": "ann", "created_ms": 0})
        secret = self.old_token(tokens, redis_client)

        active = tokens.authenticate(secret)

        assert active is not None
        assert active.token.operator == "ann"
        assert tokens.find("deploy").operator == "ann"

    def test_its_creator_was_removed(self, tokens: AdminTokenRepository, redis_client: Any) -> None:
        assert tokens.authenticate(self.old_token(tokens, redis_client)) is None
