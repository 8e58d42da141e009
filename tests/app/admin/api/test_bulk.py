"""Changes of several accounts, keys or teams by one call: a result for each, and an audit entry for each."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.bulk import MAX_BULK
from tests.support.admin import audited


@pytest.fixture
def keys(call: Any) -> list[str]:
    names = ["ann", "bea", "carl"]
    for name in names:
        call("POST", "/keys", {"name": name})
    return names


def outcomes(response: Any) -> dict[str, str]:
    return {one["name"]: "ok" if one["ok"] else one["error"]["code"] for one in response.json["data"]}


class TestKeys:
    def test_each_has_a_result(self, call, keys, services):
        response = call("POST", "/keys/bulk", {"names": ["ann", "eve", "carl", "ann"], "do": "disable"})

        assert (response.status_code, response.json["changed"]) == (200, 2)
        assert outcomes(response) == {"ann": "ok", "eve": "not_found", "carl": "ok"}
        assert [call("GET", f"/keys/{name}").json["state"] for name in keys] == [
            "disabled",
            "active",
            "disabled",
        ]
        entries = [(one["action"], one["object"]) for one in audited(services)][-2:]
        assert entries == [("key.disable", "ann"), ("key.disable", "carl")]

    def test_fields(self, call, keys):
        change = {"do": "change", "fields": {"weight": 3, "expires": None}}

        assert call("POST", "/keys/bulk", {"names": keys, **change}).json["changed"] == 3

        assert {call("GET", f"/keys/{name}").json["weight"] for name in keys} == {3}

    def test_those_that_are_as_requested_already(self, call, keys):
        call("POST", "/keys/ann/disable")

        disabled = call("POST", "/keys/bulk", {"names": ["ann", "bea"], "do": "disable"}).json
        assert (disabled["changed"], [one["changed"] for one in disabled["data"]]) == (1, [False, True])
        for changed in (3, 0):
            body = {"names": keys, "do": "change", "fields": {"weight": 3}}
            assert call("POST", "/keys/bulk", body).json["changed"] == changed

    def test_a_field_that_each_refuses(self, call, keys):
        response = call("POST", "/keys/bulk", {"names": keys, "do": "change", "fields": {"team": "gone"}})

        assert response.json["changed"] == 0
        assert {one["error"]["param"] for one in response.json["data"]} == {"team"}

    def test_removed(self, call, keys):
        for changed in (3, 0):
            assert call("POST", "/keys/bulk", {"names": keys, "do": "remove"}).json["changed"] == changed
        assert call("GET", "/keys").json["data"] == []


def test_accounts(call):
    for name in ("main", "spare"):
        call("POST", "/accounts", {"name": name, "kind": "openai", "credential": "sk-0123456789abcdef"})
    call("POST", "/keys", {"name": "ann", "accounts": ["main"]})
    both = {"names": ["main", "spare"]}

    assert call("POST", "/accounts/bulk", {**both, "do": "pause"}).json["changed"] == 2
    assert call("GET", "/accounts/main").json["state"] == "paused"
    assert call("POST", "/accounts/bulk", {**both, "do": "resume"}).json["changed"] == 2
    change = {"do": "change", "fields": {"weight": 7}}
    assert call("POST", "/accounts/bulk", {**both, **change}).json["changed"] == 2
    assert call("GET", "/accounts/spare").json["weight"] == 7

    assert call("POST", "/accounts/bulk", {**both, **change}).json["changed"] == 0

    bound = call("POST", "/accounts/bulk", {**both, "do": "remove"})
    assert [one["ok"] for one in bound.json["data"]] == [False, True]
    assert bound.json["warnings"] == []
    forced = call("POST", "/accounts/bulk", {**both, "do": "remove", "force": True}).json
    assert (forced["changed"], forced["warnings"]) == (
        1,
        ["the API key 'ann' will have no account left, so its requests will fail"],
    )


def test_teams(call):
    for name in ("red", "blue"):
        call("POST", "/teams", {"name": name})
    call("POST", "/keys", {"name": "ann", "team": "red"})
    both = {"names": ["red", "blue"]}

    assert call("POST", "/teams/bulk", {**both, "do": "disable"}).json["changed"] == 2
    assert call("GET", "/teams/red").json["state"] == "disabled"
    change = {"do": "change", "fields": {"key_limits": ["9 requests/day"]}}
    for changed in (2, 0):
        assert call("POST", "/teams/bulk", {**both, **change}).json["changed"] == changed
    removed = call("POST", "/teams/bulk", {**both, "do": "remove"})
    assert [one["ok"] for one in removed.json["data"]] == [False, True]  # red has a key


@pytest.mark.parametrize("objects", ["keys", "accounts", "teams"])
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "names"),
        ({"names": [], "do": "remove"}, "names"),
        ({"names": "ann", "do": "remove"}, "names"),
        ({"names": ["a"] * (MAX_BULK + 1), "do": "remove"}, "names"),
        ({"names": [""], "do": "remove"}, "names"),
        ({"names": [7], "do": "remove"}, "names"),
        ({"names": ["a"]}, "do"),
        ({"names": ["a"], "do": "rotate"}, "do"),
        ({"names": ["a"], "do": ["remove"]}, "do"),
        ({"names": ["a"], "do": "change"}, "fields"),
        ({"names": ["a"], "do": "change", "fields": {}}, "fields"),
        ({"names": ["a"], "do": "change", "fields": []}, "fields"),
        ({"names": ["a"], "do": "change", "fields": {"credential": "sk-x"}}, "fields.credential"),
        ({"names": ["a"], "do": "remove", "fields": {"name": "x"}}, "fields.name"),
        ({"names": ["a"], "do": "remove", "all": True}, "all"),
    ],
)
def test_bad_input(refused, objects, body, param):
    assert refused("POST", f"/{objects}/bulk", body) == (400, param)
