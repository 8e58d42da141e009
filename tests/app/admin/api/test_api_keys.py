"""Keys and limits over the API."""

from __future__ import annotations

import pytest

from app.errors import InvalidApiKey
from tests.support.ledger_rows import record_request
from tests.support.store_contents import everything_in


@pytest.fixture
def account(call):
    return call("POST", "/accounts", {"kind": "openai", "name": "main", "credential": "sk-x"}).json


class TestKeys:
    def test_a_life(self, call, services, account, redis_client):
        body = {"name": "ann", "accounts": ["main"], "limits": ["9 requests/day"], "expires": "2099-01-01"}
        made = call("POST", "/keys", body)
        assert made.status_code == 201
        secret = made.json["key"]
        assert services.api_keys.authenticate(secret).id == made.json["id"]
        assert (made.json["accounts"], made.json["limits"][0]["remaining"]) == (["main"], 9)

        changed = call("PATCH", "/keys/ann", {"accounts": [], "expires": None, "on_cut": "restart"}).json
        assert (changed["accounts"], changed["expires_at"], changed["on_cut"]) == ([], None, "restart")
        newer = call("POST", "/keys/ann/rotate", {"overlap_seconds": 60}).json["key"]
        assert {services.api_keys.authenticate(one).id for one in (secret, newer)} == {made.json["id"]}
        assert call("POST", "/keys/ann/disable").json["state"] == "disabled"
        with pytest.raises(InvalidApiKey):
            services.api_keys.authenticate(newer)
        assert call("POST", "/keys/ann/enable").json["state"] == "active"

        readable = call("GET", "/keys").text + call("GET", "/keys/ann").text + everything_in(redis_client)
        assert not any(one in readable for one in (secret, newer))
        assert call("DELETE", "/keys/ann").json == {"name": "ann", "deleted": True}
        assert call("GET", "/keys").json == {"object": "list", "data": []}

    def test_its_place_in_the_queue(self, call, services):
        made = call("POST", "/keys", {"name": "ann", "queue_seconds": 0, "weight": 3}).json
        assert (made["queue_seconds"], made["weight"]) == (0, 3)

        changed = call("PATCH", "/keys/ann", {"queue_seconds": None, "weight": 1}).json
        assert (changed["queue_seconds"], changed["weight"]) == (None, 1)
        entry = services.audit.page().entries[0]
        assert (entry["before"]["weight"], entry["after"]["weight"]) == (3, 1)

    def test_filters(self, call):
        created = call(
            "POST", "/keys", {"name": "ann", "owner": "Ann", "labels": {"env": "prod", "a/b": "1"}}
        )
        assert (created.json["owner"], created.json["labels"]) == ("Ann", {"a/b": "1", "env": "prod"})
        call("POST", "/keys", {"name": "bob", "labels": {"env": "test"}})

        def names(query):
            return [key["name"] for key in call("GET", f"/keys?{query}").json["data"]]

        assert (names("owner=Ann"), names("label=env"), names("label=env%3Dprod,a/b")) == (
            ["ann"],
            ["ann", "bob"],
            ["ann"],
        )
        assert (names("label=env%3Dnone"), names("team=red")) == ([], [])
        assert names("state=disabled&model=gpt-5") == []
        assert call("GET", "/keys?state=gone").json["error"]["param"] == "state"
        assert call("GET", "/keys?label=a%20b").json["error"]["param"] == "label"
        assert call("GET", "/keys?colour=red").status_code == 400
        changed = call("PATCH", "/keys/ann", {"labels": {"tier": "2"}, "owner": ""}).json
        assert (changed["owner"], changed["labels"]) == ("", {"tier": "2"})

    def test_it_is_audited(self, call, services):
        call("POST", "/keys", {"name": "ann"})

        entry = services.audit.page().entries[0]
        assert (entry["who"], entry["via"], entry["action"]) == ("token:ci", "api", "key.create")

    def test_it_makes_its_pool(self, call, services):
        assert call("POST", "/keys?pool=team", {"name": "ann"}).json["pool"] == "team"
        assert "team" in services.pools.names()

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({}, "name"),
            ({"name": "a b"}, "name"),
            ({"name": "ann", "colour": "red"}, "colour"),
            ({"name": "ann", "limits": ["many"]}, "limit"),
            ({"name": "ann", "on_cut": "guess"}, "on_cut"),
            ({"name": "ann", "expires": "soon"}, "expires"),
            ({"name": "ann", "raw": "yes"}, "raw"),
            ({"name": "ann", "output_tokens": 0}, "output_tokens"),
            ({"name": "ann", "queue_seconds": 601}, "queue_seconds"),
            ({"name": "ann", "queue_seconds": None}, "queue_seconds"),
            ({"name": "ann", "weight": 0}, "weight"),
            ({"name": "ann", "weight": 1001}, "weight"),
            ([], None),
            ("x", None),
        ],
    )
    def test_what_cannot_be(self, refused, services, body, param):
        assert refused("POST", "/keys", body) == (400, param)
        assert services.api_keys.all("default") == []

    def test_accounts_that_are_not_there(self, refused):
        assert refused("POST", "/keys", {"name": "ann", "accounts": ["x"]}) == (404, "accounts")

    @pytest.mark.parametrize("body", [{"name": "bob"}, {"limits": []}, {"state": "active"}])
    def test_what_is_not_changed_here(self, call, refused, body):
        call("POST", "/keys", {"name": "ann"})

        assert refused("PATCH", "/keys/ann", body) == (400, next(iter(body)))

    @pytest.mark.parametrize("overlap", [-1, 1.5, "1h", 91 * 86400])
    def test_an_overlap_that_is_none(self, call, refused, overlap):
        call("POST", "/keys", {"name": "ann"})

        assert refused("POST", "/keys/ann/rotate", {"overlap_seconds": overlap}) == (400, "overlap_seconds")


@pytest.mark.parametrize("owner", ["/keys/ann", "/pools/default"])
class TestLimits:
    @pytest.fixture(autouse=True)
    def key(self, call):
        return call("POST", "/keys", {"name": "ann"})

    def test_a_life(self, call, owner):
        added = call("POST", f"{owner}/limits", {"limit": "5 usd/month", "model": "gpt-5*"})
        assert added.status_code == 201
        one = added.json
        assert (one["limit"], one["max"], one["settled"], one["held"]) == (
            "5 usd/month for gpt-5*",
            5_000_000,
            0,
            0,
        )
        assert one["resets_at"] > 1_700_000_000
        place = f"{owner}/limits/{one['id']}"
        edited = call("PATCH", place, {"limit": "6 usd/month", "model": "gpt-5*", "mode": "balanced"}).json
        assert (edited["id"], edited["limit"]) == (one["id"], "6 usd/month for gpt-5* balanced")
        assert call("GET", f"{owner}/limits").json["data"] == [edited]
        assert call("GET", owner).json["limits"] == [edited]
        assert call("DELETE", place).json["deleted"] is True
        assert call("GET", f"{owner}/limits").json["data"] == []

    @pytest.mark.parametrize(
        ("body", "param"),
        [({}, "limit"), ({"limit": "x"}, "limit"), ({"limit": "1 requests/day", "mode": "odd"}, "mode")],
    )
    def test_what_cannot_be(self, refused, owner, body, param):
        assert refused("POST", f"{owner}/limits", body) == (400, param)

    @pytest.mark.parametrize("method", ["PATCH", "DELETE"])
    def test_none_of_that_id(self, refused, owner, method):
        body = {"limit": "1 requests/day"} if method == "PATCH" else None
        assert refused(method, f"{owner}/limits/lim_0", body) == (404, "limit")


def test_the_limits_of_the_pool_are_shown_too(call):
    call("POST", "/keys", {"name": "ann"})
    call("POST", "/pools/default/limits", {"limit": "3 requests/day"})

    assert call("GET", "/keys/ann").json["pool_limits"][0]["limit"] == "3 requests/day"


def test_usage_by_what_keys_have(call, services):
    for name in ("ann", "bob"):
        key = call("POST", "/keys", {"name": name, "owner": "Ann", "labels": {"env": name}}).json
        record_request(services.scripts, "default", services.clock.now(), key=key["id"])

    def lines(by):
        shown = call("GET", f"/usage/series?by={by}").json
        return sorted((line["id"], line["total"]["requests"]) for line in shown["data"])

    assert lines("owner") == [("Ann", 2)]
    assert lines("label:env") == [("ann", 1), ("bob", 1)]
    assert lines("label:other") == [("", 2)]
    for by in ("label:", "colour"):
        assert call("GET", f"/usage/series?by={by}").json["error"]["param"] == "by"
