from __future__ import annotations

from app.accounts.account import Account
from app.limits.limit_syntax import parse_limit
from app.presentation.accounts import AccountView
from app.presentation.outlook import limits_by_use, pool_windows
from app.stores.records.accounts import AccountState
from app.stores.records.limits import LimitStatus

NOW = 1_000_000.0
FIVE_HOURS = 5 * 3600


def view(
    used: float | None,
    resets_in: float = 0,
    *,
    seconds: int = FIVE_HOURS,
    state: AccountState = AccountState.ACTIVE,
) -> AccountView:
    resets = (int((NOW + resets_in) * 1000) if resets_in else 0, 0)
    windows = {"used": (used, None), "resets_ms": resets, "window_seconds": (seconds, 0)}
    return AccountView(Account("a", "a", "chatgpt", "", state=state, **windows), NOW)  # type: ignore[arg-type]


class TestPoolWindows:
    def test_accounts_count_as_one(self) -> None:
        (window,) = pool_windows([view(20, 3600), view(60, 7200)], {"a": "plus"})

        assert (window.kind, window.plan, window.label) == ("chatgpt", "plus", "5 h window")
        assert (window.accounts, window.used, window.left) == (2, 40, 60)
        assert (window.first_reset, window.last_reset) == (NOW + 3600, NOW + 7200)

    def test_the_present_rate(self) -> None:
        """Half was used in one hour, so the other half lasts another hour; the window has four left."""
        (window,) = pool_windows([view(50, FIVE_HOURS - 3600)], {})

        assert window.spent_at == NOW + 3600

    def test_it_lasts_until_it_resets(self) -> None:
        (window,) = pool_windows([view(50, 3600)], {})

        assert window.spent_at is None

    def test_a_window_that_has_ended_is_unused(self) -> None:
        (window,) = pool_windows([view(90, -60)], {})

        assert (window.used, window.first_reset, window.spent_at) == (0, None, None)

    def test_what_does_not_count(self) -> None:
        """Accounts that are out of use, unknown windows, and those that limit a rate."""
        out = view(50, 3600, state=AccountState.PAUSED)

        assert pool_windows([out, view(None), view(50, 30, seconds=60)], {}) == []

    def test_the_fullest_first(self) -> None:
        windows = pool_windows([view(10, 3600), view(80, 86_400, seconds=604_800)], {})

        assert [window.label for window in windows] == ["7 d window", "5 h window"]


class TestLimits:
    def test_by_use(self) -> None:
        """Without those of a rate and of parallel requests."""
        texts = ("100 requests/day", "10 requests/day", "10 requests/minute", "10 parallel_requests")
        owned = [(text, LimitStatus(parse_limit(text), 5, 0, None)) for text in texts]

        found = limits_by_use(owned, {}, NOW)
        assert [one.owner for one in found] == ["10 requests/day", "100 requests/day"]

    def test_when_it_is_reached(self) -> None:
        limit = parse_limit("100 requests/day")
        start = {"day": NOW - 3600}

        (soon,) = limits_by_use([("ann", LimitStatus(limit, 20, 5, int(NOW) + 82_800))], start, NOW)
        (never,) = limits_by_use([("ann", LimitStatus(limit, 1, 0, int(NOW) + 82_800))], start, NOW)
        (unused,) = limits_by_use([("ann", LimitStatus(limit, 0, 0, int(NOW) + 82_800))], start, NOW)
        assert soon.full_at == NOW + 3 * 3600
        assert never.full_at is None
        assert unused.full_at is None
