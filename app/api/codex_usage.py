"""
GET /api/codex/usage: what the Codex CLI shows under /status, here of the whole pool.

It is requested with an API key, or with the token of a ChatGPT sign-in that is an account here. A key that is
bound to accounts sees those alone. Where the pool hides its windows, a sign-in sees its own plan and credits,
and a key whether any account can serve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, Response, g, request

from app.accounts.kinds import kind_of
from app.accounts.settings import settings_from
from app.api.auth import authenticate, caller
from app.api.context import services
from app.api.json import json_response
from app.server.client_address import CLIENT_OF
from app.stores.records.usage import UpstreamWindow
from schemas import bounds

bp = Blueprint("codex_usage", __name__)


@bp.before_request
def identify() -> None:
    """Put the pool that is asked about into `g.pool`, and what the backend told of the caller beside it."""
    account_id = request.headers.get("chatgpt-account-id", "")
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    if account_id and scheme.lower() == "bearer" and not token.strip().startswith("sk-"):
        g.pool, g.told = services().upstream.known_accounts.identify(
            token.strip(), account_id, caller_address()
        )
        g.accounts, settings = (), services().pools.settings(g.pool)
    else:
        authenticate()
        key = caller()
        g.pool, g.told, g.accounts = key.pool, {}, key.accounts
        settings = settings_from(key.settings)
    g.shows_windows = settings.tells_windows


def caller_address() -> str:
    """Return the caller's address; of `X-Forwarded-For` only what trusted proxies have added counts."""
    environ = request.environ
    client_of: Callable[[dict[str, Any]], str] | None = environ.get(CLIENT_OF)
    return client_of(environ) if client_of is not None else environ.get("REMOTE_ADDR", "")


NAMES = ("primary_window", "secondary_window")
UNKNOWN_PLAN = "unknown"


@bp.get("/usage", strict_slashes=False)
def show() -> Response:
    windows, now = services().ledger.usage.windows(g.pool, g.accounts)
    own = {name: g.told[name] for name in ("plan_type", "credits") if g.told.get(name)}
    accounts = [
        account
        for account in services().accounts.all(g.pool)
        if kind_of(account).usage_path and (not g.accounts or account.id in g.accounts)
    ]
    allowed = any(account.state == "active" for account in accounts)
    if not g.shows_windows:
        return json_response(usage_of([None, None], now, own, allowed=allowed))
    told = pool_told(
        services().upstream.metadata.get(g.pool, "usage", [account.id for account in accounts]), now
    )
    return json_response(usage_of(windows, now, told | own, allowed=allowed))


def usage_of(
    windows: Sequence[UpstreamWindow | None], now: float, told: dict[str, Any], *, allowed: bool
) -> dict[str, Any]:
    """
    Return the answer's body, shaped as the ChatGPT backend's /wham/usage.

    *told* has `plan_type`, `credits` and `monthly_window`, as far as they are known.
    """
    monthly = told.get("monthly_window")
    return {
        "plan_type": told.get("plan_type") or UNKNOWN_PLAN,
        "rate_limit": {
            "allowed": allowed,
            "limit_reached": not allowed,
            **{name: _window(window, now) for name, window in zip(NAMES, windows, strict=True)},
            **({"monthly_window": monthly} if monthly else {}),
        },
        "credits": told.get("credits"),
        "additional_rate_limits": None,
    }


def pool_told(told: list[dict[str, Any]], now: float) -> dict[str, Any]:
    """
    Return what the accounts of a pool tell of themselves as if it were one.

    Its plan is theirs where they agree, its credits are their sum, and of its month they have used
    the average; it begins again when the first of theirs does.
    """
    plans = {one["plan_type"] for one in told if "plan_type" in one}
    purses = [one["credits"] for one in told if "credits" in one]
    months = [one["monthly_window"] for one in told if "monthly_window" in one]
    return {
        **({"plan_type": plans.pop()} if len(plans) == 1 else {}),
        **({"credits": _summed(purses)} if purses else {}),
        **({"monthly_window": _joined(months, now)} if months else {}),
    }


def _summed(purses: list[dict[str, Any]]) -> dict[str, Any]:
    balances = [balance for one in purses if (balance := _number(one.get("balance"))) is not None]
    return {
        "has_credits": any(one.get("has_credits") is True for one in purses),
        "unlimited": any(one.get("unlimited") is True for one in purses),
        "balance": f"{sum(balances):g}" if balances else None,
    }


def _joined(windows: list[dict[str, Any]], now: float) -> dict[str, Any]:
    used = [percent for one in windows if (percent := _number(one.get("used_percent"))) is not None]
    lengths = [seconds for one in windows if (seconds := _number(one.get("limit_window_seconds")))]
    resets = [at for one in windows if (at := _number(one.get("reset_at"))) and at > now]
    average = sum(used) / len(used) if used else 0.0
    seconds = int(lengths[0]) if lengths else None
    return _window(UpstreamWindow(average, int(min(resets)) if resets else None, seconds), now) or {}


def _number(value: Any) -> float | None:
    """Return what upstreams write as a number or as a text; nothing larger than the books know."""
    found = bounds.number(value)
    return found if found is not None and found <= bounds.MAX_TOKENS else None


def _window(window: UpstreamWindow | None, now: float) -> dict[str, Any] | None:
    if window is None:
        return None
    told: dict[str, Any] = {"used_percent": round(window.used_percent)}
    if window.seconds:
        told["limit_window_seconds"] = window.seconds
    if window.resets_at:
        told |= {"reset_after_seconds": max(0, int(window.resets_at - now)), "reset_at": window.resets_at}
    return told
