"""
The store's scripts on a clock that a test sets, and one pool built from plain values.

`StoreOfTest` uses the scripts as the relay does; values that a test does not give are harmless.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import orjson

from app.accounts.kinds import SCRIPT_KINDS
from app.stores import keys
from app.stores.calendar import Calendar
from app.stores.scripts import Scripts

Json = dict[str, Any]

POOL = "t"
START_MS = 1_774_742_400_000  # 2026-03-29 00:00 UTC; in Berlin, clocks go forward on this day
TTL_MS = 30_000
STICKY_MS = 600_000
CLOCK = """
local function clock()
  return tonumber(redis.call('GET', KEYS[1] .. 'test-clock'))
end
"""


def limit(limit_id: str, what: str, per: str, most: int, **more: Any) -> Json:
    return {"id": limit_id, "what": what, "per": per, "max": most, "mode": "strict", "scope": "key", **more}


class StoreOfTest:
    """One pool at a time of the test's choice, in a zone whose days are not those of UTC."""

    def __init__(self, client: Any, zone: str = "Europe/Berlin", pool: str = POOL) -> None:
        self.client = client
        self.pool = pool
        self.zone = zone
        self.scripts = Scripts(client, clock=CLOCK, kinds=SCRIPT_KINDS)
        self._calendar = Calendar()
        self._numbers = count(1)
        self.now = START_MS
        self.set_clock(START_MS)

    def set_clock(self, now_ms: int) -> None:
        self.now = now_ms
        self.client.set(keys.root(self.pool) + "test-clock", now_ms)

    def advance(self, by_ms: int) -> None:
        self.set_clock(self.now + by_ms)

    def calendar(self, now_ms: int | None = None) -> dict[str, list[int]]:
        return self._calendar.windows(self.zone, (self.now if now_ms is None else now_ms) / 1000)

    # the content of a pool

    def policy(self, name: str) -> None:
        self.client.hset(keys.pool(self.pool), "policy", name)

    def pool_limits(self, *limits: Json) -> None:
        self.client.hset(keys.pool(self.pool), "limits", orjson.dumps(limits))

    def team(self, name: str, *limits: Json, state: str = "active") -> None:
        record = {"name": name, "state": state, "limits": orjson.dumps(limits)}
        self.client.hset(keys.team(self.pool, name), mapping=record)
        self.client.sadd(keys.team_names(self.pool), name)

    def key(self, key_id: str, *limits: Json, accounts: tuple[str, ...] = (), **more: Any) -> None:
        record = {"id": key_id, "name": key_id, "state": "active", "limits": orjson.dumps(limits)}
        record |= {"accounts": orjson.dumps(accounts), **more}
        self.client.hset(keys.api_key(self.pool, key_id), mapping=record)
        self.client.hset(keys.key_names(self.pool), key_id, key_id)

    def account(
        self,
        account_id: str,
        *,
        cap: int = 100,
        weight: int = 1,
        group: int = 0,
        models: tuple[str, ...] = (),
        wires: str = "cr",
        kind: str = "openai",
    ) -> int:
        offer = f"{wires}:{kind}:{'+'.join(sorted(models)) or 'any'}"
        protocols = ",".join(name for letter, name in (("c", "chat"), ("r", "responses")) if letter in wires)
        record: Json = {"id": account_id, "name": account_id, "kind": kind, "offer": offer}
        record |= {"base_url": "http://localhost", "wires": protocols}
        record |= {"weight": weight, "cap": cap, "group": group, "models": orjson.dumps(models).decode()}
        version: int = self.scripts.run(
            "put_account", self.pool, account_id, account_id, orjson.dumps(record), orjson.dumps(models)
        )
        return version

    def set_state(self, account_id: str, expected: str) -> int:
        return int(self.scripts.run("set_account_state", self.pool, account_id, expected, "by a test"))

    def remove(self, account_id: str) -> None:
        self.scripts.run("remove_account", self.pool, account_id, "1")

    # the steps of a request

    def admission(self, request_id: str | None = None, key: str = "k", **more: Any) -> Json:
        bounds = {name: more.pop(name, 0) for name in ("input_tokens", "output_tokens", "cost")}
        return {
            "id": request_id or f"q{next(self._numbers)}",
            "key": key,
            "model": "m",
            "endpoint": "/v1/responses",
            "wire": "",
            "demo": False,
            "affinity": "",
            "pin": "",
            "tried": [],
            "ttl_ms": TTL_MS,
            "sticky_ms": STICKY_MS,
            "calendar": self.calendar(),
            "bounds": bounds,
            "estimates": bounds,
        } | more

    def admit(self, request_id: str | None = None, key: str = "k", **more: Any) -> Json:
        admission = self.admission(request_id, key, **more)
        return self.scripts.run_json("admit", self.pool, admission) | {"id": admission["id"]}

    def report(self, request_id: str, attempt: int, mark: Json | None = None, **more: Any) -> Json:
        admission = self.admission(request_id) | {"attempt": attempt, "mark": mark or {}} | more
        admission.setdefault("never", admission["tried"])
        return self.scripts.run_json("report", self.pool, admission)

    def renew(self, *request_ids: str) -> list[str]:
        lost: list[str] = self.scripts.run("renew_leases", self.pool, TTL_MS, *request_ids)
        return lost

    def settle(self, request_id: str, mark: Json | None = None, **row: Any) -> str:
        settlement = {"id": request_id, "mark": mark or {}, "calendar": self.calendar()}
        settlement["row"] = self.row(request_id, **row)
        return self.scripts.run_raw("settle", self.pool, settlement)

    def row(self, request_id: str, **more: Any) -> Json:
        return {
            "id": request_id,
            "at_ms": self.now,
            "key": "k",
            "account": "a",
            "model": "m",
            "endpoint": "/v1/responses",
            "status": 200,
            "source": "upstream",
            "input_tokens": 0,
            "output_tokens": 0,
        } | more

    # the stored data

    def counters(self, limit_id: str) -> dict[str, int]:
        stored = self.client.hgetall(keys.limit(self.pool, limit_id))
        return {field: int(float(value)) for field, value in stored.items()}

    def state(self, account_id: str) -> Json:
        stored: Json = self.client.hgetall(keys.account(self.pool, account_id))
        return stored

    def in_flight(self, account_id: str) -> int:
        return int(self.state(account_id)["in_flight"])

    def leases(self) -> dict[str, int]:
        found = self.client.zrange(keys.leases(self.pool), 0, -1, withscores=True)
        return {request_id: int(deadline) for request_id, deadline in found}

    def open_request(self, request_id: str) -> dict[str, str]:
        found: dict[str, str] = self.client.hgetall(keys.request(self.pool, request_id))
        return found

    def names(self, pattern: str) -> set[str]:
        """Return the keys of this pool that match *pattern*, without its root."""
        root = keys.root(self.pool)
        return {key.removeprefix(root) for key in self.client.scan_iter(root + pattern, count=10_000)}

    def rows(self) -> list[Json]:
        entries = self.client.xrange(keys.ledger(self.pool))
        return [orjson.loads(fields["row"]) for _, fields in entries]

    def used(self, key_id: str) -> dict[str, int]:
        """Return the total usage of a key: {figure: total}."""
        stored = self.client.hgetall(keys.used(self.pool, key_id))
        return {figure: int(value) for figure, value in stored.items()}

    def rolled_up(self, span: str) -> dict[tuple[int, str], int]:
        """Return {(start of the hour or day in seconds, `key|account|model|figure`): total}."""
        totals = {}
        for name in self.names(f"roll:{span}:*"):
            for field, value in self.client.hgetall(keys.root(self.pool) + name).items():
                totals[int(name.rpartition(":")[2]), field] = int(value)
        return totals
