"""Retries may add few requests to those of a process in an outage, and as many as needed otherwise."""

from __future__ import annotations

import random

import pytest

from app.relay.retry_budget import (
    MAX_TARGETS,
    MAX_TESTS,
    RETRY_FLOOR,
    RETRY_SHARE,
    WINDOW_SECONDS,
    RetryBudget,
    RetryBudgets,
    RetryTarget,
)

BAD: RetryTarget = ("bad", "m")
GOOD: RetryTarget = ("good", "m")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def budget(clock: Clock) -> RetryBudget:
    made = RetryBudget(clock)
    made.note_failure(BAD)
    return made


def retries(budget: RetryBudget, number: int, key: str = "k", target: RetryTarget = BAD) -> int:
    """Return how many of *number* retries, each of which fails, are allowed."""
    allowed = 0
    for _ in range(number):
        if budget.take(key, target, again=False):
            allowed += 1
            budget.end(key, target, failed=True)
            budget.note_failure(target)
    return allowed


class TestOutage:
    def test_the_floor_applies_without_traffic(self, budget: RetryBudget) -> None:
        budget.count_request("k")

        assert retries(budget, 100) == RETRY_FLOOR

    def test_it_grows_with_the_requests(self, budget: RetryBudget) -> None:
        for _ in range(1000):
            budget.count_request("k")

        assert retries(budget, 1000) == RETRY_SHARE * 1000

    def test_it_is_a_fifth_over_any_length(self, budget: RetryBudget, clock: Clock) -> None:
        requests = spent = 0
        chance = random.Random(3)
        while clock.now < 1000 + 10 * WINDOW_SECONDS:
            clock.now += chance.uniform(0, 0.2)
            budget.count_request("k")
            requests += 1
            spent += retries(budget, 4)

        assert spent <= RETRY_SHARE * requests + RETRY_FLOOR

    def test_what_is_under_way_counts(self, budget: RetryBudget) -> None:
        budget.count_request("k")

        taken = sum(budget.take("k", BAD, again=False) for _ in range(100))

        assert taken == RETRY_FLOOR

    def test_it_comes_back_with_the_window(self, budget: RetryBudget, clock: Clock) -> None:
        budget.count_request("k")
        retries(budget, 100)

        clock.now += 2 * WINDOW_SECONDS
        budget.count_request("k")
        budget.note_failure(BAD)

        assert retries(budget, 100) == RETRY_FLOOR


class TestRescue:
    def test_an_account_that_answers_costs_nothing(self, budget: RetryBudget) -> None:
        retries(budget, 100)
        budget.note_response(GOOD)

        assert all(budget.take("k", GOOD, again=True) for _ in range(1000))

    def test_a_retry_that_succeeds_gives_back_what_it_took(self, budget: RetryBudget) -> None:
        budget.count_request("k")
        for _ in range(100):
            assert budget.take("k", BAD, again=False)
            budget.end("k", BAD, failed=False)

    def test_a_few_retries_may_test_an_account_that_has_not_failed(self, budget: RetryBudget) -> None:
        budget.count_request("k")
        retries(budget, 100)

        assert sum(budget.take("k", GOOD, again=False) for _ in range(10)) == MAX_TESTS
        assert budget.has_open_retry(GOOD)

    def test_once_it_failed_it_is_no_longer_tested(self, budget: RetryBudget) -> None:
        budget.count_request("k")
        retries(budget, 100)

        assert retries(budget, 100, target=GOOD) == 1

    def test_a_response_is_proof_only_for_a_while(self, budget: RetryBudget, clock: Clock) -> None:
        budget.note_response(GOOD)
        clock.now += 11

        assert not budget.is_proven(GOOD)


class TestFairness:
    def test_one_key_leaves_others_their_share(self, budget: RetryBudget) -> None:
        for _ in range(100):
            budget.count_request("greedy")
            budget.count_request("modest")

        assert retries(budget, 1000, key="greedy") == 20
        assert retries(budget, 1000, key="modest") == 20

    def test_a_second_retry_of_a_request_comes_after_the_first_of_others(self, budget: RetryBudget) -> None:
        budget.count_request("k")
        retries(budget, RETRY_FLOOR // 2)

        assert not budget.take("k", BAD, again=True)
        assert budget.take("k", BAD, again=False)

    def test_pools_have_budgets_of_their_own(self, clock: Clock) -> None:
        budgets = RetryBudgets(clock)

        assert budgets.of("a") is budgets.of("a") is not budgets.of("b")


def test_what_is_known_of_accounts_is_bounded(budget: RetryBudget) -> None:
    for number in range(3 * MAX_TARGETS):
        budget.note_response((f"a{number}", "m"))
        budget.note_failure((f"b{number}", "m"))

    assert len(budget._answered_at) <= MAX_TARGETS
    assert len(budget._failed_at) <= MAX_TARGETS
