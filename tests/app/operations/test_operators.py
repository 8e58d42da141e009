"""Admin tokens: with whom they end. What their scope lets them do is tried on every call of the admin API."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from app import administration
from app.errors import InvalidRequest
from app.stores import keys
from app.stores.records.audit import Actor, Via
from app.stores.records.operators import NewAdminToken, TokenScope, checked_scope
from app.wiring import Services
from tests.support.admin import PASSWORD


@pytest.fixture
def operators(services: Services) -> None:
    for name in ("ann", "bob"):
        services.operator_stores.operators.create(name, PASSWORD)


def token(services: Services, name: str, *, by: str, via: Via) -> str:
    return administration.operator_operations(services, Actor(by, via)).create_token(name)[1]


def as_before(client: Any, secret: str) -> None:
    """Make a token what a former version stored."""
    client.hdel(keys.admin_token(hashlib.sha256(secret.encode()).hexdigest()), "operator", "scope")


def works(services: Services, secret: str) -> bool:
    return services.operator_stores.admin_tokens.authenticate(secret) is not None


@pytest.mark.parametrize("former", [False, True])
def test_it_ends_with_the_operator_who_made_it(services, operators, redis_client, former):
    anns, bobs = (token(services, f"of-{who}", by=who, via=Via.PAGE) for who in ("ann", "bob"))
    machines = token(services, "machine", by="root", via=Via.CLI)
    if former:
        for secret in (anns, bobs, machines):
            as_before(redis_client, secret)
    assert works(services, anns)

    administration.operator_operations(services, Actor("bob", Via.PAGE)).remove_operator("ann")

    assert [works(services, one) for one in (anns, bobs, machines)] == [False, True, True]
    assert "of-ann" not in [one.name for one in services.operator_stores.admin_tokens.all()]


def test_of_an_operator_who_was_removed_by_a_former_version(services, operators, redis_client):
    """Also when another one of that name was made since."""
    secret = token(services, "ci", by="ann", via=Via.PAGE)
    redis_client.srem(keys.operators(), "ann")
    redis_client.delete(keys.operator("ann"))
    as_before(redis_client, secret)
    other = token(services, "other", by="ann", via=Via.PAGE)
    assert not works(services, other)

    services.operator_stores.operators.create("ann", PASSWORD)

    assert not works(services, secret)


def test_of_a_former_version_without_an_entry_in_the_audit_log(services, operators, redis_client):
    known, unknown = token(services, "a", by="ann", via=Via.PAGE), token(services, "b", by="eve", via=Via.CLI)
    for secret in (known, unknown):
        as_before(redis_client, secret)
    redis_client.delete(keys.audit())

    assert (works(services, known), works(services, unknown)) == (True, False)


def test_scopes(services):
    tokens = services.operator_stores.admin_tokens

    assert tokens.create(NewAdminToken("a", "root", scope=TokenScope.READ))[0].scope is TokenScope.READ
    assert tokens.create(NewAdminToken("b", "root"))[0].scope is TokenScope.FULL
    with pytest.raises(InvalidRequest):
        checked_scope("write")
