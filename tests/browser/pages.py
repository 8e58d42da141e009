"""Every page there is, with something on it."""

from __future__ import annotations

from app.limits.limit_syntax import parse_limit
from app.stores.records.accounts import AccountOutcome, AccountState
from app.stores.records.model_routes import ModelRoute, RouteTarget
from app.stores.records.webhooks import Webhook
from tests.browser.chromium import Browser
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

PAGES = {
    "overview": "/",
    "overview of an hour": "/?span=1h",
    "usage": "/usage",
    "usage by endpoint, times": "/usage?by=endpoint&span=1h&metric=first_p95",
    "usage of dates": "/usage?from=2026-01-01&to=2026-03-01&by=model",
    "accounts": "/accounts",
    "an account": "/accounts/main",
    "add an account": "/accounts/add",
    "add an account by a key": "/accounts/add?kind=compatible",
    "accounts, sorted and filtered": "/accounts?sort=-cost&state=paused",
    "edit an account": "/accounts/main/edit",
    "test an account": "/accounts/main/test",
    "remove an account": "/accounts/main/remove",
    "sign in by a code": "/sign-ins/device",
    "sign in by a browser": "/sign-ins/browser",
    "sign in by a file": "/sign-ins/file",
    "keys": "/keys",
    "keys by cost": "/keys?sort=-cost&state=active&team=research&span=7d",
    "a key": "/keys/ann",
    "make a key": "/keys/create",
    "edit a key": "/keys/ann/edit",
    "rotate a key": "/keys/ann/rotate",
    "disable a key": "/keys/ann/disable",
    "limits of a key": "/limits/of-key/ann",
    "limits of a team": "/limits/of-team/research",
    "teams": "/teams",
    "a team": "/teams/research",
    "create a team": "/teams/create",
    "edit a team": "/teams/research/edit",
    "limits of the pool": "/limits/of-pool",
    "requests": "/requests",
    "a search": "/requests?status=failed",
    "a search with many filters": "/requests?status=ok&key=ann&min_seconds=0.001&since=2026-01-01",
    "a request": "/requests/ID",
    "playground": "/playground",
    "settings": "/settings",
    "routing": "/settings/routing",
    "time limits": "/settings/time-limits",
    "prices": "/settings/prices",
    "model routes": "/settings/models",
    "change a model route": "/settings/models?name=fast",
    "remove a model route": "/settings/models/remove?name=fast",
    "alerts": "/settings/alerts",
    "remove a webhook": "/settings/alerts/remove?name=ops",
    "remove a price": "/settings/prices/remove?model=llama",
    "set-up files": "/settings/setup",
    "import from LiteLLM": "/settings/setup/litellm",
    "audit log": "/settings/audit",
    "first steps": "/start",
    "not there": "/accounts/nobody",
    "security": "/admin/security",
    "password": "/admin/security/password",
    "second factor": "/admin/security/second-factor",
    "reference of the admin API": "/admin/reference",
    "disconnect single sign-on": "/admin/security/unlink",
    "operators": "/admin/security/operators",
    "second factor of operators": "/admin/security/operators/policy",
    "invite an operator": "/admin/security/operators/invite",
    "role of an operator": "/admin/security/operators/ann/role",
    "second factor of an operator": "/admin/security/operators/ann/second-factor",
    "disconnect an operator": "/admin/security/operators/ann/unlink",
    "remove an operator": "/admin/security/operators/ann/remove",
    "end the sessions of an operator": "/admin/security/operators/ann/sessions",
    "create an admin token": "/admin/security/tokens",
    "sign out everywhere": "/admin/security/sessions/end-all",
}

HOLDER_PAGES = {  # those of a key's holder
    "usage of a key": "/my",
    "usage of a week": "/my?span=7d",
    "requests of a key": "/my/requests",
    "models of a key": "/my/models",
    "clients of a key": "/my/clients",
    "rotate one's key": "/my/rotate",
    "nothing of a key": "/my/nothing",
}

OUT_OF_USE = {  # states of accounts that get no requests, and their longest reasons
    AccountState.CREDENTIAL_DEAD: "invalid_api_key",
    AccountState.CREDENTIAL_EXPIRED: "refresh_token_expired",
    AccountState.BURST_LIMITED: "rate_limit_exceeded",
    AccountState.WINDOW_SPENT: "usage_limit_reached",
    AccountState.PAYMENT_REQUIRED: "organization_spend_limit_exceeded",
    AccountState.SUSPECTED: "unreachable",
}


def furnish(browser: Browser, pool: PoolOfTest, upstream: ScriptedUpstream) -> str:
    """Put something on every page; return the id of a request that was made."""
    services = browser.gateway.services
    pool.account("main", upstream.base_url(), kind="compatible")
    spare = pool.account("spare", upstream.base_url("b"), kind="openai")
    services.accounts.pause(pool.name, "spare")
    services.accounts.observe(pool.name, spare.id, {}, outcome={"windows": [[62, 9_000_000_000_000, 18_000]]})
    _put_out_of_use(pool, upstream)
    team_limits = (parse_limit("500 usd/month balanced"),)
    services.teams.create(pool.name, "research", team_limits, ("50 usd/month",))
    services.prices.put(pool.name, "llama", {"standard": {"input": 1_000_000, "output": 2_000_000}})
    services.alerting.webhooks.add(pool.name, Webhook("ops", "https://hooks.example/alerts"))
    services.routes.put(pool.name, ModelRoute("fast", ((RouteTarget("m"),),)))
    key = pool.key(
        "ann", team="research", limits=(parse_limit("2 requests/day"), parse_limit("5 usd/month balanced"))
    )
    pool.key("<script>", expires_at=9_000_000_000)
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
    response = pool.post("/v1/chat/completions", body, key)
    assert response.status_code == 200
    _refuse(pool, key, body)
    pool.wait_for_rows(1, 30)
    return response.headers["x-poolgate-request-id"]


def _put_out_of_use(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Add an account in each state in which one is out of use, with a reason."""
    for number, (state, reason) in enumerate(OUT_OF_USE.items()):
        account = pool.account(f"out-{number}", upstream.base_url(f"out-{number}"), kind="openai")
        outcome: AccountOutcome = {"state": state.value, "reason": reason, "wait_ms": 900_000}
        pool.gateway.services.accounts.observe(pool.name, account.id, {}, outcome=outcome)


def _refuse(pool: PoolOfTest, key: str, body: dict[str, object]) -> None:
    """Have requests refused by a limit and for a field, whose error codes are long."""
    bodies = (body, body, body | {"messages": "Hello"})
    statuses = [pool.post("/v1/chat/completions", one, key).status_code for one in bodies]
    assert statuses == [200, 429, 400]


def furnish_holder(pool: PoolOfTest, upstream: ScriptedUpstream) -> str:
    """Return the secret of a key with a limit, an answered and a refused request."""
    pool.account("hidden-name", upstream.base_url(), kind="compatible")
    limits = (parse_limit("5 usd/month balanced"),)
    secret = pool.key("ann", limits=limits, models=("m", "a-model-" + "x" * 40))
    for model in ("m", "other"):
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
        pool.post("/v1/chat/completions", body, secret)
    pool.wait_for_rows(1, 30)
    return secret
