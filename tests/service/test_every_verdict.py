"""
Every row of the verdict table, through a real gateway: what callers receive, what becomes of the account.

Of two accounts the first fails and the second is well; then each of three fails alike. What each
answer has to lead to is in `tests.support.verdict_cases`.
"""

from __future__ import annotations

import json
import time
from typing import Any

import orjson
import pytest
import requests
from click.testing import CliRunner

from app import administration
from app.accounts.account import Account
from app.accounts.failures import CONSEQUENCES, Scope
from app.accounts.verdicts import RULES
from app.cli import main
from app.errors import EndpointMissing, ResponsesDiffer, UpstreamError
from app.stores import keys
from app.stores.records.audit import Actor
from tests.service.test_model_responses import PATHS, events_of, streamed_text
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream
from tests.support.verdict_cases import (
    CASES,
    MODEL,
    NAMED_SECONDS,
    NO_ENDPOINT,
    OTHER_MODEL,
    PLAYED,
    VARIANTS,
    Case,
)

EMBEDDINGS = "/v1/embeddings"
VECTORS = {"play": "json", "body": {"object": "list", "data": [], "usage": {"prompt_tokens": 4}}}
WELL = {"play": "text", "text": "Here."}
LATER_MS = 3_600_000
# What no single response of an upstream leads to: each has a test of its own below.
OF_SEVERAL_RESPONSES = (ResponsesDiffer, EndpointMissing, UpstreamError)


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
        if case.is_event:
            pool.set(settings='{"stream_upstream": "always"}')
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

    def request(
        self, model: str = MODEL, key: str = "", *, headers: dict[str, str] | None = None, **more: Any
    ) -> requests.Response:
        """Send one request of a conversation of its own."""
        body: dict[str, Any] = {"model": model, **more}
        if self.path == EMBEDDINGS:
            body |= {"input": self.case.prompt}
        else:
            body |= {"messages": [{"role": "user", "content": self.case.prompt}]}
            body |= {"prompt_cache_key": str(time.monotonic_ns())}
        return self.pool.post(self.path, body, key or self.key, headers=headers or {})

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
        choice = self.pool.gateway.services.ledger.explainer.explain(self.pool.name, request_id)["choices"][0]
        reasons = {each["account"]["id"]: each["why"] for each in choice["candidates"]}
        reasons |= {each["account"]["id"]: each["state"] for each in choice["out"]}
        found: str = reasons.get(account.id, "")
        return found


def first_of_two(pool: PoolOfTest, upstream: ScriptedUpstream, case: Case, path: str) -> None:
    """The account is in the state that is due, for as long as is due, and all other requests are served."""
    bench, expected = Bench(pool, upstream, case, path), case.expected
    bench.add("a", case.play, case.limits)
    bench.add("b", None, {})
    before_ms = bench.now_ms()

    response = bench.request()

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
    check_first_response(bench, response)
    check_attempts(bench, row, account)
    check_others(bench)


def check_duration(seconds: float | None, until_ms: int, before_ms: int, after_ms: int) -> None:
    """An end that was stated lies exactly so far from the response; to whole seconds where it is a date."""
    if seconds is None:
        assert until_ms == 0
    else:
        assert before_ms + seconds * 1000 - 1 <= until_ms <= after_ms + seconds * 1000 + 1


def check_first_response(bench: Bench, response: requests.Response) -> None:
    case = bench.case
    if case.expected.tries_another:
        assert (response.status_code, response.headers["x-poolgate-account"]) == (200, "b")
    else:
        check_reply(case, response)
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
        assert bench.requests_to("a") == before + 2  # nothing is stored about it
        return
    assert (again.status_code, again.headers["x-poolgate-account"]) == (200, "b")
    assert bench.requests_to("a") == before + well
    why = bench.why_not("a", again.headers["x-poolgate-request-id"])
    assert why == (expected.model_state or expected.state)


def check_reply(case: Case, response: requests.Response) -> None:
    """The caller receives what is due where no account answers: the upstream's own words, or ours."""
    error = response.json()["error"]
    given = case.body
    words = given.get("message") or given.get("detail")
    code = given.get("code") if isinstance(given.get("code"), str) else ""
    status = case.status or 0
    if case.expected.reply is not None:
        status, code = case.expected.reply
    else:
        assert error["type"] == (given.get("type") or error["type"])
    assert response.status_code == status, response.text
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

    response = bench.request()

    (entry,) = pool.wait_for_rows(1)
    check_last_reply(case, response, path)
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


def check_last_reply(case: Case, response: requests.Response, path: str) -> None:
    check_reply(case, response)
    if case.rejection().retry_after_seconds == NAMED_SECONDS and case.is_refusal:
        assert response.headers["retry-after"] == str(NAMED_SECONDS)


@named(PLAYED)
def test_each_of_three(pool: PoolOfTest, upstream: ScriptedUpstream, case: Case) -> None:
    each_of_three(pool, upstream, case, PATHS["chat"])


def test_every_row_has_a_case() -> None:
    """A row that is added to the table needs one in `tests.support.verdict_cases`."""
    covered = {case.row for case in CASES}
    missing = [f"{number}: {rule.failure}" for number, rule in enumerate(RULES) if number not in covered]
    assert missing == []
    unplayed = {case.row for case in CASES} - {case.row for case in PLAYED}
    assert {RULES[row].error for row in unplayed} == set(OF_SEVERAL_RESPONSES)


IN_STREAMS = tuple(case for case in PLAYED if case.is_event)
TESTABLE = tuple(case for case in PLAYED if not case.limits and case.prompt == "Hello")
ONE_PER_SCOPE = tuple(
    next(
        case
        for case in PASSED_ON
        if case in TESTABLE and CONSEQUENCES[RULES[case.row].failure].scope is scope
    )
    for scope in Scope
)


@named(ONE_PER_SCOPE)
def test_each_of_three_where_requests_pass_through(
    pool: PoolOfTest, upstream: ScriptedUpstream, case: Case
) -> None:
    each_of_three(pool, upstream, case, EMBEDDINGS)


def test_an_endpoint_that_no_account_has(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Where accounts may lack it, that is no outage: the caller receives what no other attempt changes."""
    case = next(case for case in PASSED_ON if case.expected is NO_ENDPOINT)
    bench = Bench(pool, upstream, case, EMBEDDINGS)
    bench.add("abc", case.play, {})

    response = bench.request()

    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
    assert sum(map(bench.requests_to, "abc")) == 3
    assert pool.states() == dict.fromkeys("abc", "active")


@named(IN_STREAMS)
def test_after_a_visible_event(pool: PoolOfTest, upstream: ScriptedUpstream, case: Case) -> None:
    """The account is judged as before it; the caller receives what came, then the failure, and no finish."""
    assert case.play is not None
    bench = Bench(pool, upstream, case, PATHS["chat"])
    bench.add("a", {**case.play, "after": 2}, {})
    bench.add("b", None, {})

    response = bench.request(stream=True)

    (row,) = pool.wait_for_rows(1)
    events = events_of(response.text)
    chunks = [event for event in events if event != "[DONE]" and "error" not in event]
    failed = next(event["error"] for event in events if event != "[DONE]" and "error" in event)
    given = streamed_text("chat", chunks)
    assert given
    assert "One two.".startswith(given)
    assert not any(choice.get("finish_reason") for chunk in chunks for choice in chunk["choices"])
    assert case.body["message"] in failed["message"]
    assert bench.requests_to("b") == 0
    assert bench.account("a").state == case.expected.state
    assert bool(bench.model_rests_until_ms("a")) == bool(case.expected.model_state)
    assert row["attempts"][0]["failure"] == RULES[case.row].failure.value
    assert bench.request(OTHER_MODEL, bench.other_key).status_code == 200


def test_a_response_that_does_not_continue_another(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Its account is well: only the one whose stream was cut is suspected."""
    cut = {"play": "text", "text": "One two three.", "deltas": 4, "at": {"2": [{"reset": True}]}}
    bench = Bench(pool, upstream, CASES[0], PATHS["chat"])
    bench.add("a", cut, {})
    bench.add("b", {"play": "text", "text": "Something else."}, {})

    response = bench.request(stream=True, headers={"x-poolgate-on-cut": "restart"})

    (row,) = pool.wait_for_rows(1)
    assert events_of(response.text)[-2]["error"]["code"] == "stream_incomplete"
    assert [attempt["failure"] for attempt in row["attempts"]] == ["cut", "differs"]
    assert pool.states() == {"a": "suspected", "b": "active"}


@pytest.mark.parametrize("status", [404, 401])
def test_another_model_answers_for_what_no_account_does(
    pool: PoolOfTest, upstream: ScriptedUpstream, status: int
) -> None:
    """What callers receive as a failure of this gateway's accounts is one that a fallback makes up for."""
    case = next(case for case in PLAYED if case.name == f"bare {status}")
    bench = Bench(pool, upstream, case, PATHS["chat"])
    bench.add("ab", case.play, {})

    response = bench.request(fallbacks=[OTHER_MODEL])

    assert (response.status_code, response.json()["model"]) == (200, OTHER_MODEL)


@named(TESTABLE)
def test_operators_see_the_same_verdict(pool: PoolOfTest, upstream: ScriptedUpstream, case: Case) -> None:
    """A test of one account judges its response by the same table, and changes no state."""
    bench = Bench(pool, upstream, case, PATHS["chat"])
    bench.add("a", case.play, {})
    operations = administration.operations(pool.gateway.services, Actor("ann", "cli"))

    result = operations.accounts.test(pool.name, "a", MODEL)

    rule = RULES[case.row]
    assert (result.ok, result.failure) == (False, rule.failure.value)
    assert result.scope == CONSEQUENCES[rule.failure].scope.value
    assert result.error is not None
    message = case.body.get("message")
    assert message is None or message in result.error["message"]
    assert bench.account("a").state == "active"
    assert bench.model_rests_until_ms("a") == 0
    assert pool.rows() == []


@named(ONE_PER_SCOPE)
def test_the_command_shows_the_same_verdict(pool: PoolOfTest, upstream: ScriptedUpstream, case: Case) -> None:
    bench = Bench(pool, upstream, case, PATHS["chat"])
    bench.add("a", case.play, {})
    settings = pool.gateway.services.settings
    environ = {
        "REDIS_URL": settings.redis_url,
        "POOLGATE_SECRET_KEYS": ",".join(settings.secret_keys),
        "POOLGATE_STORE_TIMEOUT_MS": "5000",
    }
    command = ["account", "test", "a", "--model", MODEL, "--pool", pool.name, "--json"]

    result = CliRunner().invoke(main, command, env=environ)

    shown = json.loads(result.stdout)
    failure = RULES[case.row].failure
    assert result.exit_code == 1
    assert (shown["failure"], shown["scope"]) == (failure.value, CONSEQUENCES[failure].scope.value)
