"""Which alerts hold, by what is stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.accounts.account import Account
from app.accounts.job_results import JobResult
from app.limits.limit_syntax import parse_limit
from app.operations import alert_conditions
from app.operations.alert_conditions import ERROR_MINUTES, error_alerts, limit_alerts
from app.stores import keys
from app.stores.records.alerts import Alert
from app.stores.records.limits import LimitStatus
from app.stores.records.webhooks import AlertKind
from app.stores.teams import TeamRepository
from app.wiring import Services
from tests.support.ledger_rows import record_request

POOL = "default"
Fields = Callable[[], dict[str, Any]]


@pytest.fixture
def account(services: Services) -> Any:
    services.pools.ensure(POOL)

    def add(name: str, kind: str = "openai", **fields: Any) -> Account:
        added = services.accounts.add(POOL, Account("", name, kind, "http://x", credential="sk-x"))
        if fields:
            services.scripts.client.hset(keys.account(POOL, added.id), mapping=fields)
        return added

    return add


def held(services: Services, kind: AlertKind) -> list[Alert]:
    return services.alerting.conditions.current(POOL, {kind})


def spent(seconds: float = 3600) -> dict[str, Any]:
    """Return the fields of an account whose window ends in *seconds* from this call."""
    return {"state": "window_spent", "until_ms": int((time.time() + seconds) * 1000)}


class TestAccounts:
    def test_one_that_needs_attention(self, services: Services, account: Any) -> None:
        account("fine")
        account("dead", state="credential_dead", reason="invalid_api_key")
        account("spent", **spent())

        (alert,) = held(services, AlertKind.ACCOUNT)
        assert alert.key == "account:dead"
        assert alert.text == ("Account dead needs attention: its credential is refused (invalid_api_key)")
        assert alert.details["account"] == "dead"
        remedy = str(alert.details["remedy"])
        assert "poolgate account" in remedy
        assert "dead" in remedy
        assert "NAME" not in remedy
        assert "sk-x" not in alert.to_json()

    def test_a_code_that_alternates_is_no_step(self, services: Services, account: Any) -> None:
        steps = set()
        for code in ("upstream_unavailable", "stream_idle_timeout"):
            result = JobResult(int(time.time()), code).to_json()
            account(code, look_models=result)
            steps |= {alert.step for alert in held(services, AlertKind.ACCOUNT)}

        assert steps == {"it has never answered"}


class TestPool:
    def test_none_can_serve(self, services: Services, account: Any) -> None:
        sooner = spent(3600)
        account("one", **spent(7200))
        account("two", **sooner)
        account("three", state="paused")
        account("four", state="credential_dead")
        account("demo", kind="demo")

        (alert,) = held(services, AlertKind.POOL)
        assert alert.text.startswith(
            "No account can serve: 2 spent, 1 paused, 1 out of use; the first is due back at 20"
        )
        assert alert.details["until"] == sooner["until_ms"] // 1000

    @pytest.mark.parametrize(
        "fields",
        [
            lambda: {"state": "active"},
            lambda: {"state": "burst_limited", "until_ms": 9e12},
            lambda: {"state": "suspected", "until_ms": 9e12},
            lambda: spent(-1000),  # it is back with the next request
        ],
    )
    def test_one_can(self, services: Services, account: Any, fields: Fields) -> None:
        account("one", **spent())
        account("two", **fields())

        assert held(services, AlertKind.POOL) == []

    @pytest.mark.parametrize(
        "fields", [lambda: {"state": "active", "probe": "req_1"}, lambda: spent(-60)], ids=["tested", "due"]
    )
    def test_one_may_be_able(self, services: Services, account: Any, fields: Fields) -> None:
        """It prolongs an alert, and begins none: the upstream may refuse it again at any moment."""
        account("one", **spent())
        account("two", **fields())

        assert [alert.begins for alert in held(services, AlertKind.POOL)] == [False]

    def test_operators_paused_all(self, services: Services, account: Any) -> None:
        account("one", state="paused")

        assert held(services, AlertKind.POOL) == []

    def test_no_accounts(self, services: Services, account: Any) -> None:
        account("demo", kind="demo")

        assert held(services, AlertKind.POOL) == []


class TestLimits:
    def test_of_a_team(self, services: Services) -> None:
        services.pools.ensure(POOL)
        limit = parse_limit("10 requests/day")
        TeamRepository(services.scripts).create(POOL, "red", [limit])
        services.ledger.usage.limit_statuses(POOL, [limit])  # begins its window
        services.scripts.client.hset(keys.limit(POOL, limit.id), "s", 10)

        (alert,) = held(services, AlertKind.LIMIT)
        assert alert.text == "The team red has reached its limit 10 requests per day"
        assert (alert.details["scope"], alert.details["name"]) == ("team", "red")

    def test_of_keys_and_of_the_pool(self, services: Services, account: Any) -> None:
        """The fullest come first; a disabled key has none."""
        texts = ("100 requests/day", "50 requests/minute", "20 requests/month")
        own = [parse_limit(text) for text in texts]
        services.pools.ensure(POOL)
        services.api_keys.create(POOL, "ann", limits=own)
        other = parse_limit("10 requests/day")
        services.api_keys.create(POOL, "bob", limits=(other,))
        services.api_keys.disable(POOL, "bob")
        of_pool = services.limits.add(POOL, parse_limit("90 requests/month"))
        limits = [*own, other, of_pool]
        services.ledger.usage.limit_statuses(POOL, limits)  # begins their windows
        for limit, settled in zip(limits, (80, 50, 19, 10, 90), strict=True):
            services.scripts.client.hset(keys.limit(POOL, limit.id), "s", settled)

        found = held(services, AlertKind.LIMIT)

        expected = [(of_pool, "100"), (own[0], "80"), (own[2], "80")]
        assert [(alert.key, alert.step) for alert in found] == [
            (f"limit:{limit.id}", step) for limit, step in expected
        ]

    @pytest.mark.parametrize(
        ("text", "settled", "expected"),
        [
            ("10 usd/month", 7_499_999, None),
            ("10 usd/month", 8_000_000, "The key ann has used over 80 % of its limit $10.00 per month"),
            ("10 usd/month", 9_999_999, "The key ann has used over 80 % of its limit $10.00 per month"),
            ("10 usd/month", 10_000_000, "The key ann has reached its limit $10.00 per month"),
            ("10 requests/hour", 12, "The key ann has reached its limit 10 requests per hour"),
            ("10 requests/minute", 10, None),
            ("10 parallel_requests", 10, None),
        ],
    )
    def test_steps(self, text: str, settled: int, expected: str | None) -> None:
        status = LimitStatus(parse_limit(text), settled, 5, None)  # of a key

        assert next((alert.text for alert in limit_alerts("ann", status)), None) == expected

    @pytest.mark.parametrize(("settled", "begins"), [(74, []), (75, [False]), (79, [False]), (80, [True])])
    def test_a_correction_does_not_end_it(self, settled: int, begins: list[bool]) -> None:
        status = LimitStatus(parse_limit("100 requests/day"), settled, 0, None)

        assert [alert.begins for alert in limit_alerts("ann", status)] == begins

    def test_many(self, services: Services, account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Their counters are read in parts."""
        monkeypatch.setattr(alert_conditions, "MAX_STATUSES", 2)
        limits = [parse_limit(f"{number} requests/day") for number in range(1, 6)]
        services.api_keys.create(POOL, "ann", limits=limits)
        services.ledger.usage.limit_statuses(POOL, limits)  # begins their windows
        for limit in limits:
            services.scripts.client.hset(keys.limit(POOL, limit.id), "s", limit.max)

        assert len(held(services, AlertKind.LIMIT)) == 5

    def test_of_the_pool(self) -> None:
        (alert,) = limit_alerts("", LimitStatus(parse_limit("10 requests/day"), 8, 0, 5))

        assert alert.text == "The pool has used over 80 % of its limit 10 requests per day"
        assert (alert.details["name"], alert.details["percent"], alert.details["resets_at"]) == (None, 80, 5)


class TestErrors:
    @pytest.mark.parametrize(
        ("errors", "failed_attempts", "rescues", "expected"),
        [
            (20, 20, 0, True),
            (19, 19, 0, False),  # it only prolongs an alert
            (10, 10, 0, False),
            (9, 9, 0, None),
            (50, 0, 0, None),  # the requests were the cause
            (0, 50, 50, None),  # other accounts answered
            (30, 60, 10, True),  # two attempts for each request
        ],
    )
    def test_share(self, errors: int, failed_attempts: int, rescues: int, expected: bool | None) -> None:
        figures = {"requests": 100, "errors": errors, "failed_attempts": failed_attempts, "rescues": rescues}

        assert next((alert.begins for alert in error_alerts(figures)), None) is expected

    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            ({"requests": 100, "errors": 50, "failed_attempts": 50}, None),  # a later model answered all
            ({"requests": 100, "errors": 50, "failed_attempts": 90, "failed_before": 90}, None),
            (
                {"requests": 100, "errors": 70, "failed_attempts": 50},
                None,
            ),  # the other errors are of the requests
            ({"requests": 100, "errors": 70, "failed_attempts": 70}, (20, 50)),
            # too long for the first model, and all its other requests failed
            ({"requests": 100, "errors": 70, "failed_attempts": 20, "failed_before": 0}, (20, 50)),
            (
                {"requests": 50, "errors": 0, "failed_attempts": 0},
                None,
            ),  # the failures are of an earlier minute
        ],
    )
    def test_a_later_model(self, more: dict[str, int], expected: tuple[int, int] | None) -> None:
        """A failure after which another model was tried is not what the caller received."""
        figures = {"fallbacks": 50, "failed_before": 50, "rescues": 0, **more}

        alerts = [(alert.details["failed"], alert.details["requests"]) for alert in error_alerts(figures)]

        assert alerts == ([] if expected is None else [expected])

    def test_few_requests(self) -> None:
        figures = {"requests": 9, "errors": 9, "failed_attempts": 9, "rescues": 0}

        assert [alert.begins for alert in error_alerts(figures)] == [False]
        assert list(error_alerts({})) == []

    def test_of_the_newest_minutes(self, services: Services) -> None:
        """Minutes that are over, of which the current one is none."""
        services.pools.ensure(POOL)
        attempts = [{"account": "a", "failure": "server_error", "scope": "account, briefly"}]
        for _ in range(12):
            record_request(
                services.scripts, POOL, time.time(), status=502, attempts=attempts, attempts_counted=True
            )
        newest, _ = services.scripts.client.xrange(keys.ledger(POOL))[-1]
        minute = int(newest.split("-")[0]) // 60_000 * 60
        series = services.ledger.series
        services.scripts.client.delete(*services.scripts.client.keys("*sum:*") or ["x"])

        class Later:
            def now(self) -> float:
                return float(minute + 70)

            def zone(self, pool: str) -> ZoneInfo:
                return ZoneInfo("UTC")

        series._clock = Later()  # type: ignore[assignment]
        figures = series.newest_minutes(POOL, ERROR_MINUTES)

        assert (figures["requests"], figures["errors"], figures["failed_attempts"]) == (12, 12, 12)
        (alert,) = error_alerts(figures)
        assert alert.begins
        assert alert.text == "100 % of the requests of 5 minutes have failed (12 of 12)"


def test_the_most_important_comes_first(services: Services, account: Any) -> None:
    account("dead", state="credential_dead")

    alerts = services.alerting.conditions.current(POOL, set(AlertKind))

    assert [alert.kind for alert in alerts] == [AlertKind.POOL, AlertKind.ACCOUNT]
