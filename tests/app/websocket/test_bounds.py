"""A rate of messages, and the bytes of those that wait."""

from __future__ import annotations

from app.websocket.bounds import MessageBudget, Rate


def test_a_burst_and_the_long_run() -> None:
    rate = Rate(per_second=10, burst=3, now=0)

    assert [rate.allows(0) for _ in range(4)] == [True, True, True, False]
    assert [rate.allows(1 + each / 10) for each in range(5)] == [True] * 5


def test_a_budget() -> None:
    budget = MessageBudget(max_bytes=10)

    assert budget.take(10)
    assert not budget.take(1)
    budget.give(11)
    assert (budget.bytes, budget.take(10)) == (0, True)
