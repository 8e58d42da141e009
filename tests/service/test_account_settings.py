"""Settings of the requests that one account is sent: they take effect on the next request."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app import administration
from app.accounts.account import Account
from app.limits.limit_syntax import parse_limit
from app.stores.records.audit import Actor, Via
from app.stores.records.model_routes import ModelRoute, RouteTarget
from schemas.accounts import AccountInput
from tests.service.test_model_responses import BODIES, PATHS, events_of
from tests.support.gateway import PoolOfTest
from tests.support.ports import free_port
from tests.support.proxies import http_proxy, socks_proxy
from tests.support.tls import make_certificate, tls_proxy
from tests.support.upstream_client import ScriptedUpstream


def change(pool: PoolOfTest, fields: dict[str, Any], *, credential: str = "") -> Account:
    """Change account `a` as an operator does."""
    changes = AccountInput().load(fields, partial=True)
    operations = administration.operations(pool.gateway.services, Actor("tests", Via.CLI))
    return operations.accounts.change(pool.name, "a", changes, credential=credential)


@pytest.fixture
def key(pool: PoolOfTest, upstream: ScriptedUpstream) -> str:
    pool.account("a", upstream.base_url())
    return pool.key()


def send(pool: PoolOfTest, upstream: ScriptedUpstream, key: str, protocol: str = "chat", **more: Any) -> Any:
    """Send a request that is answered; return what the upstream received."""
    before = len(upstream.log())
    response = pool.post(PATHS[protocol], BODIES[protocol] | more, key)
    assert response.status_code == 200, response.text
    return upstream.wait_for(before + 1)[-1]


class TestHeaders:
    def test_added_and_removed_while_serving(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str
    ) -> None:
        assert "x-tenant" not in send(pool, upstream, key).headers

        change(pool, {"headers": {"X-Tenant": "lab 7"}, "secret_headers": {"X-Token": "t-secret"}})
        seen = send(pool, upstream, key).headers
        assert (seen["x-tenant"], seen["x-token"]) == ("lab 7", "t-secret")
        assert seen["authorization"] == "Bearer sk-a"

        change(pool, {"headers": {"x-tenant": None}, "secret_headers": {"X-Token": None}})
        assert not {"x-tenant", "x-token"} & send(pool, upstream, key).headers.keys()

    def test_they_replace_those_of_the_gateway(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str
    ) -> None:
        change(pool, {"headers": {"user-agent": "mine"}, "secret_headers": {"authorization": "Basic eDp5"}})

        seen = send(pool, upstream, key).headers

        assert (seen["user-agent"], seen["authorization"]) == ("mine", "Basic eDp5")

    def test_pass_through_endpoints_have_them(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str
    ) -> None:
        change(pool, {"headers": {"X-Tenant": "lab"}})
        upstream.script({"play": "json", "body": {"object": "list", "data": []}}, path="/embeddings")

        pool.post("/v1/embeddings", {"model": "m", "input": "hi"}, key)

        assert upstream.log()[-1].headers["x-tenant"] == "lab"

    def test_one_of_the_client_does_not_replace_them(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        """The headers of Codex pass to ChatGPT accounts, but not instead of what the operator set."""
        pool.account("a", f"{upstream.root_url()}/backend-api", kind="chatgpt", chatgpt_account_id="acc-1")
        change(pool, {"headers": {"User-Agent": "mine"}})

        pool.post(PATHS["responses"], BODIES["responses"], pool.key(), headers={"user-agent": "codex/1"})

        assert upstream.wait_for(1)[0].headers["user-agent"] == "mine"


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 200])
@pytest.mark.parametrize("stream", [False, True], ids=["object", "stream"])
def test_quoted_secrets_are_hidden(
    pool: PoolOfTest, upstream: ScriptedUpstream, stream: bool, status: int
) -> None:
    """A server that quotes what it refuses reveals no secret to callers, nor in what is stored."""
    pool.account("a", upstream.base_url(), credential="sk-credential-1")
    change(pool, {"secret_headers": {"X-Token": "t-secret-1"}})
    error = {"message": "Not valid: t-secret-1, sk-credential-1", "type": "t-secret-1", "code": "t-secret-1"}
    upstream.script({"play": "http_error", "status": status, "body": {"error": error}})

    response = pool.post(PATHS["chat"], {**BODIES["chat"], "stream": stream}, pool.key())

    assert response.status_code >= 400
    seen = f"{response.text}{response.headers}{pool.rows()}"
    assert "t-secret-1" not in seen
    assert "sk-credential-1" not in seen


class TestAuthHeader:
    def test_holds_the_key(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        change(pool, {"auth_header": "api-key"})
        seen = send(pool, upstream, key).headers
        assert seen["api-key"] == "sk-a"
        assert "authorization" not in seen

        change(pool, {"auth_header": "Authorization"})
        assert send(pool, upstream, key).headers["authorization"] == "Bearer sk-a"

        change(pool, {"auth_header": ""})
        assert send(pool, upstream, key).headers["authorization"] == "Bearer sk-a"


def names_in(response: Any, *, stream: bool) -> set[str]:
    """The names of models in a response."""
    if not stream:
        return {response.json()["model"]}
    events = [event for event in events_of(response.text) if event != "[DONE]"]
    objects = [event.get("response", event) for event in events]
    return {found["model"] for found in objects if "model" in found}


class TestModelNames:
    @pytest.mark.parametrize("stream", [False, True], ids=["object", "stream"])
    @pytest.mark.parametrize("endpoint", PATHS)
    @pytest.mark.parametrize("protocol", ["chat", "responses"])
    def test_the_upstream_has_its_own(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, protocol: str, endpoint: str, stream: bool
    ) -> None:
        """Limits, ledger and response have the name of the caller, by whichever protocol."""
        pool.account("a", upstream.base_url(), kind="compatible", protocols=(protocol,))
        change(pool, {"model_names": {"m": "own-m"}})
        key = pool.key(limits=(parse_limit("9 requests/day for m"),))

        response = pool.post(PATHS[endpoint], BODIES[endpoint] | {"stream": stream}, key)

        assert response.status_code == 200, response.text
        assert [(seen.body or {})["model"] for seen in upstream.log()] == ["own-m"]
        assert names_in(response, stream=stream) == {"m"}
        assert "own-m" not in response.text + str(response.headers)
        assert response.headers["x-ratelimit-remaining-requests"] == "8"
        (row,) = pool.wait_for_rows(1)
        assert (row["model"], row["status"]) == ("m", 200)

    @pytest.mark.parametrize("stream", [False, True], ids=["object", "stream"])
    def test_name_of_the_upstream_in_responses(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str, stream: bool
    ) -> None:
        change(pool, {"model_names": {"m": "own-m"}, "response_model": "upstream"})

        response = pool.post(PATHS["chat"], BODIES["chat"] | {"stream": stream}, key)

        assert names_in(response, stream=stream) == {"own-m"}

    def test_changed_while_serving(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        names = []
        for changed in ({"m": "one"}, {"m": "two", "other": "x"}, {"m": None}):
            change(pool, {"model_names": changed})
            names.append(send(pool, upstream, key).body["model"])

        assert names == ["one", "two", "m"]

    def test_it_makes_an_account_eligible(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """Next to the models that the account is restricted to; without the name it has the model no more."""
        pool.account("a", upstream.base_url(), models=("other",))
        key = pool.key()
        assert pool.post(PATHS["chat"], BODIES["chat"], key).status_code == 404

        change(pool, {"model_names": {"m": "own-m"}})
        assert send(pool, upstream, key).body["model"] == "own-m"
        listed = pool.get("/v1/models", key).json()["data"]
        assert [model["id"] for model in listed] == ["m", "other"]

        change(pool, {"model_names": {"m": None}})
        assert pool.post(PATHS["chat"], BODIES["chat"], key).status_code == 404

    def test_listed_with_names_of_the_upstream(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str
    ) -> None:
        """The name has what the upstream reports of its own, and is known as soon as the list is."""
        account = change(pool, {"model_names": {"m": "own-m"}})
        pool.gateway.services.accounts.list_models(
            pool.name, account.id, ["own-m", "x"], {"own-m": {"context_window": 5}}
        )

        listed = {model["id"]: model for model in pool.get("/v1/models", key).json()["data"]}

        assert list(listed) == ["m", "own-m", "x"]
        assert listed["m"]["metadata"] == {"context_window": 5}

    def test_other_accounts_have_the_name_of_the_caller(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str
    ) -> None:
        """Also the one that takes over."""
        change(pool, {"model_names": {"m": "own-m"}})
        pool.account("b", upstream.base_url("b"))
        upstream.script({"play": "http_error", "status": 500}, account="a")

        response = pool.post(PATHS["chat"], BODIES["chat"], key)

        assert response.json()["model"] == "m"
        names = {seen.account: (seen.body or {})["model"] for seen in upstream.log()}
        assert names.get("a", "own-m") == "own-m"
        assert names["b"] == "m"

    def test_errors_have_the_name_of_the_caller(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str
    ) -> None:
        """And only where the name is not a part of another word."""
        change(pool, {"model_names": {"m": "dep"}})
        message = "The model `dep` does not exist in deployments"
        error = {"code": "model_not_found", "message": message}
        upstream.script({"play": "http_error", "status": 404, "body": {"error": error}})

        response = pool.post(PATHS["chat"], BODIES["chat"], key)

        assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
        assert response.json()["error"]["message"] == "The model `m` does not exist in deployments"

    def test_a_route_to_it(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        """The response has the name of the route, and the ledger that of its target."""
        change(pool, {"model_names": {"m": "own-m"}})
        pool.gateway.services.routes.put(pool.name, ModelRoute("fast", ((RouteTarget("m"),),)))

        response = pool.post(PATHS["chat"], BODIES["chat"] | {"model": "fast"}, key)

        assert (response.json()["model"], response.headers["x-poolgate-model"]) == ("fast", "m")
        assert (upstream.log()[0].body or {})["model"] == "own-m"

    def test_embeddings(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        change(pool, {"model_names": {"m": "own-m"}})
        reply = {"data": [{"embedding": [0.1]}], "model": "own-m", "usage": {"prompt_tokens": 4}}
        upstream.script({"play": "json", "body": reply}, model="own-m", path="/embeddings")

        response = pool.post("/v1/embeddings", {"model": "m", "input": "Hello"}, key)

        assert response.status_code == 200, response.text
        assert response.json() == {**reply, "model": "m"}

    def test_a_form(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        """Its model is replaced, also after a route has done so, and all else stays as it is."""
        pool.gateway.services.routes.put(pool.name, ModelRoute("transcribe", ((RouteTarget("m"),),)))
        upstream.script({"play": "json", "body": {"text": "Hello"}}, path="/audio/transcriptions")
        files = {"file": ("a.wav", bytes(range(256)), "audio/wav")}

        for model, own in (("m", None), ("m", "own-m"), ("transcribe", "own-m")):
            change(pool, {"model_names": {"m": own}})
            data = {"model": model, "language": "en"}
            response = pool.post("/v1/audio/transcriptions", None, key, data=data, files=files)
            assert response.status_code == 200, response.text

        plain, *renamed = (seen.body_bytes for seen in upstream.log())
        assert renamed == [plain + len("own-")] * 2

    def test_a_test_of_the_account(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        change(pool, {"model_names": {"m": "own-m"}})
        operations = administration.operations(pool.gateway.services, Actor("tests", Via.CLI))

        assert operations.accounts.test(pool.name, "a", "m").ok

        assert (upstream.log()[0].body or {})["model"] == "own-m"


class TestFields:
    @pytest.mark.parametrize("stream", [False, True], ids=["object", "stream"])
    @pytest.mark.parametrize("endpoint", PATHS)
    def test_left_out_and_set(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str, endpoint: str, stream: bool
    ) -> None:
        """What the caller set without effect is named; a field that it set to the same value is not."""
        change(pool, {"drop_fields": ["user", "top_p"], "set_fields": {"temperature": 0.25, "top_k": 4}})
        own = {"user": "u", "temperature": 1, "top_k": 4, "stream": stream}

        response = pool.post(PATHS[endpoint], BODIES[endpoint] | own, key)

        assert response.status_code == 200, response.text
        sent = upstream.log()[0].body or {}
        assert "user" not in sent
        assert (sent["temperature"], sent["top_k"]) == (0.25, 4)
        assert set(response.headers["x-poolgate-ignored"].split(", ")) == {"user", "temperature"}

    def test_after_translation(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """Fields have the names of the upstream's protocol; the caller's name is named as ignored."""
        pool.account("a", upstream.base_url(), kind="compatible", protocols=("responses",))
        change(pool, {"drop_fields": ["reasoning"], "set_fields": {"truncation": "auto"}})

        response = pool.post(PATHS["chat"], BODIES["chat"] | {"reasoning_effort": "low"}, pool.key())

        sent = upstream.log()[0].body or {}
        assert ("reasoning" in sent, sent["truncation"]) == (False, "auto")
        assert response.headers["x-poolgate-ignored"] == "reasoning_effort"

    def test_changed_while_serving(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        change(pool, {"set_fields": {"top_k": 4}, "drop_fields": ["user"]})
        assert send(pool, upstream, key, user="u").body["top_k"] == 4

        change(pool, {"set_fields": {"top_k": None}, "drop_fields": []})
        sent = send(pool, upstream, key, user="u").body
        assert ("top_k" in sent, sent["user"]) == (False, "u")

    def test_embeddings(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        change(pool, {"drop_fields": ["user"], "set_fields": {"dimensions": 64}})
        upstream.script({"play": "json", "body": {"object": "list", "data": []}}, path="/embeddings")

        response = pool.post("/v1/embeddings", {"model": "m", "input": "Hello", "user": "u"}, key)

        assert upstream.log()[-1].body == {"model": "m", "input": "Hello", "dimensions": 64}
        assert response.headers["x-poolgate-ignored"] == "user"

    def test_a_test_of_the_account(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        change(pool, {"set_fields": {"temperature": 0.25}})
        operations = administration.operations(pool.gateway.services, Actor("tests", Via.CLI))

        assert operations.accounts.test(pool.name, "a", "m").ok

        assert (upstream.log()[0].body or {})["temperature"] == 0.25


class TestTimeouts:
    def test_another_account_answers(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """A response that is not complete in time, or does not begin, is left for another account's."""
        pool.set(policy="ordered")  # first: an account's rank is computed when it is added
        for name in "ab":
            pool.account(name, upstream.base_url(name), group="ab".index(name))
        upstream.script({"steps": [{"stall": True}]}, account="a")
        key = pool.key()

        for number, fields in enumerate(({"timeout_seconds": 0.3}, {"first_token_timeout_seconds": 0.3}), 1):
            pool.gateway.services.accounts.resume(pool.name, "a")
            change(pool, dict.fromkeys(("timeout_seconds", "first_token_timeout_seconds"), 0) | fields)

            response = pool.post(PATHS["chat"], BODIES["chat"], key)

            assert response.headers["x-poolgate-account"] == "b"
            row = pool.wait_for_rows(number)[-1]
            assert [attempt.get("error") for attempt in row["attempts"]] == ["stream_idle_timeout", None]

    def test_a_stream_that_goes_on(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        """The caller has received a part, so it ends with an error."""
        change(pool, {"timeout_seconds": 0.5})
        upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"stall": True}]}})

        response = pool.post(PATHS["chat"], BODIES["chat"] | {"stream": True}, key)

        assert "The response took longer than its account is allowed" in response.text

    def test_connecting(self, pool: PoolOfTest) -> None:
        """To an address that does not answer: its backlog is full."""
        with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as stack:
            port = server.getsockname()[1]
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.1", port))
            pool.account("a", f"http://127.0.0.1:{port}/v1")
            change(pool, {"connect_timeout_seconds": 0.2, "timeout_seconds": 3})

            response = pool.post(PATHS["chat"], BODIES["chat"], pool.key())

        assert "did not accept a connection in time" in response.text


class TestCertificates:
    def test_of_one_account_alone(self, pool: PoolOfTest, upstream: ScriptedUpstream, tmp_path: Path) -> None:
        """Its server is verified with them, others with the usual ones, and changes take effect at once."""
        certificate = make_certificate(tmp_path, address="127.0.0.1")
        (tmp_path / "other").mkdir()
        other = make_certificate(tmp_path / "other", address="127.0.0.1")[0].read_text()
        plain = urlsplit(upstream.base_url())
        with tls_proxy(plain.port or 0, *certificate) as port:
            base_url = f"https://127.0.0.1:{port}{plain.path}"
            pool.account("a", base_url)
            pool.account("b", base_url)
            accounts = pool.gateway.services.accounts
            keys = {name: pool.key(name, accounts=(accounts.find(pool.name, name).id,)) for name in "ab"}

            def message(name: str) -> str:
                for each in "ab":
                    accounts.resume(pool.name, each)
                response = pool.post(PATHS["chat"], BODIES["chat"], keys[name])
                return response.json()["error"]["message"] if response.status_code != 200 else ""

            assert "certificate" in message("a")
            change(pool, {"ca_certificates": certificate[0].read_text()})
            assert (message("a"), message("a")) == ("", "")
            assert "certificate" in message("b")
            change(pool, {"ca_certificates": other})
            assert "certificate" in message("a")
            change(pool, {"ca_certificates": ""})
            assert "certificate" in message("a")

    def test_its_models_are_listed(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, tmp_path: Path
    ) -> None:
        certificate = make_certificate(tmp_path, address="127.0.0.1")
        plain = urlsplit(upstream.base_url())
        with tls_proxy(plain.port or 0, *certificate) as port:
            account = pool.account("a", f"https://127.0.0.1:{port}{plain.path}")
            account = change(pool, {"ca_certificates": certificate[0].read_text()})
            operations = administration.operations(pool.gateway.services, Actor("tests", Via.CLI))

            assert operations.accounts.fetch_listing(pool.name, account).ok


class TestProxy:
    @pytest.mark.parametrize("scheme", ["http", "socks5h"])
    def test_set_and_removed_while_serving(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str, scheme: str
    ) -> None:
        """Streams come through it as well; its password reaches the proxy alone."""
        with http_proxy("secret") if scheme == "http" else socks_proxy() as (port, seen):
            change(pool, {"proxy": f"{scheme}://ann:secret@127.0.0.1:{port}"})
            response = pool.post(PATHS["chat"], BODIES["chat"] | {"stream": True}, key)
            assert response.text.endswith("data: [DONE]\n\n")
            assert {credentials for _, credentials in seen} == {"ann:secret"}

            change(pool, {"proxy": ""})
            number = len(seen)
            send(pool, upstream, key)
            assert len(seen) == number

    def test_one_that_is_not_there(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        change(pool, {"proxy": f"http://127.0.0.1:{free_port()}"})

        response = pool.post(PATHS["chat"], BODIES["chat"], key)

        assert "The proxy on the way to the upstream failed" in response.json()["error"]["message"]
        assert upstream.log() == []


def test_a_replaced_key(pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
    """The next request has it, and what else was set stays."""
    change(pool, {"secret_headers": {"X-Token": "t-secret"}})

    change(pool, {}, credential="sk-newer")

    seen = send(pool, upstream, key).headers
    assert (seen["authorization"], seen["x-token"]) == ("Bearer sk-newer", "t-secret")
