"""
One column of the table: a topology, streamed or not, with or without restarts, in a row or apart.

A verdict is `pass`: the ideal outcome, every check holds; `partial`: the ideal outcome, an advisory
check does not hold; `safe`: an honest error instead; `FAIL`: a hang, a truncated answer shown as
whole, or a check that must hold does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

from tests.faults.case_runner import timeout
from tests.faults.failover.client import Json, Result, call
from tests.faults.failover.facts import Facts
from tests.faults.failover.scenarios import (
    ALIVE_SECONDS,
    BACK_SECONDS,
    HEALTHY,
    RESPONSE,
    Pace,
    Scenario,
    answering,
)
from tests.faults.failover.topologies import TOPOLOGIES, Topology
from tests.support.gateway import Gateway, PoolOfTest
from tests.support.upstream_client import ScriptedUpstream, Seen

VERDICTS = ("pass", "partial", "safe", "FAIL")
WORST = ("success", "error", "hang")
PROMPT = "Say in sixty words what a pool of accounts is worth."


@dataclass(frozen=True, slots=True)
class Setup:
    topology: str
    restart: bool = False  # `--on-cut restart`
    stream: bool = True
    row: bool = False  # back to back in one pool; else each scenario has a pool of its own

    def __str__(self) -> str:
        parts = (
            "restart" if self.restart else "defaults",
            "streamed" if self.stream else "whole",
            "row" if self.row else "apart",
        )
        return f"{self.topology} {' '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Verdict:
    word: str
    remarks: tuple[str, ...] = ()


class Bench:
    def __init__(self, gateway: Gateway, upstream: ScriptedUpstream, pace: Pace) -> None:
        self._gateway = gateway
        self._upstream = upstream
        self._pace = pace

    def column(self, setup: Setup, scenarios: Iterable[Scenario]) -> dict[str, Verdict]:
        """Return the verdict of each scenario in *setup*, by id."""
        if setup.row:
            run = self._run_in(setup)
            return {each.id: run(each) for each in scenarios}
        chosen = list(scenarios)
        with ThreadPoolExecutor(len(chosen)) as runners:
            verdicts = runners.map(lambda each: self._run_in(setup)(each), chosen)
            return {each.id: verdict for each, verdict in zip(chosen, verdicts, strict=True)}

    def _run_in(self, setup: Setup) -> Callable[[Scenario], Verdict]:
        """Return what runs a scenario in one new pool."""
        pool = self._gateway.pool()
        upstream = self._upstream.scoped(pool.name)
        topology = TOPOLOGIES[setup.topology]
        topology.arrange(pool, upstream, timeout(self._pace.scale))
        key = pool.key(on_cut="restart" if setup.restart else "fail")
        return lambda scenario: _Run(pool, upstream, topology, setup, key, self._pace).verdict(scenario)


class _Run:
    def __init__(
        self,
        pool: PoolOfTest,
        upstream: ScriptedUpstream,
        topology: Topology,
        setup: Setup,
        key: str,
        pace: Pace,
    ) -> None:
        self._url = pool.gateway.url
        self._upstream = upstream
        self._topology = topology
        self._setup = setup
        self._key = key
        self._pace = pace
        self._outage_seconds = 0.0  # how long it lasted

    def verdict(self, scenario: Scenario) -> Verdict:
        before = len(self._upstream.log())
        self._topology.play(self._upstream, scenario, self._pace)
        began = time.time()
        results = self._requests(scenario)
        log = self._upstream.log()[before:]
        facts = facts_of(results, log, scenario, self._topology)
        if scenario.outage_seconds:
            self._add_outage(facts, results, log, scenario, began)
        facts.alive = self._is_alive()
        return judged(facts, scenario, self._topology, self._pace)

    def _requests(self, scenario: Scenario) -> list[tuple[float, Result]]:
        """Return (when it was sent in seconds from the beginning, what came) of each request."""
        began = time.monotonic()
        ends = began + self._pace.seconds(scenario.outage_seconds) if scenario.outage_seconds else None
        results: list[tuple[float, Result]] = []
        for number in count():
            due = began + number * self._pace.seconds(scenario.interval_seconds)
            if ends is not None and max(due, time.monotonic()) >= ends:
                _sleep_until(ends)
                self._upstream.script(answering(self._pace), model=scenario.model, account="p*")
                self._outage_seconds = time.monotonic() - began
                ends = None
            if number >= scenario.requests and not self._goes_on(scenario, time.monotonic() - began):
                return results
            _sleep_until(due)
            sent = time.monotonic() - began
            results.append((sent, call(self._url, self._key, self._body(scenario), scenario.hang_seconds)))
        return results

    def _goes_on(self, scenario: Scenario, seconds: float) -> bool:
        """Return whether a shortened sequence has to go on, because rests of accounts are not shortened."""
        if not scenario.outage_seconds or self._pace.scale == 1.0:
            return False
        if seconds > self._outage_seconds + BACK_SECONDS:
            return False
        newest = [seen for seen in self._upstream.log() if self._is_primary(seen, scenario)][-1:]
        return not any(seen.status == 200 for seen in newest)

    def _body(self, scenario: Scenario) -> Json:
        body: Json = {"model": scenario.model, "messages": [{"role": "user", "content": PROMPT}]}
        if self._setup.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        if self._topology.names_fallbacks:
            body["fallbacks"] = [scenario.fallback]
        return body

    def _add_outage(
        self,
        facts: Facts,
        results: list[tuple[float, Result]],
        log: list[Seen],
        scenario: Scenario,
        began: float,
    ) -> None:
        outage = self._outage_seconds
        during = [result for sent, result in results if sent < outage]
        facts.served_during_outage = all(result.outcome == "success" for result in during)
        back = [
            seen.at - began - outage
            for seen in log
            if self._is_primary(seen, scenario) and seen.at - began >= outage and seen.status == 200
        ]
        facts.back_after_seconds = min(back, default=None)

    def _is_primary(self, seen: Seen, scenario: Scenario) -> bool:
        return self._topology.is_primary(seen.account, (seen.body or {}).get("model", ""), scenario)

    def _is_alive(self) -> bool:
        body = {"model": HEALTHY, "messages": [{"role": "user", "content": PROMPT}]}
        result = call(self._url, self._key, body, ALIVE_SECONDS)
        return result.outcome == "success" and result.text == RESPONSE


def facts_of(
    results: list[tuple[float, Result]], log: list[Seen], scenario: Scenario, topology: Topology
) -> Facts:
    worst = max((result for _, result in results), key=lambda result: WORST.index(result.outcome))
    facts = Facts(
        outcome=worst.outcome,
        complete=all(result.text == RESPONSE for _, result in results if result.outcome == "success"),
        error=worst.error,
        seconds=max(result.seconds for _, result in results),
        usage=worst.usage,
    )
    for seen in log:
        body = seen.body or {}
        primary = topology.is_primary(seen.account, body.get("model", ""), scenario)
        (facts.primary_at if primary else facts.fallback_at).append(seen.at)
        facts.prefills += bool(body.get("messages")) and body["messages"][-1]["role"] == "assistant"
    if facts.fallback_at and topology.names_fallbacks:
        facts.names_fallback = worst.model == scenario.fallback
    return facts


def judged(facts: Facts, scenario: Scenario, topology: Topology, pace: Pace) -> Verdict:
    if facts.outcome == "hang":
        return Verdict("FAIL", ("a hang",))
    if facts.truncated_success:
        return Verdict("FAIL", ("a truncated answer is shown as whole",))
    has_fallback = topology.names_fallbacks or len(topology.accounts) > 1
    judged_here = [check for check in scenario.checks if has_fallback or not check.needs_fallback]
    broken = [check for check in judged_here if not check.holds(facts, pace)]
    seen = f"{facts.outcome} {facts.error}".strip() + (
        f" after {facts.seconds:.1f} s, primary {len(facts.primary_at)}, other {len(facts.fallback_at)}"
    )
    remarks = (seen, *(f"not so: {check.name}" for check in broken))
    if any(not check.advisory for check in broken):
        return Verdict("FAIL", remarks)
    if (facts.outcome == "error") != scenario.expects_error:
        return Verdict("partial" if scenario.expects_error else "safe", remarks)
    return Verdict("partial" if broken else "pass", remarks)


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
