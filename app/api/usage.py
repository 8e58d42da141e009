"""GET /v1/usage: what the caller's API key has used, and what remains of its limits."""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict

from flask import Blueprint, Response

from app.accounts.settings import settings_from
from app.api.auth import authenticate, caller
from app.api.context import services
from app.api.json import json_response
from app.formatting import MICRO_DOLLARS
from app.ledger.caller_figures import requests_of_callers
from app.stores.records.limits import LimitScope, LimitStatus, Period
from app.stores.records.usage import KeyUsage, UpstreamWindow

bp = Blueprint("usage", __name__)
bp.before_request(authenticate)

WINDOWS = {
    Period.HOUR: "hourly",
    Period.DAY: "daily",
    Period.WEEK: "weekly",
    Period.MONTH: "monthly",
    Period.NONE: "now",
}
SOURCES = {LimitScope.KEY: "api_key", LimitScope.TEAM: "team", LimitScope.POOL: "pool"}


class LimitJson(TypedDict, total=False):
    """A limit of the key, its team, the pool or the upstream; `reset_at` is in Unix seconds."""

    limit_type: str
    limit_window: str
    max_value: float
    current_value: float
    remaining_value: float
    held_value: float
    model_filter: str | None
    reset_at: int | None
    source: str


class WindowJson(TypedDict):
    used_percent: float
    reset_at: int | None


class UsageJson(TypedDict):
    """The body of the response. Amounts of money are US dollars."""

    request_count: int
    total_tokens: int
    cached_input_tokens: int
    total_cost_usd: float
    limits: list[LimitJson]
    upstream_limits: list[LimitJson]
    account_pool_usage: dict[str, WindowJson | None] | None


@bp.get("/usage", strict_slashes=False)
def show() -> Response:
    key = caller()
    standing = services().ledger.usage.of_key(key)
    if not settings_from(key.settings).tells_windows:
        standing = replace(standing, windows=[None, None])
    return json_response(usage_body(standing))


def usage_body(standing: KeyUsage) -> UsageJson:
    """Return the response body. Amounts of money are US dollars, times Unix seconds."""
    used = standing.used
    windows = dict(zip(("primary", "secondary"), map(_window, standing.windows), strict=True))
    return {
        "request_count": requests_of_callers(used),
        "total_tokens": used.get("input_tokens", 0) + used.get("output_tokens", 0),
        "cached_input_tokens": used.get("cached_tokens", 0),
        "total_cost_usd": used.get("cost", 0) / MICRO_DOLLARS,
        "limits": [_limit(status) for status in standing.limits],
        "upstream_limits": [
            {
                "limit_type": "used_percent",
                "limit_window": name,
                "max_value": 100,
                "current_value": window["used_percent"],
                "remaining_value": round(100 - window["used_percent"], 1),
                "model_filter": None,
                "reset_at": window["reset_at"],
                "source": "upstream",
            }
            for name, window in windows.items()
            if window
        ],
        "account_pool_usage": windows if any(windows.values()) else None,
    }


def _limit(status: LimitStatus) -> LimitJson:
    limit = status.limit

    def amount(units: int) -> float:
        return units / MICRO_DOLLARS if limit.unit.is_money else units

    return {
        "limit_type": limit.unit.traits.usage_type or limit.unit,
        "limit_window": WINDOWS.get(limit.period, limit.period),
        "max_value": amount(limit.max),
        "current_value": amount(status.settled),
        "remaining_value": amount(status.remaining),
        "held_value": amount(status.held),  # reserved by running requests
        "model_filter": limit.model,
        "reset_at": status.resets_at,
        "source": SOURCES[limit.scope],
    }


def _window(window: UpstreamWindow | None) -> WindowJson | None:
    if window is None:
        return None
    return {"used_percent": window.used_percent, "reset_at": window.resets_at}
