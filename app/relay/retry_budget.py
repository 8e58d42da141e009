"""
Retry budgets: how many upstream requests a process may add to those of its callers.

In an outage every retry fails too, and makes it worse. So failed retries are counted, and stop
at a fifth of the requests of the last minute, with a floor for pools of little traffic. A
retry that succeeds costs nothing: it moves load to an account that answers. Once the budget is
spent, a few retries may still test an account that has not failed lately.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

RETRY_SHARE = 0.2  # failed retries per request: 1.2 upstream requests per request in an outage
RETRY_FLOOR = 10  # failed retries per minute that each process always allows a pool
WINDOW_SECONDS = 60.0
BUCKETS = 6  # parts of the window that expire one by one
PROVEN_SECONDS = 10.0  # how long after a response retries at its account are free
MAX_TESTS = 3  # concurrent retries that may test an account which has not failed lately
MAX_TARGETS = 10_000  # targets whose last outcome is remembered; when there are more, all are forgotten

RetryTarget = tuple[str, str]  # account id, model


@dataclass(slots=True)
class _Bucket:
    began_at: float
    requests: Counter[str] = field(default_factory=Counter)  # number of requests, by API key
    failed: Counter[str] = field(default_factory=Counter)  # number of failed retries, by API key


class RetryBudget:
    """The budget of one pool in one process. Every `take` that returns True is followed by `end`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: deque[_Bucket] = deque([_Bucket(clock())], maxlen=BUCKETS)
        self._open: Counter[RetryTarget] = Counter()  # retries under way
        self._open_by_key: Counter[str] = Counter()
        self._answered_at: dict[RetryTarget, float] = {}
        self._failed_at: dict[str, float] = {}  # when each account last failed

    def count_request(self, key: str) -> None:
        """Count an admitted request, which adds RETRY_SHARE to the budget."""
        self._current().requests[key] += 1

    def take(self, key: str, target: RetryTarget, *, again: bool) -> bool:
        """
        Return whether a retry may go to *target*; if so, `end` has to follow.

        A retry at an account that answered lately costs nothing. Once half of the budget is spent, a key gets
        no more retries than its share of the requests, and no request gets a second retry at the same model
        (*again*).
        """
        if not (self.is_proven(target) or self._may_test(target) or self._affords(key, again=again)):
            return False
        self._open[target] += 1
        self._open_by_key[key] += 1
        return True

    def end(self, key: str, target: RetryTarget, *, failed: bool) -> None:
        """Count how a retry that was taken ended."""
        _release(self._open, target)
        _release(self._open_by_key, key)
        if failed:
            self._current().failed[key] += 1

    def note_response(self, target: RetryTarget) -> None:
        """Record that *target* began to answer a request."""
        if len(self._answered_at) >= MAX_TARGETS:
            self._answered_at.clear()
        self._answered_at[target] = self._clock()
        self._failed_at.pop(target[0], None)

    def note_failure(self, target: RetryTarget) -> None:
        """Record that *target* failed a request."""
        if len(self._failed_at) >= MAX_TARGETS:
            self._failed_at.clear()
        self._answered_at.pop(target, None)
        self._failed_at[target[0]] = self._clock()

    def is_proven(self, target: RetryTarget) -> bool:
        """Return whether the last outcome of *target* is a response, and recent."""
        return self._clock() < self._answered_at.get(target, -PROVEN_SECONDS) + PROVEN_SECONDS

    def has_open_retry(self, target: RetryTarget) -> bool:
        """Return whether a retry is under way that will show whether *target* answers."""
        return target in self._open

    def _may_test(self, target: RetryTarget) -> bool:
        failed_at = self._failed_at.get(target[0], -WINDOW_SECONDS)
        return self._open[target] < MAX_TESTS and self._clock() >= failed_at + WINDOW_SECONDS

    def _affords(self, key: str, *, again: bool) -> bool:
        self._current()
        requests = sum(bucket.requests.total() for bucket in self._buckets)
        spent = sum(bucket.failed.total() for bucket in self._buckets) + self._open.total()
        allowed = max(RETRY_FLOOR, RETRY_SHARE * requests)
        if spent < allowed / 2:
            return True
        if again or spent >= allowed:
            return False
        own = sum(bucket.failed[key] for bucket in self._buckets) + self._open_by_key[key]
        share = sum(bucket.requests[key] for bucket in self._buckets) / max(requests, 1)
        return own < allowed * share

    def _current(self) -> _Bucket:
        """Return the current bucket; drop those older than the window."""
        now = self._clock()
        if now >= self._buckets[-1].began_at + WINDOW_SECONDS / BUCKETS:
            while self._buckets and self._buckets[0].began_at <= now - WINDOW_SECONDS:
                self._buckets.popleft()
            self._buckets.append(_Bucket(now))
        return self._buckets[-1]


def _release(counter: Counter[Any], name: Any) -> None:
    counter[name] -= 1
    if counter[name] <= 0:
        del counter[name]


class RetryBudgets:
    """One budget for each pool, so that an outage of one pool does not use up the retries of others."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_pool: dict[str, RetryBudget] = {}

    def of(self, pool: str) -> RetryBudget:
        """Return the budget of *pool*."""
        budget = self._by_pool.get(pool)
        if budget is None:
            budget = self._by_pool[pool] = RetryBudget(self._clock)
        return budget
