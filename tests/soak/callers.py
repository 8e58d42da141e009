"""One process of callers that admit, use, fail, hang and settle at random until it is killed."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import deque
from typing import Any

from app.errors import StoreUnavailable
from app.stores.calendar import Calendar
from app.stores.client import make_client
from app.stores.scripts import Scripts

Json = dict[str, Any]

POOL = "soak"
TTL_MS = 700  # so that leases of the killed run out while the others go on
OPEN_AT_ONCE = 12  # requests of one process
TIMEOUT_SECONDS = 0.25
REQUESTED = "pg:{soak}:asked"  # number of admissions requested, over all processes


class Callers:
    def __init__(self, url: str, number: int) -> None:
        self.scripts = Scripts(make_client(url, TIMEOUT_SECONDS))
        self.chance = random.Random(number)
        self.calendar = Calendar()
        self.open: deque[tuple[Json, Json]] = deque()
        self.unsettled: deque[Json] = deque()
        self.count = 0
        self.renewed_at = 0.0

    def run(self, most: int) -> None:
        """Run until *most* admissions were requested, and settle open ones; an orphan stops."""
        parent = os.getppid()
        while os.getppid() == parent and int(self.result(self.scripts.client.incr, REQUESTED) or 0) <= most:
            self.step()
        while (self.open or self.unsettled) and os.getppid() == parent:
            self.step(ending=True)

    def step(self, *, ending: bool = False) -> None:
        if time.monotonic() > self.renewed_at + TTL_MS / 3000:
            self.renewed_at = time.monotonic()
            ids = [admit_request["id"] for admit_request, _ in self.open]
            self.result(self.scripts.run, "renew_leases", POOL, TTL_MS, *ids)
        if not ending and len(self.open) < OPEN_AT_ONCE:
            self.admit()
        if self.open and (ending or len(self.open) == OPEN_AT_ONCE or self.chance.random() < 0.4):
            self.end(*self.open.popleft())
        for settlement in [self.unsettled.popleft() for _ in range(len(self.unsettled))]:
            if self.result(self.scripts.run_raw, "settle", POOL, settlement) is None:
                self.unsettled.append(settlement)

    def result(self, call: Any, *args: Any) -> Any:
        """The reply, or None when Redis is away."""
        try:
            return call(*args)
        except (StoreUnavailable, OSError):
            return None
        except Exception as error:
            if type(error).__module__.startswith("redis"):
                return None
            raise

    def admit(self) -> None:
        self.count += 1
        tokens, cost = self.chance.randint(1, 400), self.chance.randint(0, 90)
        bounds = {"input_tokens": self.chance.randint(1, 200), "output_tokens": tokens, "cost": cost}
        admit_request = {
            "id": f"{os.getpid()}-{self.count}",
            "key": self.chance.choice(["k", "j"]),
            "model": self.chance.choice(["m", "n"]),
            "endpoint": "/v1/responses",
            "wire": "",
            "demo": False,
            "affinity": self.chance.choice(["", "", "x", "y"]),
            "pin": "",
            "tried": [],
            "ttl_ms": TTL_MS,
            "sticky_ms": 1000,
            "calendar": self.calendar.windows("UTC", time.time()),
            "bounds": bounds,
            "estimates": bounds,
        }
        reply = self.result(self.scripts.run_json, "admit", POOL, admit_request)
        if reply is None and self.chance.random() < 0.8:
            reply = self.result(self.scripts.run_json, "admit", POOL, admit_request)
        if reply and "account" in reply:
            self.open.append((admit_request, reply))

    def end(self, admit_request: Json, reply: Json) -> None:
        """Perhaps fail over first; use all, some or nothing of what was held; at times hang too long."""
        support = self.chance.random()
        if support < 0.15:
            result = {"attempt": reply["attempt"], "mark": {}, "tried": [reply["account"]], "never": []}
            self.result(self.scripts.run_json, "report", POOL, admit_request | result)
        if support > 0.995:
            time.sleep(TTL_MS * 1.5 / 1000)
        row = {
            "id": admit_request["id"],
            "at_ms": reply["now"],
            "key": admit_request["key"],
            "account": reply["account"],
            "model": admit_request["model"],
            "endpoint": admit_request["endpoint"],
            "status": 200,
            "source": "upstream",
            **{name: self.chance.randint(0, most) for name, most in admit_request["bounds"].items()},
        }
        self.unsettled.append(
            {"id": admit_request["id"], "mark": {}, "row": row, "calendar": admit_request["calendar"]}
        )


def run_until_killed(url: str, number: int, most: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Callers(url, number).run(most)
