"""
GET /api/codex/usage: what the Codex CLI shows under /status, here of the whole pool.

It is asked with an API key, or with the token of a ChatGPT sign-in that is an account here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, g, request

from app.api.auth import authenticate, caller
from app.api.json import json_response
from app.api.services import services
from app.quotas.usage_book import UpstreamWindow

bp = Blueprint("codex_usage", __name__)


@bp.before_request
def identify() -> None:
    """Put the pool that is asked about into `g.pool`, and what the backend told of the caller beside it."""
    account_id = request.headers.get("chatgpt-account-id", "")
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    if account_id and scheme.lower() == "bearer" and not token.strip().startswith("sk-"):
        g.pool, g.told = services().known_accounts.identify(token.strip(), account_id)
    else:
        authenticate()
        g.pool, g.told = caller().pool, {}


NAMES = ("primary_window", "secondary_window")
UNKNOWN_PLAN = "unknown"


@bp.get("/usage", strict_slashes=False)
def show() -> Response:
    windows, now = services().usage.windows(g.pool)
    return json_response(usage_of(windows, now, g.told, allowed=_may_be_asked(g.pool)))


def usage_of(
    windows: Sequence[UpstreamWindow | None], now: float, told: dict[str, Any], *, allowed: bool
) -> dict[str, Any]:
    """
    Return the answer's body, shaped as the ChatGPT backend's /wham/usage.

    *told* is what that said of the caller's own account; only its plan and credits are used.
    """
    return {
        "plan_type": told.get("plan_type") or UNKNOWN_PLAN,
        "rate_limit": {
            "allowed": allowed,
            "limit_reached": not allowed,
            **{name: _window(window, now) for name, window in zip(NAMES, windows, strict=True)},
        },
        "credits": told.get("credits"),
        "additional_rate_limits": None,
    }


def _may_be_asked(pool: str) -> bool:
    accounts = services().accounts.all(pool)
    return any(account.kind == "chatgpt" and account.state == "active" for account in accounts)


def _window(window: UpstreamWindow | None, now: float) -> dict[str, Any] | None:
    if window is None:
        return None
    told: dict[str, Any] = {"used_percent": round(window.used_percent)}
    if window.seconds:
        told["limit_window_seconds"] = window.seconds
    if window.resets_at:
        told |= {"reset_after_seconds": max(0, int(window.resets_at - now)), "reset_at": window.resets_at}
    return told
