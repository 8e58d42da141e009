"""A worker uses what it read of a key a moment ago, yet each change takes effect with the next request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.limits.limit_syntax import parse_limit
from app.stores.records.model_routes import ModelRoute, RouteTarget
from app.stores.records.teams import TeamState
from app.wiring import Services
from tests.service.test_refusals import recorded
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

CHAT = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hello"}]}
PATH = "/v1/chat/completions"
LONG_CHAT = {**CHAT, "messages": [{"role": "user", "content": "Hello " * 40_000}]}
TIMES = 6  # requests, so that each worker has read the key
Change = Callable[[Services, str], Any]

REFUSALS: dict[str, tuple[Change, int, str]] = {
    "disabled": (lambda s, p: s.api_keys.disable(p, "ann"), 401, "disabled"),
    "removed": (lambda s, p: s.api_keys.remove(p, "ann"), 401, "not known"),
    "rotated": (lambda s, p: s.api_keys.rotate(p, "ann"), 401, "not known"),
    "expired": (lambda s, p: s.api_keys.change(p, "ann", expires_at=1_000_000_000), 401, "expired"),
    "for other models": (lambda s, p: s.api_keys.change(p, "ann", models=("x",)), 403, "gpt-4.1"),
    "limited": (
        lambda s, p: s.api_keys.change(p, "ann", limits=(parse_limit("1 input_tokens/day"),)),
        429,
        "input tokens",
    ),
    "of a limited pool": (lambda s, p: s.limits.add(p, parse_limit("1 input_tokens/day")), 429, "pool"),
    "of a disabled team": (lambda s, p: s.teams.set_state(p, "red", TeamState.DISABLED), 403, "red"),
}


@pytest.fixture
def ann(pool: PoolOfTest, upstream: ScriptedUpstream) -> str:
    """Return the secret of a key of the team 'red' that every worker has read."""
    pool.account("a", upstream.base_url())
    pool.gateway.services.teams.create(pool.name, "red")
    secret = pool.key("ann", team="red")
    for _ in range(TIMES):
        assert pool.post(PATH, CHAT, secret).status_code == 200
    return secret


@pytest.mark.parametrize("name", REFUSALS)
class TestRefused:
    @pytest.mark.parametrize("body", [CHAT, LONG_CHAT], ids=["short", "long"])
    def test_with_the_next_request(self, pool: PoolOfTest, ann: str, name: str, body: dict[str, Any]) -> None:
        change, status, words = REFUSALS[name]
        change(pool.gateway.services, pool.name)

        responses = [pool.post(PATH, body, ann) for _ in range(TIMES)]

        assert [response.status_code for response in responses] == [status] * TIMES
        assert words in responses[0].json()["error"]["message"]

    def test_each_refusal_is_recorded(self, pool: PoolOfTest, ann: str, name: str) -> None:
        change, status, _ = REFUSALS[name]
        change(pool.gateway.services, pool.name)

        responses = [pool.post(PATH, CHAT, ann) for _ in range(TIMES)]

        if status != 401:  # of unknown callers none is
            for response in responses:
                assert recorded(pool, response).entry.status == status

    def test_before_its_body_is_judged(self, pool: PoolOfTest, ann: str, name: str) -> None:
        """What is wrong with a request is not reported to a key that is not valid any more."""
        change, status, _ = REFUSALS[name]
        change(pool.gateway.services, pool.name)

        response = pool.post(PATH, {**CHAT, "messages": 7}, ann)

        assert response.status_code == (
            401 if status == 401 else 403 if name == "of a disabled team" else 400
        )


class TestFollowed:
    def test_more_models(self, pool: PoolOfTest, ann: str) -> None:
        """A refusal that would rest on what was read before is no refusal."""
        keys = pool.gateway.services.api_keys
        keys.change(pool.name, "ann", models=("x",))
        assert pool.post(PATH, CHAT, ann).status_code == 403
        for _ in range(TIMES):
            pool.post(PATH, {**CHAT, "model": "x"}, ann)

        keys.change(pool.name, "ann", models=())

        assert [pool.post(PATH, CHAT, ann).status_code for _ in range(TIMES)] == [200] * TIMES

    def test_a_route(self, pool: PoolOfTest, ann: str, upstream: ScriptedUpstream) -> None:
        route = ModelRoute("gpt-4.1", ((RouteTarget("other"),),))
        pool.gateway.services.routes.put(pool.name, route)

        assert [pool.post(PATH, CHAT, ann).status_code for _ in range(TIMES)] == [200] * TIMES
        assert [(seen.body or {})["model"] for seen in upstream.log()][-TIMES:] == ["other"] * TIMES

    def test_the_output_cap(self, pool: PoolOfTest, ann: str, upstream: ScriptedUpstream) -> None:
        pool.gateway.services.api_keys.change(pool.name, "ann", output_tokens=77)

        for _ in range(TIMES):
            assert pool.post(PATH, CHAT, ann).status_code == 200

        sent = [seen.body or {} for seen in upstream.log()][-TIMES:]
        assert [body.get("max_completion_tokens", body.get("max_tokens")) for body in sent] == [77] * TIMES

    def test_a_setting_of_the_pool(self, pool: PoolOfTest, ann: str) -> None:
        pool.set(settings='{"names_accounts": false}')

        responses = [pool.post(PATH, CHAT, ann) for _ in range(TIMES)]

        assert not any("x-poolgate-account" in response.headers for response in responses)

    def test_a_move_to_another_team(self, pool: PoolOfTest, ann: str) -> None:
        services = pool.gateway.services
        services.teams.create(pool.name, "blue")
        services.api_keys.change(pool.name, "ann", team="blue")

        for _ in range(TIMES):
            assert pool.post(PATH, CHAT, ann).status_code == 200

        assert {row["team"] for row in pool.wait_for_rows(2 * TIMES)[TIMES:]} == {"blue"}

    def test_a_former_secret_ends(self, pool: PoolOfTest, ann: str) -> None:
        """It ends by time, without a change of the key's record."""
        _, secret = pool.gateway.services.api_keys.rotate(pool.name, "ann", overlap_seconds=60)
        for each in (ann, secret):
            assert [pool.post(PATH, CHAT, each).status_code for _ in range(TIMES)] == [200] * TIMES

        pool.gateway.services.api_keys.rotate(pool.name, "ann", overlap_seconds=60)

        assert [pool.post(PATH, CHAT, ann).status_code for _ in range(TIMES)] == [401] * TIMES
        assert [pool.post(PATH, CHAT, secret).status_code for _ in range(TIMES)] == [200] * TIMES


@pytest.mark.parametrize("body", [CHAT, LONG_CHAT], ids=["short", "long"])
def test_two_calls_to_the_store(pool: PoolOfTest, ann: str, body: dict[str, Any]) -> None:
    """A request of a known key needs two scripts, where that of another one needs three."""
    client: Any = pool.gateway.services.scripts.client

    def scripts() -> int:
        calls: int = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        return calls

    pool.wait_for_rows(TIMES)
    before = scripts()
    for _ in range(20):
        assert pool.post(PATH, body, ann).status_code == 200
    pool.wait_for_rows(TIMES + 20)

    assert 40 <= scripts() - before < 50, "workers call some more by themselves"
