"""
Measure the admin API and the pages over a long past: `python -m tests.bench.admin [--rows N] [--out FILE]`.

Server time: the application's own, with its Redis, in this process; no network, no browser.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from app import create_app
from app.admin import create_admin_app
from app.stores.records.operators import NewAdminToken
from app.wiring import Services
from tests.bench.ledger_history import POOL, Known, fill
from tests.support.admin import PASSWORD, Visitor, services_on
from tests.support.redis import private_redis, short_folder

TARGET_MS = 300
ROUNDS = 5
SPANS = ("1h", "24h", "7d", "30d")

Figures = dict[str, dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the admin API and the pages.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="requests of the last 30 days")
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--out", type=Path, help="write the figures to this file, as JSON")
    options = parser.parse_args()
    with private_redis() as url, short_folder() as home:
        services = services_on(url, home)
        began = time.monotonic()
        known = fill(services, rows=options.rows, accounts=options.accounts, api_keys=options.keys)
        loaded = time.monotonic()
        made = services.ledger.series.make(POOL)
        prepared = {"load_s": loaded - began, "summaries": made, "summaries_s": time.monotonic() - loaded}
        figures = measured(services, known)
    print(table(figures))
    machine = {"cpus": os.cpu_count(), "load": os.getloadavg()}
    reply = {"prepared": prepared, "machine": machine}
    print(orjson.dumps(reply).decode())
    if options.out:
        options.out.write_bytes(orjson.dumps({**reply, "calls": figures}, option=orjson.OPT_INDENT_2))


def measured(services: Services, known: tuple[Known, Known]) -> Figures:
    app = create_admin_app(services, create_app(services))
    services.operator_stores.operators.create("ann", PASSWORD)
    _, secret = services.operator_stores.admin_tokens.create(NewAdminToken("bench", "ann"))
    client, visitor = app.test_client(), Visitor(app)
    assert visitor.sign_in().status_code == 303
    bearer = {"Authorization": f"Bearer {secret}"}
    figures = {}
    for path in calls(*known):
        figures[path] = _timed(lambda path=path: client.get(f"/admin/api{path}", headers=bearer))  # type: ignore[misc]
    for path in pages(*known):
        figures[path] = _timed(lambda path=path: visitor.get(path))  # type: ignore[misc]
    return figures


def calls(oldest: Known, newest: Known) -> Iterator[str]:
    yield from ("/pools", "/pools/default", "/accounts", "/accounts/account-1", "/keys", "/keys/key-1")
    for span in SPANS:
        yield from (f"/usage/series?span={span}&by={by}" for by in ("all", "key", "account", "model"))
    yield from ("/requests", "/requests?status=failed&limit=200")
    yield from ("/requests?key=key-199", "/requests?model=none")
    yield f"/requests?until={time.strftime('%Y-%m-%d', time.gmtime(time.time() - 20 * 86400))}"
    yield from (f"/requests/{one}" for one in (newest[0], oldest[0], "?entry=".join(oldest), "req_none"))
    yield from ("/prices", "/settings", "/audit", "/audit?who=nobody", "/health", "/openapi.json")


def pages(oldest: Known, newest: Known) -> Iterator[str]:
    pool = f"/admin/p/{POOL}"
    for span in SPANS:
        yield from (f"{pool}/{place}?span={span}" for place in ("", "keys/key-1", "accounts/account-1"))
    yield from (f"{pool}/accounts", f"{pool}/keys", f"{pool}/requests", f"{pool}/requests?key=key-199")
    yield from (f"{pool}/requests?model=none", f"{pool}/requests/{newest[0]}", f"{pool}/requests/{oldest[0]}")
    yield from (f"{pool}/settings", f"{pool}/settings/prices", "/admin/security")


def _timed(send_request: Callable[[], Any]) -> dict[str, Any]:
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
        "bytes": len(response.data),
    }


def table(figures: Figures) -> str:
    width = max(map(len, figures))
    lines = [f"{'':{width}}  status  first ms  median   worst    bytes"]
    for path, one in figures.items():
        mark = "  *" if one["worst_ms"] > TARGET_MS else ""
        times = f"{one['first_ms']:8}  {one['median_ms']:6}  {one['worst_ms']:6}"
        lines.append(f"{path:{width}}  {one['status']:6}  {times}  {one['bytes']:7}{mark}")
    over = sum(one["worst_ms"] > TARGET_MS for one in figures.values())
    return "\n".join([*lines, f"{over} of {len(figures)} above {TARGET_MS} ms"])


if __name__ == "__main__":
    main()
