"""Teams over the API."""

from __future__ import annotations

import pytest


def test_a_life(call, services):
    body = {"name": "red", "limits": ["500 usd/month"], "key_limits": ["9 requests/day"]}
    created = call("POST", "/teams", body)
    assert (created.status_code, created.json["limits"][0]["limit"]) == (201, "500 usd/month")
    key = call("POST", "/keys", {"name": "ann", "team": "red"}).json
    assert (key["team"], key["limits"][0]["limit"]) == ("red", "9 requests/day")
    assert call("GET", "/keys/ann").json["team_limits"][0]["limit"] == "500 usd/month"

    assert call("PATCH", "/teams/red", {"key_limits": []}).json["key_limits"] == []
    added = call("POST", "/teams/red/limits", {"limit": "9 parallel_requests"}).json
    again = call("POST", "/teams/red/limits", {"limit": "9 parallel_requests"}).json
    assert (again["id"], again["warnings"]) == (
        added["id"],
        ["there was this limit already, and nothing was changed"],
    )
    changed = call("PATCH", f"/teams/red/limits/{added['id']}", {"limit": "8 parallel_requests"}).json
    assert (changed["scope"], changed["limit"]) == ("team", "8 parallel_requests")
    assert len(call("GET", "/teams/red/limits").json["data"]) == 2
    assert call("DELETE", f"/teams/red/limits/{added['id']}").status_code == 200

    assert call("POST", "/teams/red/disable").json["state"] == "disabled"
    assert call("POST", "/teams/red/enable").json["state"] == "active"
    assert call("DELETE", "/teams/red").status_code == 400
    assert call("PATCH", "/keys/ann", {"team": None}).json["team"] == ""
    assert call("DELETE", "/teams/red").json == {"name": "red", "deleted": True}
    assert call("GET", "/teams").json["data"] == []
    actions = [entry["action"] for entry in services.audit.page().entries if "team" in entry["action"]]
    assert actions == ["team.remove", "team.enable", "team.disable", "team.change", "team.create"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "red", "limits": ["many"]}, "limits"),
        ({"name": "red", "limits": ["9 requests/day"] * 65}, "limits"),
        ({"name": "red", "key_limits": ["many"]}, "key_limits"),
        ({"name": "red", "colour": "red"}, "colour"),
    ],
)
def test_bad_input(call, body, param):
    response = call("POST", "/teams", body)

    assert (response.status_code, response.json["error"]["param"]) == (400, param)
    assert call("GET", "/teams").json["data"] == []


def test_unknown_team(call):
    assert call("POST", "/keys", {"name": "ann", "team": "blue"}).json["error"]["param"] == "team"
    assert call("GET", "/teams/blue").status_code == 404
    assert call("GET", "/keys").json["data"] == []
