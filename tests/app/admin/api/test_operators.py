"""Operators and invitations by the admin API."""

from __future__ import annotations

import pytest

from app.stores.records.operators import Identity, Role, SignInMethod
from tests.support.admin import PASSWORD


@pytest.fixture
def bea(services):
    services.operator_stores.operators.create("root", PASSWORD)
    services.operator_stores.sessions.open("root", address="", agent="")
    return services.operator_stores.operators.create("bea", PASSWORD, Role.VIEWER).name


def test_listed_and_changed(call, services, bea):
    listed = call("GET", "/operators").json["data"]
    assert [(one["name"], one["role"], one["methods"]) for one in listed] == [
        ("bea", "viewer", ["password"]),
        ("root", "owner", ["password"]),
    ]

    assert call("PATCH", "/operators/bea", {"role": "admin"}).json["role"] == "admin"

    assert call("GET", "/operators/bea").json["role"] == "admin"


def test_sessions(call, bea):
    assert len(call("GET", "/operators/root/sessions").json["data"]) == 1

    assert call("DELETE", "/operators/root/sessions").json == {"name": "root", "sessions_ended": 1}
    assert call("GET", "/operators/root/sessions").json["data"] == []


def test_removed(call, bea):
    assert call("DELETE", "/operators/bea").json == {"name": "bea", "deleted": True}
    assert call("GET", "/operators/bea").status_code == 404


def test_disconnected(call, services, bea):
    identity = Identity(SignInMethod.OIDC, "https://id.example.com", "person-1")
    services.operator_stores.operators.link("bea", identity)
    services.operator_stores.sessions.open("bea", address="", agent="", identity=identity)
    services.operator_stores.sessions.open("bea", address="", agent="")

    assert call("DELETE", "/operators/Bea/identity").json == {"name": "bea", "sessions_ended": 1}

    assert call("GET", "/operators/bea").json["methods"] == ["password"]
    refused = call("DELETE", "/operators/bea/identity")
    assert (refused.status_code, refused.json["error"]["param"]) == (400, "identity")
    assert call("DELETE", "/operators/eve/identity").status_code == 404


def test_refused(refused, bea):
    assert refused("PATCH", "/operators/root", {"role": "viewer"}) == (400, "role")
    assert refused("PATCH", "/operators/bea", {"role": "king"}) == (400, "role")
    assert refused("PATCH", "/operators/bea", {}) == (400, "role")
    assert refused("DELETE", "/operators/root") == (400, "name")
    assert refused("POST", "/invitations", {"role": "viewer", "expires": "59m"}) == (400, "expires")
    assert refused("POST", "/invitations", {"role": "viewer", "label": "x" * 201}) == (400, "label")


def test_invitations(call, services, bea):
    created = call("POST", "/invitations", {"role": "viewer", "label": "carl"})
    assert created.status_code == 201
    secret = created.json["path"].partition("token=")[2]
    assert services.operator_stores.invitations.open(secret).label == "carl"
    listed = call("GET", "/invitations")
    assert [one["id"] for one in listed.json["data"]] == [created.json["id"]]
    assert secret not in listed.text

    assert call("DELETE", f"/invitations/{created.json['id']}").json["deleted"]

    assert call("GET", "/invitations").json["data"] == []
