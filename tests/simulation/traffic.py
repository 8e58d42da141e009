"""
Traffic through the store's scripts on a virtual clock, with upstreams that fail by a plan.

It handles a failure as the relay does: report the outcome, request another account. What
the gateway believes about its accounts is compared with the truth, every five seconds.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from app.accounts.outcomes import OK, outcome_from_error
from app.accounts.usage_windows import has_room, outcome_from_usage, windows_from_headers
from app.stores import keys
from tests.simulation.upstreams import MINUTE, SECOND, Json, Spell, Upstreams
from tests.support.store import START_MS, StoreOfTest

SAMPLE_MS = 5 * SECOND
MEAN_GAP_MS = 1000
LOOK_MS = MINUTE  # as the background worker does
MAX_TRIES = 4
BEGIN, RESPONSE, SAMPLE, LOOK = range(4)


@dataclass(slots=True)
class Run:
    """One request under way."""

    id: str
    model: str
    account: str = ""
    attempt: int = 0
    tried: list[str] = field(default_factory=list)
    refused_by: Spell | None = None  # decided when it was sent


@dataclass(slots=True)
class Seen:
    refused: int = 0  # sent to clients
    served_last: Counter[str] = field(default_factory=Counter)  # by account, near the end
    idle_ms: Counter[str] = field(default_factory=Counter)  # well, but not served: by account
    wasted: Counter[str] = field(default_factory=Counter)  # requests that met a refusal, by account
    after_death: Counter[str] = field(default_factory=Counter)  # … sent although the death was known
    back_after_ms: dict[Spell, int] = field(default_factory=dict)


class Traffic:
    """*headers* is what an account's good responses carry, whatever the truth."""

    def __init__(
        self,
        store: StoreOfTest,
        spells: list[Spell],
        *,
        chatgpt: set[str],
        headers: dict[str, dict[str, str]],
        seed: int,
    ) -> None:
        self._store = store
        self._spells = spells
        self._upstreams = Upstreams(spells)
        self._chatgpt = chatgpt
        self._headers = headers
        self._chance = random.Random(seed)
        self._due: list[tuple[int, int, int, Run | None]] = []
        self._order = count()
        self._dead: set[str] = set()
        self._counts_from = START_MS
        self._accounts = store.client.hkeys(keys.account_names(store.pool))
        self.seen = Seen()

    def play(self, for_ms: int, *, last_ms: int) -> Seen:
        """Play *for_ms* of traffic; the serving accounts of the last *last_ms* are counted."""
        end = START_MS + for_ms
        self._counts_from = end - last_ms
        for what in (BEGIN, SAMPLE, LOOK):
            self._plan(START_MS, what)
        while self._due[0][0] < end:
            now, _, what, run = heappop(self._due)
            self._store.set_clock(now)
            if what == BEGIN:
                self._plan(now + int(self._chance.expovariate(1 / MEAN_GAP_MS)) + 1, BEGIN)
                self._begin(now)
            elif what == RESPONSE and run:
                self._response(run, now)
            elif what == SAMPLE:
                self._plan(now + SAMPLE_MS, SAMPLE)
                self._sample(now)
            else:
                self._plan(now + LOOK_MS, LOOK)
                self._query_usage(now)
        return self.seen

    def _plan(self, at: int, what: int, run: Run | None = None) -> None:
        heappush(self._due, (at, next(self._order), what, run))

    def _begin(self, now: int) -> None:
        run = Run(f"r{next(self._order)}", "big" if self._chance.random() < 0.3 else "m")
        self._go_on(run, self._store.admit(run.id, model=run.model, ttl_ms=MINUTE * 60), now)

    def _go_on(self, run: Run, reply: Json, now: int) -> None:
        if "refused" in reply:
            self.seen.refused += 1
            if run.account:
                self._store.settle(run.id, at_ms=now, account="", status=503)
            return
        run.account, run.attempt = reply["account"], reply["attempt"]
        run.refused_by = self._upstreams.ailment(run.account, run.model, now)
        self.seen.after_death[run.account] += run.account in self._dead
        takes = 100 if run.refused_by else 500 + int(self._chance.expovariate(1 / 3000))
        self._plan(now + takes, RESPONSE, run)

    def _response(self, run: Run, now: int) -> None:
        spell = run.refused_by
        if spell is None:
            windows = windows_from_headers(self._headers.get(run.account, {}), now / 1000)
            mark = OK | ({"windows": windows} if windows else {})
            self.seen.served_last[run.account] += now >= self._counts_from
            self._store.settle(run.id, mark, at_ms=now, account=run.account)
            return
        self.seen.wasted[run.account] += 1
        if spell.kind in ("dead", "suspended"):
            self._dead.add(run.account)
        run.tried.append(run.account)
        mark = outcome_from_error(self._upstreams.refusal(spell, now), run.model, now / 1000)
        if len(run.tried) == MAX_TRIES:
            self.seen.refused += 1
            self._store.settle(run.id, mark, at_ms=now, account=run.account, status=502)
            return
        more = {"model": run.model, "tried": run.tried, "ttl_ms": MINUTE * 60}
        self._go_on(run, self._store.report(run.id, run.attempt, mark, **more), now)

    def _query_usage(self, now: int) -> None:
        """As `workers/usage.py` at each signed-in account."""
        for account in self._chatgpt - self._dead:
            result = self._upstreams.usage(account, now)
            mark = outcome_from_usage(result, now / 1000)
            admit_request = {"account": account, "fields": {}, "mark": mark, "room": has_room(result) is True}
            self._store.scripts.run_raw("observe_account", self._store.pool, admit_request)

    def _sample(self, now: int) -> None:
        for account in self._accounts:
            well = self._upstreams.ailment(account, "big", now) is None
            if well and not self._in_use(account, now):
                self.seen.idle_ms[account] += SAMPLE_MS
        for spell in self._spells:
            known = spell in self.seen.back_after_ms
            if not known and spell.ends <= now and self._in_use(spell.account, now):
                self.seen.back_after_ms[spell] = now - spell.ends

    def _in_use(self, account: str, now: int) -> bool:
        """Whether it gets its share of all models: it is neither out nor merely being tested."""
        overloaded = self._store.client.zscore(f"{keys.root(self._store.pool)}rest:{account}", "big")
        state = self._store.state(account)
        well = state["state"] == "active" and state.get("probe", "0") == "0"
        return well and (overloaded is None or overloaded <= now)
