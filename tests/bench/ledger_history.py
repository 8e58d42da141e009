"""
A pool with a long past, loaded fast: ledger rows and roll-ups of the shape that `settle` writes.

A key talks to a few of the accounts and models, because conversations stay where they are.
"""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from typing import Any

import orjson

from app.accounts.account import Account
from app.limits.limit_syntax import parse_limit
from app.stores import keys, rollups
from app.stores.records.ledger import FIGURES
from app.wiring import Services

DAYS = 30
AT_ONCE = 2000  # commands in one pipeline
MODELS = ("gpt-5.2", "gpt-5.2-mini", "gpt-4.1", "o3", "llama-4")
POOL = "default"

Known = tuple[str, str]  # a request's id, and its entry's


def fill(services: Services, *, rows: int, accounts: int, api_keys: int) -> tuple[Known, Known]:
    """Make the pool, and *rows* requests evenly over a month; return the oldest and the newest."""
    services.pools.ensure(POOL)
    account_ids = [_account(services, number) for number in range(accounts)]
    limits = ("1000000 requests/day", "50 usd/month", "20 parallel_requests")
    key_ids = [
        services.api_keys.create(POOL, f"key-{n}", limits=tuple(map(parse_limit, limits)))[0].id
        for n in range(api_keys)
    ]
    chance = random.Random(1)
    habits = {key: [(chance.choice(account_ids), chance.choice(MODELS)) for _ in range(5)] for key in key_ids}
    return _write_rows(services.scripts.client, rows, habits, chance)


def _account(services: Services, number: int) -> str:
    account = Account("", f"account-{number}", "openai", "http://127.0.0.1:9/v1", credential="sk-x")
    stored = services.accounts.add(POOL, account)
    services.accounts.list_models(POOL, stored.id, list(MODELS))
    return stored.id


def _write_rows(
    client: Any, rows: int, habits: dict[str, list[tuple[str, str]]], chance: random.Random
) -> tuple[Known, Known]:
    now_ms = int(time.time() * 1000)
    step_ms = DAYS * 86_400_000 / rows
    key_ids, known = list(habits), []
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    pipeline, ledger = client.pipeline(transaction=False), keys.ledger(POOL)
    for number in range(rows):
        key = key_ids[min(int(chance.expovariate(8 / len(key_ids))), len(key_ids) - 1)]
        account, model = chance.choice(habits[key])
        ended_ms = int(now_ms - step_ms * (rows - number))
        row = _row(number, ended_ms, key, account, model, chance)
        why = _why(account, ended_ms)
        entry_id = f"{ended_ms}-{number % 1000}"
        pipeline.xadd(ledger, {"row": orjson.dumps(row).decode(), "why": why}, id=entry_id)
        _add(sums, row)
        if number % AT_ONCE == AT_ONCE - 1:
            pipeline.execute()
        if number in (0, rows - 1):
            known.append((row["id"], entry_id))
    pipeline.execute()
    client.hset(keys.last_used(POOL), mapping=dict.fromkeys(key_ids, now_ms))
    _write(client, sums)
    return known[0], known[-1]


def _row(
    number: int, ended_ms: int, key: str, account: str, model: str, chance: random.Random
) -> dict[str, Any]:
    took = chance.randrange(400, 9000)
    status = 599 if number % 50_000 == 7 else 503 if number % 97 == 0 else 200
    return {
        "id": f"req_{number:032x}",
        "at_ms": ended_ms - took,
        "day_ms": (ended_ms - took) // 86_400_000 * 86_400_000,
        "key": key,
        "account": account,
        "model": model,
        "endpoint": "/v1/responses",
        "status": status,
        "attempts": [{"account": account, "wire": "responses"}],
        "total_ms": took,
        "first_ms": took // 3,
        "source": "upstream",
        "input_tokens": took * 3,
        "output_tokens": took // 9,
        "cached_tokens": took,
        "reasoning_tokens": took // 20,
        "cost": took * 2,
        "price": "2026-11-01",
        "affinity": f"{number % 5000:016x}",
        **({"error": "no_accounts"} if status != 200 else {}),
    }


def _why(account: str, at_ms: int) -> str:
    seen = ",".join(f'["{account}",0.{number}12345678,""]' for number in range(6))
    return (
        f'[{{"attempt":1,"chosen":"{account}","by":"policy","policy":"balanced","now":{at_ms},"in_flight":3,'
        f'"cap":100,"spare":0.81,"seen":[{seen}],"out":[]}}]'
    )


def _add(sums: dict[str, Counter[str]], row: dict[str, Any]) -> None:
    who = f"{row['key']}|{row['account']}|{row['model']}|"
    hour = row["at_ms"] // 3_600_000 * 3600
    for name, prefix in (
        (keys.rollup(POOL, rollups.HOUR, hour), who),
        (keys.rollup(POOL, rollups.DAY, row["day_ms"] // 1000), who),
        (keys.used(POOL, row["key"]), ""),
    ):
        counter = sums[name]
        counter[prefix + "requests"] += 1
        counter[prefix + "errors"] += row["status"] >= 400
        for figure in FIGURES:
            counter[prefix + figure] += row.get(figure, 0)


def _write(client: Any, sums: dict[str, Counter[str]]) -> None:
    pipeline = client.pipeline(transaction=False)
    for number, (name, counter) in enumerate(sums.items()):
        pipeline.hset(name, mapping={figure: amount for figure, amount in counter.items() if amount})
        if number % 50 == 0:
            pipeline.execute()
    pipeline.execute()
