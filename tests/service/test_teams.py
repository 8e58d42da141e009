"""Keys of a team share its limits, and are refused while it is disabled."""

from __future__ import annotations

from typing import Any

import pytest

from app.limits.limit_syntax import parse_limit
from app.stores.records.limits import Limit
from app.stores.records.teams import TeamState
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

CHAT = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20}
PATH = "/v1/chat/completions"


def teams_of(pool: PoolOfTest) -> Any:
    return pool.gateway.services.teams


@pytest.fixture
def red(pool: PoolOfTest, upstream: ScriptedUpstream) -> str:
    """Create an account and the team 'red', and return the name of that."""
    pool.account("a", upstream.base_url())
    teams_of(pool).create(pool.name, "red", [parse_limit("3 requests/day")])
    return "red"


def limits(*texts: str) -> tuple[Limit, ...]:
    return tuple(map(parse_limit, texts))


class TestLimits:
    def test_they_are_shared(self, pool: PoolOfTest, red: str) -> None:
        """The tightest of three levels is in the headers; the refusal names the team."""
        ann = pool.key("ann", team=red, limits=limits("2 requests/day"))
        bob, eve = pool.key("bob", team=red), pool.key("eve")

        remaining = [
            pool.post(PATH, CHAT, secret).headers.get("x-ratelimit-remaining-requests")
            for secret in (ann, bob, bob, eve)
        ]
        refused = pool.post(PATH, CHAT, ann)

        assert remaining == ["1", "1", "0", None]
        assert refused.status_code == 429
        assert (
            "The limit of 3 requests per day of the team 'red' is used up"
            in refused.json()["error"]["message"]
        )
        assert pool.post(PATH, CHAT, eve).status_code == 200
        assert sorted(row.get("team", "") for row in pool.wait_for_rows(5)) == ["", "", "red", "red", "red"]

    def test_usage_of_the_key(self, pool: PoolOfTest, red: str) -> None:
        """It has the limits of the key, of its team and of the pool, in this order."""
        pool.gateway.services.limits.add(pool.name, parse_limit("9 requests/day"))
        ann = pool.key("ann", team=red, limits=limits("5 requests/day"))
        bob = pool.key("bob", team=red)
        for secret in (ann, bob):
            assert pool.post(PATH, CHAT, secret).status_code == 200

        shown = pool.get("/v1/usage", ann).json()

        assert [(limit["source"], limit["current_value"]) for limit in shown["limits"]] == [
            ("api_key", 1),
            ("team", 2),
            ("pool", 2),
        ]


@pytest.mark.parametrize(
    ("path", "body"),
    [(PATH, CHAT), ("/v1/responses", {"model": "gpt-4.1", "input": "Hello"}), ("/v1/models", None)],
)
def test_disabled_team(pool: PoolOfTest, red: str, path: str, body: Any) -> None:
    """From the next request on, and for its keys alone; SDKs do not try again."""
    ann, eve = pool.key("ann", team=red), pool.key("eve")

    def send(secret: str) -> Any:
        return pool.post(path, body, secret) if body else pool.get(path, secret)

    assert send(ann).status_code == 200
    teams_of(pool).set_state(pool.name, red, TeamState.DISABLED)
    refused = send(ann)
    assert (refused.status_code, refused.json()["error"]) == (
        403,
        {
            "message": "The team 'red' of this API key has been disabled",
            "type": "invalid_request_error",
            "code": "team_disabled",
        },
    )
    assert refused.headers["x-should-retry"] == "false"
    assert send(eve).status_code == 200
    teams_of(pool).set_state(pool.name, red, TeamState.ACTIVE)
    assert send(ann).status_code == 200
