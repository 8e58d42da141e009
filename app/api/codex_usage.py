"""
GET /api/codex/usage: what the Codex CLI shows under /status, here for the pool.

It is requested with an API key, or with the token of a ChatGPT sign-in that is an account of this gateway. A
key that is bound to accounts sees only those. If the pool hides its windows, a sign-in sees only its own plan
and credits, and a key only whether any account can serve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from flask import Blueprint, Response, g, request

from app.accounts.kinds import kind_of
from app.accounts.settings import settings_from
from app.api.auth import authenticate, caller
from app.api.context import services
from app.api.json import json_response
from app.relay.context import JsonObject
from app.server.client_address import CLIENT_OF
from app.stores.records.accounts import AccountState
from app.stores.records.usage import UpstreamWindow
from schemas import bounds

bp = Blueprint("codex_usage", __name__)


@bp.before_request
def identify() -> None:
    """Put the caller's pool and accounts into `g`, and what the backend reports into `g.reported`."""
    account_id = request.headers.get("chatgpt-account-id", "")
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    if account_id and scheme.lower() == "bearer" and not token.strip().startswith("sk-"):
        g.pool, g.reported = services().upstream.known_accounts.identify(
            token.strip(), account_id, caller_address()
        )
        g.accounts, settings = (), services().pools.settings(g.pool)
    else:
        authenticate()
        key = caller()
        g.pool, g.reported, g.accounts = key.pool, {}, key.accounts
        settings = settings_from(key.settings)
    g.shows_windows = settings.tells_windows


def caller_address() -> str:
    """Return the caller's address; in `X-Forwarded-For` only entries of trusted proxies count."""
    environ = request.environ
    client_of: Callable[[dict[str, Any]], str] | None = environ.get(CLIENT_OF)
    return client_of(environ) if client_of is not None else environ.get("REMOTE_ADDR", "")


class CodexWindow(TypedDict, total=False):
    """A usage window. Times are in seconds, `reset_at` is in Unix seconds."""

    used_percent: int
    limit_window_seconds: int
    reset_after_seconds: int
    reset_at: int


class CodexCredits(TypedDict):
    has_credits: bool
    unlimited: bool
    balance: str | None


class CodexUsage(TypedDict):
    """The body of the response, shaped as the ChatGPT backend's /wham/usage."""

    plan_type: str
    rate_limit: dict[str, Any]
    credits: Mapping[str, Any] | None
    additional_rate_limits: None


class MergedUsage(TypedDict, total=False):
    """The reports of several accounts, merged as if they were one account."""

    plan_type: str
    credits: CodexCredits
    monthly_window: CodexWindow


NAMES = ("primary_window", "secondary_window")
UNKNOWN_PLAN = "unknown"


@bp.get("/usage", strict_slashes=False)
def show() -> Response:
    windows, now = services().ledger.usage.windows(g.pool, g.accounts)
    own = {name: g.reported[name] for name in ("plan_type", "credits") if g.reported.get(name)}
    accounts = [
        account
        for account in services().accounts.all(g.pool)
        if kind_of(account).usage_path and (not g.accounts or account.id in g.accounts)
    ]
    allowed = any(account.state is AccountState.ACTIVE for account in accounts)
    if not g.shows_windows:
        return json_response(usage_of([None, None], now, own, allowed=allowed))
    reported = merge_accounts(
        services().upstream.metadata.get(g.pool, "usage", [account.id for account in accounts]), now
    )
    return json_response(usage_of(windows, now, {**reported, **own}, allowed=allowed))


def usage_of(
    windows: Sequence[UpstreamWindow | None], now: float, reported: Mapping[str, Any], *, allowed: bool
) -> CodexUsage:
    """
    Return the response's body, shaped as the ChatGPT backend's /wham/usage.

    *reported* has `plan_type`, `credits` and `monthly_window`, as far as they are known.
    """
    monthly = reported.get("monthly_window")
    return {
        "plan_type": reported.get("plan_type") or UNKNOWN_PLAN,
        "rate_limit": {
            "allowed": allowed,
            "limit_reached": not allowed,
            **{name: _window(window, now) for name, window in zip(NAMES, windows, strict=True)},
            **({"monthly_window": monthly} if monthly else {}),
        },
        "credits": reported.get("credits"),
        "additional_rate_limits": None,
    }


def merge_accounts(accounts: list[JsonObject], now: float) -> MergedUsage:
    """
    Return the reports of *accounts* as if they were one account.

    The plan is theirs if all agree, the credits are the sum, the monthly use is the average; the month
    resets when the first of these does.
    """
    plans = {account["plan_type"] for account in accounts if "plan_type" in account}
    credits = [account["credits"] for account in accounts if "credits" in account]
    months = [account["monthly_window"] for account in accounts if "monthly_window" in account]
    merged: MergedUsage = {}
    if len(plans) == 1:
        merged["plan_type"] = plans.pop()
    if credits:
        merged["credits"] = _sum_credits(credits)
    if months:
        merged["monthly_window"] = _average_window(months, now)
    return merged


def _sum_credits(credits: list[JsonObject]) -> CodexCredits:
    balances = [balance for each in credits if (balance := _number(each.get("balance"))) is not None]
    return {
        "has_credits": any(each.get("has_credits") is True for each in credits),
        "unlimited": any(each.get("unlimited") is True for each in credits),
        "balance": f"{sum(balances):g}" if balances else None,
    }


def _average_window(windows: list[JsonObject], now: float) -> CodexWindow:
    used = [percent for window in windows if (percent := _number(window.get("used_percent"))) is not None]
    lengths = [seconds for window in windows if (seconds := _number(window.get("limit_window_seconds")))]
    resets = [at for window in windows if (at := _number(window.get("reset_at"))) and at > now]
    average = sum(used) / len(used) if used else 0.0
    seconds = int(lengths[0]) if lengths else None
    return _window(UpstreamWindow(average, int(min(resets)) if resets else None, seconds), now) or {}


def _number(value: Any) -> float | None:
    """Return a number that is written as a number or text, None if it is larger than the ledger stores."""
    number = bounds.number(value)
    return number if number is not None and number <= bounds.MAX_TOKENS else None


def _window(window: UpstreamWindow | None, now: float) -> CodexWindow | None:
    if window is None:
        return None
    fields: CodexWindow = {"used_percent": round(window.used_percent)}
    if window.seconds:
        fields["limit_window_seconds"] = window.seconds
    if window.resets_at:
        fields |= {"reset_after_seconds": max(0, int(window.resets_at - now)), "reset_at": window.resets_at}
    return fields
