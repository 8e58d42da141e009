"""
Measure the admin API and the pages over a long past: `python -m tests.bench.admin [--rows N] [--out FILE]`.

Server time: the application's own, with its Redis, in this process; no network, no browser. Exits with 1
if a page takes more than PAGE_MS, or a call of the admin API more than CALL_MS, in the middle of its rounds.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from app import create_app
from app.admin import create_admin_app
from app.stores import keys
from app.stores.records.operators import NewAdminToken
from app.wiring import Services
from tests.bench.ledger_history import POOL, Known, fill
from tests.support.admin import PASSWORD, Visitor, services_on
from tests.support.redis import private_redis, short_folder

PAGE_MS, CALL_MS = 150, 300
ROUNDS = 5
SPANS = ("1h", "24h", "7d", "30d")
BY = ("all", "key", "account", "model", "endpoint")

Figures = dict[str, dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the admin API and the pages.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="requests of the last 30 days")
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--keys", type=int, default=500)
    parser.add_argument("--out", type=Path, help="write the figures to this file, as JSON")
    options = parser.parse_args()
    with private_redis() as url, short_folder() as home:
        services = services_on(url, home)
        began = time.monotonic()
        known = fill(services, rows=options.rows, accounts=options.accounts, api_keys=options.keys)
        loaded = time.monotonic()
        made = sum(iter(lambda: services.ledger.series.make(POOL), 0))
        prepared = {"load_s": loaded - began, "summaries": made, "summaries_s": time.monotonic() - loaded}
        figures, index = measured(services, known)
    print(table(figures))
    machine = {"cpus": os.cpu_count(), "load": os.getloadavg()}
    reply = {"prepared": prepared, "index": index, "machine": machine}
    print(orjson.dumps(reply).decode())
    if options.out:
        options.out.write_bytes(orjson.dumps({**reply, "calls": figures}, option=orjson.OPT_INDENT_2))
    if any(one["median_ms"] > one["target_ms"] for one in figures.values()):
        raise SystemExit(1)


def measured(services: Services, known: tuple[Known, Known]) -> tuple[Figures, dict[str, float]]:
    """Return the figures of all calls, of searches also before the ledger is indexed; and of the index."""
    app = create_admin_app(services, create_app(services))
    services.operator_stores.operators.create("ann", PASSWORD)
    _, secret = services.operator_stores.admin_tokens.create(NewAdminToken("bench", "ann"))
    client, visitor = app.test_client(), Visitor(app)
    assert visitor.sign_in().status_code == 303
    bearer = {"Authorization": f"Bearer {secret}"}

    def timed_calls(paths: Iterable[str], mark: str = "") -> Figures:
        return {
            mark + path: _timed(partial(client.get, f"/admin/api{path}", headers=bearer), CALL_MS)
            for path in paths
        }

    figures = timed_calls(searches(), "not indexed: ")
    index = indexed(services)
    figures |= timed_calls([*calls(*known), *searches()])
    figures |= {path: _timed(partial(visitor.get, path), PAGE_MS) for path in pages(*known)}
    return figures, index


def indexed(services: Services) -> dict[str, float]:
    """Index the ledger; return how long that takes, and the memory of the ledger and of its index."""
    began = time.monotonic()
    blocks = services.ledger.index.extend(POOL)
    took, client = time.monotonic() - began, services.scripts.client
    hashes = client.scan_iter(keys.index_block(POOL, "*"), count=1000)
    return {
        "blocks": blocks,
        "index_s": took,
        "ledger_mb": client.memory_usage(keys.ledger(POOL), samples=0) / 1e6,
        "index_mb": sum(client.memory_usage(name, samples=0) for name in hashes) / 1e6,
    }


def calls(oldest: Known, newest: Known) -> Iterator[str]:
    yield from ("/pools", "/pools/default", "/accounts", "/accounts/account-1", "/keys", "/keys/key-1")
    for span in (*SPANS, "90d"):
        yield from (f"/usage/series?span={span}&by={by}" for by in BY)
    yield from (f"/usage/series?span={span}&by=model&key=key-1" for span in SPANS[1:])
    first, last = (_day(back) for back in (12, 9))
    yield from (f"/usage/series?from={first}&to={last}&by=key", f"/usage/series?from={_day(600)}&by=key")
    yield from ("/requests", "/requests?status=failed&limit=200")
    yield f"/requests?until={_day(20)}"
    yield from (f"/requests/{one}" for one in (newest[0], oldest[0], "?entry=".join(oldest), "req_none"))
    yield from ("/prices", "/settings", "/audit", "/audit?who=nobody", "/health", "/openapi.json")


def searches() -> Iterator[str]:
    """Yield searches for rare entries: of a key, of a frequent key with a rare status, and so on."""
    yield from ("/requests?key=key-199", "/requests?key=key-0&status=599", "/requests?model=none")
    yield from ("/requests?status=599&until=2000-01-01", "/requests?account=account-1&status=599,502")
    yield from ("/requests?min_ms=8999", "/requests?retried=true", "/requests?key=key-0&min_cost=17998")


def _day(days_ago: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() - days_ago * 86400))


def pages(oldest: Known, newest: Known) -> Iterator[str]:
    pool = f"/admin/p/{POOL}"
    for span in (*SPANS, "90d"):
        yield from (f"{pool}/{place}?span={span}" for place in ("", "keys/key-1", "accounts/account-1"))
        yield from (f"{pool}/usage?span={span}", f"{pool}/usage?span={span}&by=account&metric=first_p95")
    yield from (f"{pool}/usage?span=30d&key=key-1&by=model", f"{pool}/usage?span=30d&format=csv")
    yield from (
        f"{pool}/accounts",
        f"{pool}/keys",
        f"{pool}/keys?span=7d",
        f"{pool}/requests",
        f"{pool}/requests?key=key-199",
    )
    yield from (f"{pool}/requests?model=none", f"{pool}/requests/{newest[0]}", f"{pool}/requests/{oldest[0]}")
    yield from (f"{pool}/settings", f"{pool}/settings/prices", "/admin/security")


def _timed(send_request: Callable[[], Any], target_ms: int) -> dict[str, Any]:
    took, response = [], None
    for _ in range(ROUNDS):
        began = time.perf_counter()
        response = send_request()
        took.append(1000 * (time.perf_counter() - began))
    assert response is not None
    return {
        "status": response.status_code,
        "first_ms": round(took[0], 1),
        "median_ms": round(sorted(took)[ROUNDS // 2], 1),
        "worst_ms": round(max(took), 1),
        "target_ms": target_ms,
        "bytes": len(response.data),
    }


def table(figures: Figures) -> str:
    width = max(map(len, figures))
    lines = [f"{'':{width}}  status  first ms  median   worst    bytes"]
    for path, one in figures.items():
        mark = f"  above {one['target_ms']}" if one["median_ms"] > one["target_ms"] else ""
        times = f"{one['first_ms']:8}  {one['median_ms']:6}  {one['worst_ms']:6}"
        lines.append(f"{path:{width}}  {one['status']:6}  {times}  {one['bytes']:7}{mark}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
