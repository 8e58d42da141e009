"""Changes of model routes, each recorded."""

from __future__ import annotations

import pytest

from app.errors import InvalidRequest, NotFound
from app.operations import model_routes
from schemas.model_routes import ROUTE_INPUT

POOL = "team"
FIELDS = ROUTE_INPUT.load({"steps": [[{"model": "m"}]]})


def test_set_and_remove(operations, audited):
    operations.routes.set(POOL, "fast", FIELDS)
    operations.routes.set(POOL, "fast", {**FIELDS, "overrides": {"max_tokens": 9}})
    operations.routes.remove(POOL, "fast")
    with pytest.raises(NotFound):
        operations.routes.remove(POOL, "fast")

    assert [one[:2] for one in audited()[1:4]] == [
        ("model.set", "fast"),
        ("model.set", "fast"),
        ("model.remove", "fast"),
    ]


def test_add_replaces_nothing(operations):
    added = operations.routes.add(POOL, "fast", FIELDS)

    with pytest.raises(InvalidRequest, match="A model route named 'fast' exists") as raised:
        operations.routes.add(POOL, "fast", {**FIELDS, "overrides": {"max_tokens": 9}})
    assert raised.value.param == "name"
    assert operations.routes.set(POOL, "fast", FIELDS) == added


@pytest.mark.parametrize("name", ["", " fast", "a\nb", "*" * 9, "x" * 257])
def test_names(operations, name):
    with pytest.raises(InvalidRequest, match="The name of a model route") as raised:
        operations.routes.set(POOL, name, FIELDS)
    assert raised.value.param == "name"


def test_an_unknown_account(operations):
    fields = ROUTE_INPUT.load({"steps": [[{"model": "m", "accounts": ["gpu9"]}]]})

    with pytest.raises(
        NotFound, match=r"no account named 'gpu9' in pool 'team'\. If the '@' belongs"
    ) as raised:
        operations.routes.set(POOL, "fast", fields)
    assert raised.value.param == "steps"
    operations.accounts.add(POOL, {"name": "gpu8", "kind": "openai"}, credential="sk-x")
    with pytest.raises(NotFound, match=r"Did you mean 'gpu8'\? If the '@' belongs"):
        operations.routes.set(POOL, "fast", fields)


def test_a_route_that_only_leads_to_itself(operations):
    """It means nothing unless an account lists that name, or has not listed its models."""
    to_itself = ROUTE_INPUT.load({"steps": [[{"model": "fast"}]]})
    operations.routes.set(POOL, "fast", to_itself)  # no account yet
    operations.accounts.add(POOL, {"name": "gpu8", "kind": "openai", "models": ("m",)}, credential="sk-x")

    with pytest.raises(InvalidRequest, match="'fast' would only lead to itself, and no account") as raised:
        operations.routes.set(POOL, "fast", to_itself)
    assert raised.value.param == "steps"
    operations.routes.set(POOL, "fast", {**to_itself, "defaults": {"max_tokens": 9}})
    operations.routes.set(POOL, "m", FIELDS)
    operations.routes.set(POOL, "fast", FIELDS)


def test_groups(operations):
    """A group is stored by its number, and named once; another text after the prefix is no group."""
    fields = ROUTE_INPUT.load({"steps": [[{"model": "m", "accounts": ["group:2", "group:2", "group:0"]}]]})
    assert operations.routes.set(POOL, "fast", fields).accounts() == {"group:2", "group:0"}

    for name in ("group:", "group:100", "group:02", "group:a"):
        fields = ROUTE_INPUT.load({"steps": [[{"model": "m", "accounts": [name]}]]})
        with pytest.raises(NotFound, match=f"no account named '{name}'"):
            operations.routes.set(POOL, "fast", fields)


def test_too_many(operations, monkeypatch):
    monkeypatch.setattr(model_routes, "MAX_ROUTES", 2)
    for name in ("a", "b", "a"):
        operations.routes.set(POOL, name, FIELDS)

    with pytest.raises(InvalidRequest, match="at most 2 model routes"):
        operations.routes.set(POOL, "c", FIELDS)
