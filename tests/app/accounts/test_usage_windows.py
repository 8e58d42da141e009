"""Usage windows, in the formats of upstreams."""

from __future__ import annotations

from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from app.accounts.usage_windows import (
    has_room,
    outcome_from_usage,
    windows_from_headers,
    windows_from_usage,
)

NOW = 1_800_000_000.0
NOW_MS = 1_800_000_000_000


def headers(**values: str) -> CaseInsensitiveDict[str]:
    return CaseInsensitiveDict({name.replace("_", "-"): value for name, value in values.items()})


class TestCodexHeaders:
    def test_both_windows(self):
        quota_headers = headers(
            x_codex_primary_used_percent="12.5",
            x_codex_primary_reset_at="1800003600",
            x_codex_primary_window_minutes="300",
            x_codex_secondary_used_percent="80",
            x_codex_secondary_reset_after_seconds="7200",
        )

        assert windows_from_headers(quota_headers, NOW) == [
            [12.5, NOW_MS + 3_600_000, 18_000],
            [80, NOW_MS + 7_200_000],
        ]

    @pytest.mark.parametrize(("name", "place"), [("primary", []), ("secondary", [None])])
    def test_one_window_alone(self, name, place):
        """The window retains its position; the other one is not reported."""
        quota_headers = headers(
            **{f"x_codex_{name}_used_percent": "1", f"x_codex_{name}_reset_at": "1800003600"}
        )

        assert windows_from_headers(quota_headers, NOW) == [*place, [1, NOW_MS + 3_600_000]]

    def test_a_windows_length_bounds_its_reset(self):
        quota_headers = headers(x_codex_primary_used_percent="1", x_codex_primary_window_minutes="300")

        assert windows_from_headers(quota_headers, NOW) == [[1, NOW_MS + 300 * 60_000, 18_000]]

    @pytest.mark.parametrize("used", ["", "NaN", "inf", "-1", "much"])
    def test_values_that_are_not_numbers_are_left_out(self, used):
        quota_headers = headers(x_codex_primary_used_percent=used, x_codex_primary_reset_at="1800003600")

        assert windows_from_headers(quota_headers, NOW) is None

    @pytest.mark.parametrize("reset_at", ["", "soon", "1799999999", "1800000000"])
    def test_a_window_without_a_future_reset_is_not_stored(self, reset_at):
        quota_headers = headers(x_codex_primary_used_percent="50", x_codex_primary_reset_at=reset_at)

        assert windows_from_headers(quota_headers, NOW) is None

    def test_more_than_all_is_all(self):
        quota_headers = headers(x_codex_primary_used_percent="104", x_codex_primary_reset_at="1800003600")

        assert windows_from_headers(quota_headers, NOW) == [[100, NOW_MS + 3_600_000]]


class TestRateLimitHeaders:
    def test_requests_and_tokens(self):
        quota_headers = headers(
            x_ratelimit_limit_requests="500",
            x_ratelimit_remaining_requests="400",
            x_ratelimit_reset_requests="6m0s",
            x_ratelimit_limit_tokens="30000",
            x_ratelimit_remaining_tokens="0",
            x_ratelimit_reset_tokens="1.5s",
        )

        assert windows_from_headers(quota_headers, NOW) == [
            [pytest.approx(20), NOW_MS + 360_000],
            [100, NOW_MS + 1500],
        ]

    @pytest.mark.parametrize(
        ("reset", "milliseconds"), [("1h2m3s", 3_723_000), ("1d", 86_400_000), ("90", 90_000), ("1s", 1000)]
    )
    def test_durations(self, reset, milliseconds):
        quota_headers = headers(
            x_ratelimit_limit_requests="10",
            x_ratelimit_remaining_requests="5",
            x_ratelimit_reset_requests=reset,
        )

        assert windows_from_headers(quota_headers, NOW) == [[50, NOW_MS + milliseconds]]

    @pytest.mark.parametrize("reset", ["20ms", "0s", "", "soon"])
    def test_a_window_that_resets_at_once_is_not_stored(self, reset):
        quota_headers = headers(
            x_ratelimit_limit_tokens="10", x_ratelimit_remaining_tokens="5", x_ratelimit_reset_tokens=reset
        )

        assert windows_from_headers(quota_headers, NOW) is None

    def test_a_limit_of_nothing(self):
        quota_headers = headers(
            x_ratelimit_limit_tokens="0", x_ratelimit_remaining_tokens="0", x_ratelimit_reset_tokens="1m"
        )

        assert windows_from_headers(quota_headers, NOW) is None


def test_headers_without_windows():
    assert windows_from_headers(headers(content_type="text/event-stream"), NOW) is None


def usage(
    used: tuple[float, float] = (10, 20), *, allowed: bool | None = True, reached: bool | None = False
) -> Any:
    primary, secondary = (
        {"used_percent": part, "limit_window_seconds": 18000, "reset_after_seconds": 100 * n, "reset_at": 0}
        for n, part in enumerate(used, start=1)
    )
    del primary["reset_at"], secondary["reset_at"]
    windows = {"primary_window": primary, "secondary_window": secondary}
    return {"plan_type": "plus", "rate_limit": {"allowed": allowed, "limit_reached": reached, **windows}}


class TestUsage:
    def test_windows(self):
        result = windows_from_usage(usage(), NOW)

        assert result == [[10, NOW_MS + 100_000, 18_000], [20, NOW_MS + 200_000, 18_000]]

    @pytest.mark.parametrize("payload", [{}, {"rate_limit": None}, {"rate_limit": "x"}])
    def test_odd_ones(self, payload):
        assert windows_from_usage(payload, NOW) is None
        assert has_room(payload) is None
        assert outcome_from_usage(payload, NOW) == {}

    @pytest.mark.parametrize(
        ("allowed", "reached", "room"),
        [(True, False, True), (False, False, False), (True, True, False), (None, None, None)],
    )
    def test_room(self, allowed, reached, room):
        assert has_room(usage(allowed=allowed, reached=reached)) is room

    def test_with_room_the_mark_is_windows_alone(self):
        assert outcome_from_usage(usage(), NOW) == {"windows": windows_from_usage(usage(), NOW)}

    def test_a_spent_account_is_out_until_its_window_resets(self):
        mark = outcome_from_usage(usage((50, 100), reached=True), NOW)

        assert mark["state"] == "window_spent"
        assert mark["wait_ms"] == 200_000

    def test_with_both_windows_spent_the_later_one_counts(self):
        assert outcome_from_usage(usage((100, 100), reached=True), NOW)["wait_ms"] == 200_000

    def test_without_a_known_end_ten_minutes(self):
        assert outcome_from_usage({"rate_limit": {"limit_reached": True}}, NOW)["wait_ms"] == 600_000
