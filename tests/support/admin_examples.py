"""
The calls whose bodies and responses are the examples of the admin API, on a real store.

    python -m tests.support.admin_examples

This records them in app/admin/api/examples.json. A test makes the calls again and compares the results.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import orjson
import requests
from flask import Flask

from app import create_app
from app.admin import create_admin_app
from app.admin.api.examples import FILE
from app.stores.jobs import JobRepository
from app.stores.records.operators import Identity, NewAdminToken, Role, SignInMethod
from app.web_wiring import WebServices
from tests.support.admin import PASSWORD, api_services, gateway_of
from tests.support.example_values import Replacer, retain_measured
from tests.support.issuer_client import Issuer
from tests.support.redis import private_redis
from tests.support.upstream_client import ScriptedUpstream
from tests.support.webhook_receiver import running_receiver

API = "/admin/api"
ACCOUNT, KEY, TEAM, MODEL = "openai-main", "ann", "research", "gpt-5.2"
LITELLM = {
    "model_list": [
        {
            "model_name": "fast",
            "litellm_params": {"model": f"openai/{MODEL}", "api_key": "os.environ/OPENAI_API_KEY"},
        }
    ]
}
DOCUMENT = {
    "settings": {"policy": "ordered"},
    "accounts": [{"name": "openai-spare", "kind": "openai", "api_key_env": "OPENAI_API_KEY"}],
    "keys": [{"name": "ci", "team": TEAM, "models": ["gpt-5*"]}],
}
SECRETS = {"OPENAI_API_KEY": "sk-example"}


class Caller:
    """Calls the API as the token `ci`; `examples` has the first call of each operation, by operation id."""

    def __init__(self, app: Flask, services: WebServices) -> None:
        _, secret = services.operator_stores.admin_tokens.create(NewAdminToken("ci", "root"))
        self._headers = {"Authorization": f"Bearer {secret}"}
        self._client, self._paths = app.test_client(), app.url_map.bind("")
        self.examples: dict[str, dict[str, Any]] = {}

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """Return the JSON of the response. An error is an AssertionError."""
        sent = {} if body is None else {"json": body}
        response = self._client.open(f"{API}{path}", method=method, headers=self._headers, **sent)
        assert response.status_code < 300, (method, path, response.text)
        endpoint, _ = self._paths.match(f"{API}{path.partition('?')[0]}", method)
        operation = endpoint.removeprefix("api.").replace(".", "_")
        example = {} if body is None else {"request": body}
        self.examples.setdefault(operation, {**example, "response": response.json})
        return response.json


def call_operations(
    call: Caller, services: WebServices, issuer: Issuer, upstream: ScriptedUpstream, webhook_url: str
) -> None:
    """Call every operation once, or more often."""
    models = {"models": [{"slug": MODEL, "supported_in_api": True}]}
    upstream.script({"play": "json", "body": models}, account="chatgpt", path="/codex/models")
    JobRepository(services.scripts).record_run("leases", 3600.0, ok=True)  # as if a worker ran
    _pools(call)
    secret = _teams_and_keys(call)
    _accounts(call, issuer, upstream)
    _sign_ins(call, services, issuer)
    _routes_and_prices(call)
    _send_requests(create_app(services), secret)
    services.ledger.refusal_log.flush()
    _ledger(call)
    _operators(call, services)
    _webhooks(call, webhook_url)
    _setup(call)
    _removals(call)


def _pools(call: Caller) -> None:
    call("POST", "/pools", {"name": "production", "policy": "balanced", "zone": "Europe/Berlin"})
    call("PATCH", "/pools/production", {"affinity_minutes": 30, "time_limits": {"o3*": {"total": 1800}}})
    call("GET", "/pools/production")
    limit = call("POST", "/pools/production/limits", {"limit": "500 usd/month", "mode": "balanced"})
    call("PATCH", f"/pools/production/limits/{limit['id']}", {"limit": "800 usd/month"})
    call("GET", "/pools/production/limits")
    call("GET", "/pools")
    call("DELETE", f"/pools/production/limits/{limit['id']}")


def _teams_and_keys(call: Caller) -> str:
    """Return the secret of KEY."""
    limits = ["50 usd/month", "600 requests/minute"]
    call("POST", "/teams", {"name": TEAM, "limits": limits, "key_limits": ["10 usd/day"]})
    call("PATCH", f"/teams/{TEAM}", {"key_limits": ["5 usd/day"]})
    key = {"name": KEY, "team": TEAM, "owner": "Ann", "models": ["fast", "gpt-5*"], "expires": "2999-12-31"}
    more = {"limits": ["1000000 total_tokens/day"], "labels": {"env": "production"}}
    secret = call("POST", "/keys", key | more)["key"]
    call("PATCH", f"/keys/{KEY}", {"expires": None, "labels": {"env": "staging"}})
    for owner in (f"keys/{KEY}", f"teams/{TEAM}"):
        limit = call("POST", f"/{owner}/limits", {"limit": "100 requests/hour", "model": "o3*"})
        call("PATCH", f"/{owner}/limits/{limit['id']}", {"limit": "200 requests/hour", "model": "o3*"})
        call("GET", f"/{owner}/limits")
        call("DELETE", f"/{owner}/limits/{limit['id']}")
    for path in ("/keys", f"/keys/{KEY}", "/teams", f"/teams/{TEAM}"):
        call("GET", path)
    for action in ("disable", "enable"):
        call("POST", f"/teams/{TEAM}/{action}")
        call("POST", f"/keys/{KEY}/{action}")
    call("POST", f"/keys/{KEY}/rotate", {"overlap_seconds": 3600})
    call("POST", "/keys/bulk", {"names": [KEY, "bob"], "do": "change", "fields": {"weight": 2}})
    call("POST", "/teams/bulk", {"names": [TEAM], "do": "change", "fields": {"key_limits": ["5 usd/day"]}})
    return str(secret)


def _accounts(call: Caller, issuer: Issuer, upstream: ScriptedUpstream) -> None:
    account = {"kind": "openai", "name": ACCOUNT, "credential": "sk-example"}
    call("POST", "/accounts", account | {"base_url": upstream.base_url("a"), "weight": 2, "cap": 50})
    call("PATCH", f"/accounts/{ACCOUNT}", {"models": [MODEL, "gpt-4.1"], "cap": 80})
    call("GET", "/accounts")
    call("GET", f"/accounts/{ACCOUNT}")
    call("POST", f"/accounts/{ACCOUNT}/test", {"model": MODEL})
    for action in ("pause", "resume", "forget-refused"):
        call("POST", f"/accounts/{ACCOUNT}/{action}")
    call("POST", "/accounts/bulk", {"names": [ACCOUNT], "do": "change", "fields": {"weight": 1}})
    _, tokens = issuer.sign_in(email="ann@example.com", account_id="acc-ann")
    file = orjson.loads(tokens.auth_json())
    call("POST", "/accounts/import", {"name": "chatgpt-ann", "auth_json": file})
    call("POST", "/accounts/chatgpt-ann/export")
    _, tokens = issuer.sign_in(email="bea@example.com", account_id="acc-bea")
    call("POST", "/import/accounts", {"content": [orjson.loads(tokens.auth_json())]})


def _sign_ins(call: Caller, services: WebServices, issuer: Issuer) -> None:
    flow = call("POST", "/accounts/sign-ins/device", {"name": "chatgpt-carl"})
    issuer.approve(flow["user_code"])
    for key in services.scripts.client.scan_iter("*:asked"):
        services.scripts.client.delete(key)
    call("POST", f"/accounts/sign-ins/device/{flow['id']}")
    flow = call("POST", "/accounts/sign-ins/browser", {"name": "chatgpt-dora"})
    page = requests.get(flow["page"], allow_redirects=False, timeout=30)
    call("POST", f"/accounts/sign-ins/browser/{flow['id']}", {"address": page.headers["Location"]})


def _routes_and_prices(call: Caller) -> None:
    steps = [[{"model": MODEL, "accounts": [ACCOUNT], "weight": 1}], [{"model": "gpt-4.1"}]]
    call("PUT", "/model-routes/fast", {"steps": steps, "defaults": {"temperature": 0.5}})
    for path in ("/model-routes", "/model-routes/fast", f"/model-resolution/fast?key={KEY}"):
        call("GET", path)
    call("PUT", "/prices/llama-4", {"input": 0.1, "output": 0.25, "context": 128_000})
    call("GET", "/prices?model=llama-4")


def _send_requests(gateway: Flask, secret: str) -> None:
    """Send one that is answered, and one that is refused."""
    client, headers = gateway.test_client(), {"Authorization": f"Bearer {secret}"}
    for model, status in (("fast", 200), ("o3", 403)):
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 100}
        with client.post("/v1/chat/completions", json=body, headers=headers) as response:
            assert response.status_code == status, response.text


def _ledger(call: Caller) -> None:
    entry = call("GET", "/requests")["data"][0]
    call("GET", f"/requests/{entry['id']}")
    for path in ("series?span=24h&by=key", "outlook", "refusals?span=24h"):
        call("GET", f"/usage/{path}")
    for path in ("/settings", "/audit?limit=2", "/health", "/openapi.json"):
        call("GET", path)


def _operators(call: Caller, services: WebServices) -> None:
    operators, sessions = services.operator_stores.operators, services.operator_stores.sessions
    for name, role in (("root", Role.OWNER), ("bea", Role.VIEWER)):
        operators.create(name, PASSWORD, role)
        sessions.open(name, address="192.0.2.7", agent="Mozilla/5.0 Firefox/145.0")
    identity = Identity(SignInMethod.OIDC, "https://id.example.com", "person-1")
    operators.link("bea", identity)
    call("GET", "/operators")
    call("PATCH", "/operators/bea", {"role": "admin"})
    call("GET", "/operators/bea")
    call("GET", "/operators/bea/sessions")
    call("DELETE", "/operators/bea/identity")
    call("DELETE", "/operators/bea/sessions")
    call("GET", "/sign-in-policy")
    invitation = call("POST", "/invitations", {"role": "viewer", "expires": "2d", "label": "carl"})
    call("GET", "/invitations")
    call("DELETE", f"/invitations/{invitation['id']}")
    call("DELETE", "/operators/bea")


def _webhooks(call: Caller, url: str) -> None:
    call("POST", "/webhooks", {"name": "ops", "url": url, "on": ["pool", "account"]})
    call("POST", "/webhooks/ops/test")
    call("PATCH", "/webhooks/ops", {"remind_hours": 6})
    call("GET", "/webhooks")
    call("GET", "/webhooks/ops")


def _setup(call: Caller) -> None:
    call("POST", "/apply?dry_run=true", {"document": DOCUMENT, "secrets": SECRETS})
    call("POST", "/import/litellm?dry_run=true", {"config": LITELLM, "secrets": SECRETS})
    call("GET", "/dump")


def _removals(call: Caller) -> None:
    call("DELETE", "/model-routes/fast")
    call("DELETE", "/prices/llama-4")
    call("DELETE", "/webhooks/ops")
    call("DELETE", f"/accounts/{ACCOUNT}")
    call("DELETE", f"/keys/{KEY}")
    call("DELETE", f"/teams/{TEAM}")


def record(services: WebServices, app: Flask, issuer: Issuer, upstream: ScriptedUpstream) -> dict[str, Any]:
    """Return the examples, without what differs from run to run."""
    call = Caller(app, services)
    with running_receiver() as receiver:
        call_operations(call, services, issuer, upstream, receiver.url)
        replacer = Replacer(
            {
                upstream.base_url("a"): "https://api.openai.com/v1",
                issuer.url: "https://auth.openai.com",
                chatgpt_base_url(upstream): "https://chatgpt.com/backend-api",
                receiver.url.rpartition("/")[0]: "https://hooks.example.com",
            }
        )
    examples = replacer.replace(call.examples)
    examples["openapi_show"]["response"] |= {"paths": {}, "components": {}, "tags": []}
    return dict(sorted(examples.items()))


def chatgpt_base_url(upstream: ScriptedUpstream) -> str:
    return f"{upstream.root_url('chatgpt')}/backend-api"


def main() -> None:
    upstream = ScriptedUpstream().start()
    with tempfile.TemporaryDirectory() as home, private_redis() as url, Issuer() as issuer:
        services = api_services(url, Path(home), issuer.url, chatgpt_base_url(upstream))
        examples = record(services, create_admin_app(services, gateway_of(services)), issuer, upstream)
    upstream.stop()
    examples = retain_measured(examples, orjson.loads(FILE.read_bytes()))
    FILE.write_bytes(orjson.dumps(examples, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    main()
