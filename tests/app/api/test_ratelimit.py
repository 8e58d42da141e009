from __future__ import annotations

import pytest

from app.api.ratelimit import duration, ratelimit_headers
from app.stores.records.admission import LimitStanding

NOW = 1_000_000.0


def standing(what: str, most: int, remaining: int, resets_in: float = 60.0) -> LimitStanding:
    reset_ms = int((NOW + resets_in) * 1000) if resets_in else 0
    return LimitStanding("lim_1", what, "minute", most, remaining, reset_ms)


class TestHeaders:
    def test_nothing_limited(self) -> None:
        assert ratelimit_headers([], NOW) == {}
        assert ratelimit_headers([standing("cost", 5, 5), standing("parallel_requests", 5, 5)], NOW) == {}

    def test_both_kinds(self) -> None:
        assert ratelimit_headers(
            [standing("requests", 10, 9, 6), standing("total_tokens", 10**15, 7, 360)], NOW
        ) == {
            "x-ratelimit-limit-requests": "10",
            "x-ratelimit-remaining-requests": "9",
            "x-ratelimit-reset-requests": "6s",
            "x-ratelimit-limit-tokens": "1000000000000000",
            "x-ratelimit-remaining-tokens": "7",
            "x-ratelimit-reset-tokens": "6m0s",
        }

    def test_the_tightest_is_reported(self) -> None:
        """The headers describe the limit that stops the caller first, whether of the key or of the pool."""
        headers = ratelimit_headers(
            [standing("input_tokens", 100, 50), standing("output_tokens", 90, 3, 5)], NOW
        )

        assert headers["x-ratelimit-limit-tokens"] == "90"
        assert headers["x-ratelimit-reset-tokens"] == "5s"

    def test_overdrawn(self) -> None:
        """A balanced limit may be passed; nothing less than nothing remains."""
        assert ratelimit_headers([standing("requests", 5, -3)], NOW)["x-ratelimit-remaining-requests"] == "0"

    def test_never_resets(self) -> None:
        assert "x-ratelimit-reset-requests" not in ratelimit_headers([standing("requests", 5, 3, 0)], NOW)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0ms"),
        (0, "0ms"),
        (0.12, "120ms"),
        (0.1201, "121ms"),
        (1, "1s"),
        (1.01, "2s"),
        (59.9, "1m0s"),
        (360, "6m0s"),
        (3605, "1h0m5s"),
        (31 * 86400, "744h0m0s"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    """Never shorter than the truth: who waits so long finds it reset."""
    assert duration(seconds) == text
