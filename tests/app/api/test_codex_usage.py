"""GET /api/codex/usage: the accounts of a pool as one."""

from __future__ import annotations

from app.api.codex_usage import UNKNOWN_PLAN, merge_accounts, usage_of
from app.stores.records.usage import UpstreamWindow


def test_a_plan_that_all_share() -> None:
    assert merge_accounts([{"plan_type": "pro"}, {"plan_type": "pro"}], 0.0) == {"plan_type": "pro"}
    assert merge_accounts([{"plan_type": "pro"}, {"plan_type": "plus"}], 0.0) == {}


def test_credits_are_summed() -> None:
    credits = [{"has_credits": True, "balance": "1.5"}, {"unlimited": True, "balance": 2}]

    assert merge_accounts([{"credits": each} for each in credits], 0.0)["credits"] == {
        "has_credits": True,
        "unlimited": True,
        "balance": "3.5",
    }


def test_the_month_is_the_average_and_resets_with_the_first() -> None:
    windows = [{"used_percent": 20, "reset_at": 300}, {"used_percent": 40, "reset_at": 200}]
    merged = merge_accounts([{"monthly_window": window} for window in windows], 100.0)

    assert merged["monthly_window"] == {"used_percent": 30, "reset_after_seconds": 100, "reset_at": 200}


def test_the_body() -> None:
    body = usage_of([UpstreamWindow(40.4, 150), None], 100.0, {}, allowed=True)

    assert body["plan_type"] == UNKNOWN_PLAN
    assert body["rate_limit"]["allowed"]
    assert body["rate_limit"]["primary_window"]["used_percent"] == 40
    assert body["rate_limit"]["secondary_window"] is None
