"""
Every row of the verdict table, through a real gateway: what callers receive, what becomes of the account.

Of two accounts the first fails and the second is well; then each of three fails alike. What each
answer has to lead to is in `tests.support.verdict_cases`.
"""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
import requests

from app.errors import AnswersDiffer, EndpointMissing, UpstreamError
from app.pool.account import Account
from app.pool.explain import explain
from app.pool.failures import CONSEQUENCES
from app.pool.verdicts import RULES
from app.stores import keys
from tests.service.test_answers import PATHS
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream
from tests.support.verdict_cases import (
    CASES,
    MODEL,
    NAMED_SECONDS,
    OTHER_MODEL,
    PLAYED,
    VARIANTS,
    Case,
)

EMBEDDINGS = "/v1/embeddings"
VECTORS = {"play": "json", "body": {"object": "list", "data": [], "usage": {"prompt_tokens": 4}}}
WELL = {"play": "text", "text": "Here."}
LATER_MS = 3_600_000
# What no single answer of an upstream leads to: each has a test of its own below.
OF_SEVERAL_ANSWERS = (AnswersDiffer, EndpointMissing, UpstreamError)


def named(cases: tuple[Case, ...]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[f"{case.row}-{case.name}" for case in cases])


PASSED_ON = tuple(
    case for case in PLAYED if not (case.is_core_only or case.is_event or case.kind == "chatgpt")
)


class Bench:
    """One pool in which accounts called by a letter fail as *case* does, and others are well."""

    def __init__(self, pool: PoolOfTest, upstream: ScriptedUpstream, case: Case, path: str) -> None:
        self.pool = pool
        self.upstream = upstream
        self.case = case
        self.path = path
        self.key, self.other_key = pool.key(), pool.key("other")
        self._client: Any = pool.gateway.services.scripts.client
        pool.set(policy="ordered")
        suffix = {"path": "/embeddings"} if path == EMBEDDINGS else {}
        upstream.script(VECTORS if suffix else WELL, **suffix)
        self._suffix = suffix

    def add(self, names: str, play: dict[str, Any] | None, limits: dict[str, float]) -> None:
        """Add an account for each letter of *names*, of which each plays *play* for MODEL."""
        for name in names:
            self.pool.account(
                name, self._address(name, fails=play is not None), kind=self.case.kind, group=ord(name)
            )
            if play:
                self.upstream.script(play, account=name, model=MODEL, **self._suffix)
        if limits:
            self.pool.set(settings=orjson.dumps({"time_limits": {MODEL: limits}}).decode())

    def _address(self, name: str, *, fails: bool) -> str:
        if fails and self.case.base_url:
            return self.case.base_url
        if self.case.kind == "chatgpt":
            return f"{self.upstream.root_url(name)}/backend-api"
        return self.upstream.base_url(name)

    def request(self, model: str = MODEL, key: str = "", **more: Any) -> requests.Response:
        """Send one request of a conversation of its own."""
        body: dict[str, Any] = {"model": model, **more}
        if self.path == EMBEDDINGS:
            body |= {"input": self.case.prompt}
        else:
            body |= {"messages": [{"role": "user", "content": self.case.prompt}]}
            body |= {"prompt_cache_key": str(time.monotonic_ns())}
        return self.pool.post(self.path, body, key or self.key)

    def account(self, name: str) -> Account:
        return self.pool.gateway.services.accounts.find(self.pool.name, name)

    def requests_to(self, name: str) -> int:
        return len([seen for seen in self.upstream.log(name) if seen.method == "POST"])

    def now_ms(self) -> int:
        seconds, micros = self._client.time()
        return int(seconds * 1000 + micros / 1000)

    def model_rests_until_ms(self, name: str) -> int:
        """Return until when MODEL rests at the account, 0 if it does not."""
        account = self.account(name)
        scores = [
            self._client.zscore(f"{keys.root(self.pool.name)}{kind}:{account.id}", MODEL)
            for kind in ("rest", "lacks")
        ]
        return int(max(score or 0.0 for score in scores))

    def extend(self, name: str) -> None:
        """Make whatever rests at the account rest for an hour, so that a slow machine sees it as well."""
        root, account = keys.root(self.pool.name), self.account(name)
        later = self.now_ms() + LATER_MS
        self._client.zadd(f"{root}out", {account.id: later}, xx=True)
        for kind in ("rest", "lacks"):
            name = f"{root}{kind}:{account.id}"
            if (score := self._client.zscore(name, MODEL)) is not None:
                self._client.zadd(name, {MODEL: later + score % 1}, xx=True)
                self._client.zadd(f"{root}rested", {account.id: later}, xx=True)
                self._client.persist(name)

    def why_not(self, name: str, request_id: str) -> str:
        """Return why the choice for a request did not fall on the account, as operators see it."""
        account = self.account(name)
        choice = explain(self._client, self.pool.name, request_id)["choices"][0]
        reasons = {each["account"]["id"]: each["why"] for each in choice["candidates"]}
        reasons |= {each["account"]["id"]: each["state"] for each in choice["out"]}
        found: str = reasons.get(account.id, "")
        return found


@pytest.fixture(params=[PATHS["chat"]])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def first_of_two(pool: PoolOfTest, upstream: ScriptedUpstream, case: Case, path: str) -> None:
    """The account is in the state that is due, for as long as is due, and all other requests are served."""
    bench, expected = Bench(pool, upstream, case, path), case.expected
    bench.add("a", case.play, case.limits)
    bench.add("b", None, {})
    before_ms = bench.now_ms()

    answer = bench.request()

    (row,) = pool.wait_for_rows(1)
    account, after_ms = bench.account("a"), bench.now_ms()
    assert account.state == expected.state
    if expected.state != "active":
        check_duration(expected.seconds, account.until_ms, before_ms, after_ms)
    elif expected.model_state:
        check_duration(expected.seconds, bench.model_rests_until_ms("a"), before_ms, after_ms)
    else:
        assert bench.model_rests_until_ms("a") == 0
    bench.extend("a")
    check_first_answer(bench, answer)
    check_attempts(bench, row, account)
    check_others(bench)


def check_duration(seconds: float | None, until_ms: int, before_ms: int, after_ms: int) -> None:
    """An end that was stated lies exactly so far from the answer; to whole seconds where it is a date."""
    if seconds is None:
        assert until_ms == 0
    else:
        assert before_ms + seconds * 1000 - 1 <= until_ms <= after_ms + seconds * 1000 + 1


def check_first_answer(bench: Bench, answer: requests.Response) -> None:
    case = bench.case
    if case.expected.tries_another:
        assert (answer.status_code, answer.headers["x-poolgate-account"]) == (200, "b")
    else:
        check_reply(case, answer)
    assert bench.requests_to("b") == case.expected.tries_another


def check_attempts(bench: Bench, row: dict[str, Any], account: Account) -> None:
    """The ledger and the account's counters have the failed attempt, and who made up for it."""
    rule = RULES[bench.case.row]
    first = row["attempts"][0]
    scope = CONSEQUENCES[rule.failure].scope.value
    assert (first["account"], first["failure"], first["scope"]) == (account.id, rule.failure.value, scope)
    assert len(row["attempts"]) == 1 + bench.case.expected.tries_another
    rescued = int(bench.case.expected.tries_another)
    assert (account.attempts, account.rescues) == (1, rescued)
    assert account.failed_attempts == int(rescued or scope != "request")
    assert account.failures == {rule.failure.value: 1}
    assert (bench.pool.open_leases(), bench.pool.in_flight()) == (0, 0)


def check_others(bench: Bench) -> None:
    """Another model and another key are served; the account has what it may still have, and no more."""
    expected, before = bench.case.expected, bench.requests_to("a")
    other_model = bench.request(OTHER_MODEL, bench.other_key)
    well = expected.state == "active" and not bench.case.base_url
    assert (other_model.status_code, other_model.headers["x-poolgate-account"]) == (200, "a" if well else "b")

    again = bench.request(key=bench.other_key)

    if well and not expected.model_state:
        assert bench.requests_to("a") == before + 2  # nothing is remembered of it
        return
    assert (again.status_code, again.headers["x-poolgate-account"]) == (200, "b")
    assert bench.requests_to("a") == before + well
    why = bench.why_not("a", again.headers["x-poolgate-request-id"])
    assert why == (expected.model_state or expected.state)


def check_reply(case: Case, answer: requests.Response) -> None:
    """The caller receives what is due where no account answers: the upstream's own words, or ours."""
    error = answer.json()["error"]
    given = case.body
    words = given.get("message") or given.get("detail")
    code = given.get("code") if isinstance(given.get("code"), str) else ""
    status = case.status or 0
    if case.expected.reply is not None:
        status, code = case.expected.reply
    else:
        assert error["type"] == (given.get("type") or error["type"])
    assert answer.status_code == status, answer.text
    assert error["code"] == (code or error["code"])
    assert error["message"]
    if isinstance(words, str) and code != "usage_limit_reached":
        assert words in error["message"]
    assert "<" not in error["message"]  # no page is passed on


@named(PLAYED)
def test_first_of_two(pool: PoolOfTest, upstream: ScriptedUpstream, case: Case) -> None:
    first_of_two(pool, upstream, case, PATHS["chat"])


@named(VARIANTS)
def test_every_code_and_status(pool: PoolOfTest, upstream: ScriptedUpstream, case: Case) -> None:
    first_of_two(pool, upstream, case, PATHS["chat"])


@named(PASSED_ON)
def test_first_of_two_where_requests_pass_through(
    pool: PoolOfTest, upstream: ScriptedUpstream, case: Case
) -> None:
    first_of_two(pool, upstream, case, EMBEDDINGS)


def each_of_three(pool: PoolOfTest, upstream: ScriptedUpstream, case: Case, path: str) -> None:
    """The caller receives the truth, no more accounts are tried than promised, and no more harmed."""
    case, row = case.with_wait(), case.row
    bench, expected = Bench(pool, upstream, case, path), case.expected
    bench.add("abc", case.play, case.limits_of_three or case.limits)
    assert case.row == row

    answer = bench.request()

    (entry,) = pool.wait_for_rows(1)
    check_last_reply(case, answer, path)
    assert sorted(pool.states().values()) == expected.states_of_three
    if not case.limits_of_three:
        assert len(entry["attempts"]) == expected.requests_of_three
        assert sum(map(bench.requests_to, "abc")) == expected.requests_of_three
    else:
        assert 1 <= len(entry["attempts"]) <= 4
    other = bench.request(OTHER_MODEL, bench.other_key)
    if case.base_url or "active" not in pool.states().values():
        assert other.status_code in (429, 502, 503)
    else:
        assert other.status_code == 200


def check_last_reply(case: Case, answer: requests.Response, path: str) -> None:
    check_reply(case, answer)
    if case.rejection().retry_after_seconds == NAMED_SECONDS and case.is_refusal:
        assert answer.headers["retry-after"] == str(NAMED_SECONDS)


@named(PLAYED)
def test_each_of_three(pool: PoolOfTest, upstream: ScriptedUpstream, case: Case) -> None:
    each_of_three(pool, upstream, case, PATHS["chat"])


def test_every_row_has_a_case() -> None:
    """A row that is added to the table needs one in `tests.support.verdict_cases`."""
    covered = {case.row for case in CASES}
    missing = [f"{number}: {rule.failure}" for number, rule in enumerate(RULES) if number not in covered]
    assert missing == []
    unplayed = {case.row for case in CASES} - {case.row for case in PLAYED}
    assert {RULES[row].error for row in unplayed} == set(OF_SEVERAL_ANSWERS)
