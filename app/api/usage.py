"""GET /v1/usage: what the caller's key has used, and what is left of its limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response

from app.accounts.settings import settings_from
from app.api.auth import authenticate, caller
from app.api.context import services
from app.api.json import json_response
from app.formatting import MICRO_DOLLARS
from app.ledger.usage import Gauge, Standing, UpstreamWindow

bp = Blueprint("usage", __name__)
bp.before_request(authenticate)

TYPES = {"cost": "cost_usd"}
WINDOWS = {"hour": "hourly", "day": "daily", "week": "weekly", "month": "monthly", "none": "now"}
SOURCES = {"key": "api_key", "pool": "pool"}


@bp.get("/usage", strict_slashes=False)
def show() -> Response:
    key = caller()
    standing = services().usage.standing(key)
    if not settings_from(key.settings).tells_windows:
        standing = replace(standing, windows=[None, None])
    return json_response(told(standing))


def told(standing: Standing) -> dict[str, Any]:
    """Return the answer's body. Amounts of money are US dollars, moments Unix seconds."""
    used = standing.used
    windows = dict(zip(("primary", "secondary"), map(_window, standing.windows), strict=True))
    return {
        "request_count": used.get("requests", 0),
        "total_tokens": used.get("input_tokens", 0) + used.get("output_tokens", 0),
        "cached_input_tokens": used.get("cached_tokens", 0),
        "total_cost_usd": used.get("cost", 0) / MICRO_DOLLARS,
        "limits": [_limit(gauge) for gauge in standing.gauges],
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


def _limit(gauge: Gauge) -> dict[str, Any]:
    limit = gauge.limit
    is_money = limit["what"] == "cost"

    def amount(units: int) -> float:
        return units / MICRO_DOLLARS if is_money else units

    return {
        "limit_type": TYPES.get(limit["what"], limit["what"]),
        "limit_window": WINDOWS.get(limit["per"], limit["per"]),
        "max_value": amount(limit["max"]),
        "current_value": amount(gauge.settled),
        "remaining_value": amount(max(0, limit["max"] - gauge.settled - gauge.held)),
        "held_value": amount(gauge.held),  # by requests that are running
        "model_filter": limit.get("model"),
        "reset_at": gauge.resets_at,
        "source": SOURCES[limit.get("scope", "key")],
    }


def _window(window: UpstreamWindow | None) -> dict[str, Any] | None:
    if window is None:
        return None
    return {"used_percent": window.used_percent, "reset_at": window.resets_at}
