"""Imports from other gateways and programs in the admin API."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.store_contents import everything_in

CONFIG = (Path(__file__).parents[3] / "support" / "litellm_config.yaml").read_text()
SECRETS = {
    "OPENAI_KEY_A": "sk-secret-a",
    "OPENAI_KEY_B": "sk-secret-b",
    "AZURE_KEY": "secret-azure",
    "QWEN_BASE": "https://qwen.example.net/v1",
    "QWEN_KEY": "secret-qwen",
    "OPENROUTER_KEY": "secret-openrouter",
    "GW_KEY": "secret-gw",
}
BODY = {"config": CONFIG, "secrets": SECRETS}
DEPLOYMENT: Any = {
    "model_name": "a",
    "litellm_params": {"model": "openai/a", "api_key": "os.environ/POOLGATE_SECRET_KEYS"},
}


class TestLiteLLM:
    def test_a_realistic_file(self, call, services):
        response = call("POST", "/import/litellm", BODY)

        assert response.status_code == 200, response.text
        assert [each["action"] for each in response.json["data"]].count("add") == 23
        assert {remark["imported"] for remark in response.json["remarks"]} == {True, False}
        assert services.accounts.find("default", "acme-eu").credential == "secret-azure"
        assert len(services.routes.all("default")) == 12
        assert not any(value in response.text for value in SECRETS.values() if "secret" in value)
        again = call("POST", "/import/litellm", BODY).json["data"]
        assert {each["action"] for each in again} == {"unchanged"}

    def test_a_dry_run(self, call, redis_client):
        """It has the document that `/apply` takes, and what is missing."""
        before = everything_in(redis_client)

        response = call("POST", "/import/litellm?dry_run=true", {"config": CONFIG})

        assert everything_in(redis_client) == before
        missing = {each["name"] for each in response.json["missing_secrets"]}
        assert missing == SECRETS.keys() - {"QWEN_BASE", "QWEN_KEY"}
        assert "os.environ/QWEN_BASE is not set, so its address is unknown" in response.text
        body = {"document": response.json["document"], "secrets": SECRETS}
        assert call("POST", "/apply", body).status_code == 200

    def test_the_environment_of_the_server(self, call, refused, monkeypatch):
        monkeypatch.setenv("POOLGATE_SECRET_KEYS", "of-the-server")
        config = {"model_list": [DEPLOYMENT], "include": ["/etc/passwd"]}

        assert refused("POST", "/import/litellm", {"config": config}) == (400, "accounts[0].api_key_env")
        dry = call("POST", "/import/litellm?dry_run=1", {"config": config})
        assert "of-the-server" not in dry.text
        (remark,) = dry.json["remarks"]
        assert (remark["path"], remark["imported"]) == ("include", False)

    def test_callers_keep_their_keys(self, call, services):
        secret = "sk-ABCdef1234567890ghijkl"
        token = hashlib.sha256(secret.encode()).hexdigest()
        keys = {"keys": [{"token": token, "key_alias": "ann", "team_id": "t", "rpm_limit": 5}]}
        teams = [{"team_id": "t", "team_alias": "research"}]

        call("POST", "/import/litellm", {**BODY, "keys": keys, "teams": teams})

        key = services.api_keys.authenticate(secret)
        assert (key.name, key.team) == ("ann", "research")

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({}, "config"),
            ({"config": "a: ["}, "config"),
            ({"config": {"model_list": {}}}, "model_list"),
            ({"config": {"model_list": [DEPLOYMENT]}, "keys": [1]}, "keys"),
            ({"config": {"model_list": [DEPLOYMENT]}, "keys": "x"}, "keys"),
            ({"config": {"model_list": [DEPLOYMENT] * 5001}}, "model_list"),
            ({"config": {"model_list": [DEPLOYMENT]}, "secrets": {"a b": "x"}}, "secrets.a b"),
        ],
    )
    def test_faults(self, refused, body, param):
        assert refused("POST", "/import/litellm", body) == (400, param)

    def test_nothing_that_can_be_imported(self, call):
        """The response has the reasons, next to the error."""
        entry = {"model_name": "c", "litellm_params": {"model": "anthropic/claude"}}

        response = call("POST", "/import/litellm", {"config": {"model_list": [entry]}})

        assert (response.status_code, response.json["error"]["param"]) == (400, "config")
        assert "anthropic has another API" in response.json["remarks"][0]["text"]


class TestSignIns:
    @pytest.fixture
    def files(self, issuer):
        """The contents of two files: of Codex, and an export of codex-lb."""
        contents = []
        for name in ("ann", "bob"):
            _, tokens = issuer.sign_in(email=f"{name}@example.com", account_id=f"acc-{name}")
            contents.append(orjson.loads(tokens.auth_json()))
        return [contents[0], {"codex_auth_json": contents[1], "tokens": {"expires_at_ms": 1}}]

    def test_several_accounts(self, call, services, files):
        odd: list[Any] = [{"type": "gemini", "access_token": "x"}, {}]

        response = call("POST", "/import/accounts", {"content": [*files, *odd]})

        outcomes = [(each["outcome"], each["name"]) for each in response.json["data"]]
        assert outcomes == [
            ("imported", "ann@example.com"),
            ("imported", "bob@example.com"),
            ("skipped", ""),
            ("failed", ""),
        ]
        assert services.accounts.find("default", "bob@example.com").signed_in
        again = call("POST", "/import/accounts", {"content": {"accounts": files}}).json["data"]
        assert {each["outcome"] for each in again} == {"unchanged"}

    def test_a_name_for_one_without(self, call, services):
        body = {"content": {"OPENAI_API_KEY": "sk-from-a-file"}, "name": "spare"}

        response = call("POST", "/import/accounts?pool=team", body)

        assert response.json["data"][0]["name"] == "spare"
        assert "sk-from-a-file" not in response.text
        assert services.accounts.find("team", "spare").credential == "sk-from-a-file"

    @pytest.mark.parametrize(
        ("body", "param"),
        [({}, "content"), ({"content": "x"}, "content"), ({"content": [], "name": "/"}, "name")],
    )
    def test_faults(self, refused, body, param):
        assert refused("POST", "/import/accounts", body) == (400, param)
