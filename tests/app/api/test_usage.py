from __future__ import annotations

from typing import Any

from app.api.usage import usage_body
from app.stores.records.limits import Limit, LimitScope, LimitStatus, LimitUnit, Period
from app.stores.records.usage import KeyUsage, UpstreamWindow

COST = Limit("c", LimitUnit.COST, Period.MONTH, 5_000_000, scope=LimitScope.POOL)
TOKENS = Limit("t", LimitUnit.TOTAL_TOKENS, Period.DAY, 100, model="gpt-5*")


def standing(**more: Any) -> KeyUsage:
    return KeyUsage(**{"used": {}, "limits": [], "windows": [None, None]} | more)


class TestBody:
    def test_nothing_yet(self) -> None:
        assert usage_body(standing()) == {
            "request_count": 0,
            "total_tokens": 0,
            "cached_input_tokens": 0,
            "total_cost_usd": 0.0,
            "limits": [],
            "upstream_limits": [],
            "account_pool_usage": None,
        }

    def test_used(self) -> None:
        used = {"requests": 2, "input_tokens": 5, "output_tokens": 7, "cached_tokens": 3, "cost": 1_250_000}
        body = usage_body(standing(used=used))

        assert (body["request_count"], body["total_tokens"], body["cached_input_tokens"]) == (2, 12, 3)
        assert body["total_cost_usd"] == 1.25

    def test_a_request_that_was_tried_at_several_models_is_one(self) -> None:
        assert usage_body(standing(used={"requests": 5, "fallbacks": 2}))["request_count"] == 3

    def test_limits(self) -> None:
        """Money is in dollars; what runs is not remaining; what is overdrawn leaves nothing."""
        cost, tokens = usage_body(
            standing(limits=[LimitStatus(COST, 1_000_000, 500_000, 99), LimitStatus(TOKENS, 120, 0, None)])
        )["limits"]

        assert cost == {
            "limit_type": "cost_usd",
            "limit_window": "monthly",
            "max_value": 5.0,
            "current_value": 1.0,
            "remaining_value": 3.5,
            "held_value": 0.5,
            "model_filter": None,
            "reset_at": 99,
            "source": "pool",
        }
        assert (tokens["limit_window"], tokens["model_filter"], tokens["source"]) == (
            "daily",
            "gpt-5*",
            "api_key",
        )
        assert (tokens["current_value"], tokens["remaining_value"], tokens["reset_at"]) == (120, 0, None)

    def test_upstream_windows(self) -> None:
        body = usage_body(standing(windows=[UpstreamWindow(40.5, 77), None]))

        assert body["account_pool_usage"] == {
            "primary": {"used_percent": 40.5, "reset_at": 77},
            "secondary": None,
        }
        (window,) = body["upstream_limits"]
        assert (window["limit_window"], window["remaining_value"], window["reset_at"]) == (
            "primary",
            59.5,
            77,
        )
