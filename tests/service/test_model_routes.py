"""A name that callers use leads to the models of its route, and responses carry that name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import orjson
import pytest
import requests

from app.accounts.model_routes import PoolRoutes
from app.limits.limit_syntax import parse_limit
from app.presentation.requests import passed_over_text
from app.presentation.route_serving import serving_now
from app.stores.records.model_routes import ModelRoute, RouteTarget
from tests.service.test_fallbacks import REFUSED, TOO_LONG
from tests.service.test_model_responses import BODIES, PATHS, events_of
from tests.service.test_refusals import recorded
from tests.support.gateway import PoolOfTest
from tests.support.processes import eventually
from tests.support.upstream_client import ScriptedUpstream


def routes_of(pool: PoolOfTest) -> PoolRoutes:
    return pool.gateway.services.routes


def target(model: str, *accounts: Any, weight: int = 1) -> RouteTarget:
    return RouteTarget(model, tuple(account.id for account in accounts), weight)


def set_route(pool: PoolOfTest, name: str, *steps: Any, **fields: Any) -> None:
    """Set a route; a step is a model, a target or a tuple of targets."""
    routes_of(pool).put(
        pool.name,
        ModelRoute(
            name,
            tuple(
                step if isinstance(step, tuple) else (target(step) if isinstance(step, str) else step,)
                for step in steps
            ),
            **fields,
        ),
    )


def body_of(endpoint: str, model: str = "fast", **more: Any) -> dict[str, Any]:
    return {**BODIES[endpoint], "model": model, **more}


def models_of(upstream: ScriptedUpstream) -> list[str]:
    return [(seen.body or {})["model"] for seen in upstream.log()]


@pytest.mark.parametrize("endpoint", PATHS)
@pytest.mark.parametrize("stream", [False, True], ids=["object", "stream"])
class TestNames:
    def test_alias(self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, stream: bool) -> None:
        """Upstream, ledger, price and limits have the served model; the response has the caller's name."""
        pool.account("a", upstream.base_url())
        set_route(pool, "fast", "m")
        key = pool.key(limits=(parse_limit("9 requests/day for m"),))

        response = pool.post(PATHS[endpoint], body_of(endpoint, stream=stream), key)

        assert response.status_code == 200, response.text
        assert models_of(upstream) == ["m"]
        if stream:
            events = [event for event in events_of(response.text) if event != "[DONE]"]
            objects = [event.get("response", event) for event in map(_loaded, events)]
            names = {found["model"] for found in objects if "model" in found}
        else:
            names = {response.json()["model"]}
        assert names == {"fast"}
        assert response.headers["x-poolgate-requested-model"] == "fast"
        assert response.headers["x-poolgate-model"] == "m"
        assert response.headers["x-ratelimit-remaining-requests"] == "8"
        (row,) = pool.wait_for_rows(1)
        assert (row["model"], row["asked"], row["status"]) == ("m", "fast", 200)

    @pytest.mark.parametrize("failure", [REFUSED, TOO_LONG], ids=["a failure", "too long for the model"])
    def test_the_next_step_answers(
        self,
        pool: PoolOfTest,
        upstream: ScriptedUpstream,
        endpoint: str,
        stream: bool,
        failure: dict[str, Any],
    ) -> None:
        pool.account("a", upstream.base_url())
        upstream.script(failure, model="m")
        upstream.script({"play": "text", "text": "From n."}, model="n")
        set_route(pool, "fast", "m", "n", "o")

        response = pool.post(PATHS[endpoint], body_of(endpoint, stream=stream), pool.key())

        assert response.status_code == 200, response.text
        assert '"fast"' in response.text
        assert '"n"' not in response.text
        failed, served = pool.wait_for_rows(2)
        assert (failed["model"], failed["asked"], failed["status"] >= 400) == ("m", "fast", True)
        assert (served["model"], served["asked"], served["status"]) == ("n", "fast", 200)
        assert served["id"] == f"{failed['id']}-1"
        assert response.headers["x-poolgate-model"] == "n"
        assert (pool.open_leases(), pool.in_flight()) == (0, 0)


def _loaded(event: Any) -> Any:
    return orjson.loads(event) if isinstance(event, str | bytes) else event


class TestTargets:
    def test_named_accounts(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """Only the accounts of a target serve it, also after one of them failed."""
        accounts = {name: pool.account(name, upstream.base_url(name)) for name in "abc"}
        upstream.script({"play": "http_error", "status": 401}, account="b")
        set_route(pool, "fast", target("m", accounts["b"], accounts["c"]))
        key = pool.key()

        for _ in range(3):
            assert pool.post(PATHS["chat"], body_of("chat"), key).status_code == 200

        assert {row["account"] for row in pool.wait_for_rows(3)} == {accounts["c"].id}
        assert "a" not in {seen.account for seen in upstream.log()}

    def test_accounts_of_a_key(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """A key that may not use the accounts of a step is served by the next."""
        a, b = (pool.account(name, upstream.base_url(name)) for name in "ab")
        set_route(pool, "fast", target("m", b), target("n", a, b))
        key = pool.key(accounts=(a.id,))

        response = pool.post(PATHS["chat"], body_of("chat"), key)

        assert response.headers["x-poolgate-model"] == "n"
        assert [row["account"] for row in pool.wait_for_rows(1)] == [a.id]

    def test_a_removed_account(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """A step whose accounts are gone has none: it is not served by others."""
        pool.account("a", upstream.base_url())
        set_route(pool, "fast", RouteTarget("m", ("acct_gone",)))

        response = pool.post(PATHS["chat"], body_of("chat"), pool.key())

        assert (response.status_code, upstream.log()) == (404, []), response.text
        assert upstream.log() == []

    def test_a_group(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """Its accounts are those that have its number at the time of the request."""
        accounts = pool.gateway.services.accounts
        a, b = (pool.account(name, upstream.base_url(name), group=n) for n, name in enumerate("ab", 1))
        set_route(pool, "fast", RouteTarget("m", ("group:2",)))
        key = pool.key()

        def serve() -> int:
            return pool.post(PATHS["chat"], body_of("chat"), key).status_code

        statuses = [serve()]
        accounts.change(pool.name, replace(a, group=2))
        accounts.remove(pool.name, "b")
        statuses.append(serve())
        accounts.remove(pool.name, "a")
        statuses.append(serve())
        c = pool.account("c", upstream.base_url("c"), group=2)
        statuses.append(serve())

        assert statuses == [200, 200, 503, 200]
        assert [row["account"] for row in pool.wait_for_rows(3)] == [b.id, a.id, c.id]

    def test_weights(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """Conversations are shared by weight, and every turn of one has the same model."""
        pool.account("a", upstream.base_url())
        set_route(pool, "fast", (target("m"), target("n")))
        key = pool.key()

        models = {
            name: [
                pool.post(PATHS["chat"], body_of("chat", prompt_cache_key=name), key).headers[
                    "x-poolgate-model"
                ]
                for _ in range(2)
            ]
            for name in map(str, range(12))
        }

        assert all(first == second for first, second in models.values())
        assert {first for first, _ in models.values()} == {"m", "n"}

    def test_no_route_of_a_route(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """The targets of a route are models, also where a route has the same name: there are no loops."""
        pool.account("a", upstream.base_url())
        set_route(pool, "m", "n")
        set_route(pool, "n", "m")

        assert pool.post(PATHS["chat"], body_of("chat", "m"), pool.key()).status_code == 200

        assert models_of(upstream) == ["n"]

    def test_errors_name_both_models(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """Before and after an account was tried; `explain` shows both of a refused request."""
        pool.account("a", upstream.base_url(), models=("m",))
        upstream.script(REFUSED, model="m")
        set_route(pool, "fast", "m")
        set_route(pool, "lost", "n")
        key = pool.key()

        failed, refused = (pool.post(PATHS["chat"], body_of("chat", name), key) for name in ("fast", "lost"))

        assert (failed.status_code, refused.status_code) == (500, 404), (failed.text, refused.text)
        for response, name, model in ((failed, "fast", "m"), (refused, "lost", "n")):
            assert response.headers["x-poolgate-requested-model"] == name
            assert response.headers["x-poolgate-model"] == model
        request_id = refused.headers["x-poolgate-request-id"]
        recorded(pool, refused)
        explained = pool.gateway.services.ledger.explainer.explain(pool.name, request_id)
        assert (explained["model"], explained["requested_model"]) == ("n", "lost")

    def test_an_error_and_its_headers_are_of_one_failure(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        """All models failed: the message, the status and the model are those of the first."""
        pool.account("a", upstream.base_url())
        for model, status in (("m", 404), ("n", 500)):
            body = {"error": {"code": "model_not_found", "message": f"no {model}"}}
            upstream.script({"play": "http_error", "status": status, "body": body}, model=model)
        set_route(pool, "fast", "m", "n")

        response = pool.post(PATHS["chat"], body_of("chat"), pool.key())

        assert response.status_code == 404, response.text
        assert set(models_of(upstream)) == {"m", "n"}
        assert response.headers["x-poolgate-model"] == "m"

    def test_a_model_that_rests_is_passed_over(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """After a 404 of an account, the route shows what serves it, and requests explain why."""
        a, b = (pool.account(name, upstream.base_url(name)) for name in "ab")
        missing = {"error": {"code": "model_not_found"}}
        upstream.script({"play": "http_error", "status": 404, "body": missing}, model="m")
        set_route(pool, "fast", target("m", a), target("n", b))
        key, services = pool.key(), pool.gateway.services

        responses = [pool.post(PATHS["chat"], body_of("chat"), key) for _ in range(2)]

        assert [each.headers["x-poolgate-model"] for each in responses] == ["n", "n"]
        assert models_of(upstream) == ["m", "n", "n"]
        now, route = services.clock.now(), routes_of(pool).current(pool.name).find("fast")
        rests, accounts = services.model_rests.all(pool.name, now), services.accounts.all(pool.name)
        serving = serving_now(route.steps if route else (), accounts, rests, now)
        assert (serving["model"], serving["accounts"]) == ("n", ["b"])
        assert serving["reason"].startswith("m: a does not have it, next try in ")
        pool.wait_for_rows(3)
        explained = [
            services.ledger.explainer.explain(pool.name, each.headers["x-poolgate-request-id"])
            for each in responses
        ]
        assert explained[0]["passed_over"] == []
        (passed,) = explained[1]["passed_over"]
        assert (passed["model"], [one["why"] for one in passed["candidates"]]) == ("m", ["missing"])
        assert passed_over_text(passed) == (
            "m was passed over: a (the model rests there: missing at its server)."
        )

    def test_fallbacks_of_a_request(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """A route may be a fallback, and its response carries its name."""
        pool.account("a", upstream.base_url())
        upstream.script(REFUSED, model="m")
        set_route(pool, "fast", "n")

        response = pool.post(PATHS["chat"], body_of("chat", "m", fallbacks=["fast"]), pool.key())

        assert (response.json()["model"], response.headers["x-poolgate-model"]) == ("fast", "n")

    def test_wildcard(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        set_route(pool, "gpt-4*", "m")

        response = pool.post(PATHS["chat"], body_of("chat", "gpt-4o"), pool.key())

        assert response.json()["model"] == "gpt-4o"
        assert models_of(upstream) == ["m"]


class TestPermissions:
    def test_of_the_route(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """A key that may use a route's name, or its pattern, may use its targets through it alone."""
        pool.account("a", upstream.base_url())
        set_route(pool, "fast", "m")
        set_route(pool, "gpt-4*", "m")
        key, by_pattern, other = (
            pool.key(str(names), models=names) for names in (("fast",), ("gpt-4*",), ("m",))
        )

        def status(model: str, key: str) -> int:
            return pool.post(PATHS["chat"], body_of("chat", model), key).status_code

        assert (status("fast", key), status("m", key), status("gpt-4o", key)) == (200, 403, 403)
        assert (status("gpt-4o", by_pattern), status("fast", by_pattern)) == (200, 403)
        assert (status("m", other), status("fast", other)) == (200, 403)

    def test_listed(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """Names of routes are listed for the keys that may use them; patterns are not names."""
        pool.account("a", upstream.base_url(), models=("m", "n"))
        set_route(pool, "fast", "m")
        set_route(pool, "gpt-4*", "m")

        def listed(**more: Any) -> list[str]:
            response = pool.get("/v1/models", pool.key(str(more), **more))
            return [model["id"] for model in response.json()["data"]]

        assert listed() == ["fast", "m", "n"]
        assert listed(models=("fast", "n")) == ["fast", "n"]
        assert listed(models=("n",)) == ["n"]
        set_route(pool, "absent", "no-such-model")
        set_route(pool, "elsewhere", RouteTarget("m", ("acct_of_others",)))
        assert listed(models=("absent", "elsewhere", "fast")) == ["fast"]  # what an account offers
        shown = pool.get("/v1/models/fast", pool.key("x")).json()
        assert (shown["object"], shown["owned_by"]) == ("model", "poolgate")


class TestFields:
    @pytest.mark.parametrize(
        ("endpoint", "expected"),
        [
            ("chat", {"max_completion_tokens": 40, "reasoning_effort": "low", "temperature": 0.5}),
            (
                "responses",
                {"max_output_tokens": 40, "reasoning": {"effort": "low"}, "temperature": 0.5},
            ),
        ],
    )
    def test_set(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, expected: dict[str, Any]
    ) -> None:
        """Defaults and overrides are sent by the names of the protocol, and limits count what is sent."""
        pool.account("a", upstream.base_url())
        set_route(
            pool,
            "fast",
            "m",
            defaults={"reasoning_effort": "low", "temperature": 0.5},
            overrides={"max_tokens": 40},
        )
        key = pool.key(limits=(parse_limit("50 output_tokens/day"),))
        lengths = {"chat": "max_tokens", "responses": "max_output_tokens"}

        response = pool.post(PATHS[endpoint], body_of(endpoint, **{lengths[endpoint]: 5000}), key)

        assert response.status_code == 200, response.text
        sent = upstream.log()[0].body or {}
        assert {name: sent.get(name) for name in expected} == expected
        assert sent.get("max_tokens") in (None, 40)

    def test_default_of_the_route_before_that_of_the_key(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        pool.account("a", upstream.base_url())
        set_route(pool, "fast", "m", defaults={"max_tokens": 40})
        key = pool.key(output_tokens=70)

        for model in ("fast", "m"):
            pool.post(PATHS["chat"], body_of("chat", model), key)

        lengths = [(seen.body or {})["max_completion_tokens"] for seen in upstream.log()]
        assert lengths == [40, 70]


class TestPassedThrough:
    def test_embeddings(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        upstream.script({"play": "http_error", "status": 500}, model="m", path="/embeddings")
        reply = {"data": [{"embedding": [0.1, -2e-05]}], "model": "n-2026", "usage": {"prompt_tokens": 4}}
        upstream.script({"play": "json", "body": reply}, model="n", path="/embeddings")
        set_route(pool, "embed", "m", "n")

        response = pool.post("/v1/embeddings", {"model": "embed", "input": "Hello"}, pool.key())

        assert response.status_code == 200, response.text
        assert response.json() == {**reply, "model": "embed"}
        assert models_of(upstream)[-1] == "n"
        assert response.headers["x-poolgate-model"] == "n"

    def test_a_form(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """The model in a multipart form is replaced, and its file stays as it is."""
        pool.account("a", upstream.base_url())
        set_route(pool, "transcribe", "whisper-1")
        content = bytes(range(256)) * 9
        upstream.script({"play": "json", "body": {"text": "Hello"}}, path="/audio/transcriptions")

        response = pool.post(
            "/v1/audio/transcriptions",
            None,
            pool.key(),
            data={"model": "transcribe", "language": "en"},
            files={"file": ("a.wav", content, "audio/wav")},
        )

        assert response.status_code == 200, response.text
        (row,) = pool.wait_for_rows(1)
        assert (row["model"], row["asked"]) == ("whisper-1", "transcribe")

    def test_a_stream_of_completions(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """Every event carries the caller's name, also where events arrive in pieces."""
        pool.account("a", upstream.base_url())
        set_route(pool, "old", "m")
        text = 'data: {"model":"m","choices":[{"text":"A \\"model\\":\\"m\\""}]}\n\ndata: {"model": "m"}\n\n'
        pieces = [
            {"send": text[:11]},
            {"send": text[11:70]},
            {"send": text[70:]},
            {"send": "data: [DONE]\n\n"},
        ]
        upstream.script(
            {"headers": {"content-type": "text/event-stream"}, "steps": pieces}, path="/completions"
        )

        response = pool.post(
            "/v1/completions", {"model": "old", "prompt": "Once", "max_tokens": 3, "stream": True}, pool.key()
        )

        first, second, done = events_of(response.text)
        assert first == {"model": "old", "choices": [{"text": 'A "model":"m"'}]}
        assert (second, done) == ({"model": "old"}, "[DONE]")


def test_a_changed_route_applies_to_the_next_request(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    key = pool.key()
    for model in ("m", "n"):
        set_route(pool, "fast", model)
        pool.post(PATHS["chat"], body_of("chat"), key)
    routes_of(pool).remove(pool.name, "fast")
    pool.post(PATHS["chat"], body_of("chat"), key)

    assert models_of(upstream) == ["m", "n", "fast"]


def test_an_earlier_step_answers_while_the_last_waits(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """The account of the first step is free again before that of the last."""
    first = pool.account("first", upstream.base_url("first"), cap=1)
    last = pool.account("last", upstream.base_url("last"), cap=1)
    set_route(pool, "chain", target("large", first), target("small", last))
    set_route(pool, "one", target("large", first))
    set_route(pool, "other", target("small", last))
    for name in ("first", "last"):
        upstream.script({"play": "text", "at": {"0": [{"gate": name}]}}, {"play": "text"}, account=name)
    key = pool.key()

    def send(name: str) -> requests.Response:
        return pool.post(PATHS["chat"], body_of("chat", name, stream=True), key)

    with ThreadPoolExecutor(3) as clients:
        busy = [clients.submit(send, name) for name in ("one", "other")]
        upstream.wait_for(1, account="first", gate="first")
        upstream.wait_for(1, account="last", gate="last")
        waiting = clients.submit(send, "chain")
        assert eventually(lambda: pool.waiting() == 1)
        upstream.release("first")
        response = waiting.result()
        upstream.release("last")
        assert [each.result().status_code for each in busy] == [200, 200]

    assert (response.status_code, response.headers["x-poolgate-model"]) == (200, "large")
    (row,) = [row for row in pool.wait_for_rows(3) if row.get("queued_ms")]
    assert row["model"] == "large"
    assert pool.waiting() == pool.in_flight() == 0
