"""What a page reads from the store does not grow with the number of requests in the ledger."""

from __future__ import annotations

import pytest

from tests.bench import ledger_history
from tests.bench.admin import indexed, pages
from tests.bench.ledger_history import POOL, fill
from tests.support.admin import PASSWORD, Visitor, admin_app, services_on
from tests.support.redis import private_redis, short_folder

ROWS, TIMES = 4000, 8
MAX_GROWTH = 4  # longer numbers, and more values in histograms; what is read row by row grows by TIMES


def bytes_per_page(rows: int) -> list[tuple[str, int]]:
    """Return (address, bytes that the store sends for it) of each page of a pool with *rows* requests."""
    with private_redis() as url, short_folder() as home:
        services = services_on(url, home)
        known = fill(services, rows=rows, accounts=3, api_keys=5)
        while services.ledger.series.make(POOL):
            pass
        indexed(services)
        services.operator_stores.operators.create("ann", PASSWORD)
        visitor = Visitor(admin_app(services))
        visitor.sign_in()

        def sent() -> int:
            return int(services.scripts.client.info("stats")["total_net_output_bytes"])

        def read(path: str) -> int:
            before = sent()
            assert visitor.get(path).status_code == 200
            return sent() - before

        return [(path, read(path.replace("key-199", "key-4"))) for path in pages(*known)]


def test_pages_do_not_grow_with_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes are exact where times are not: `tests.bench.admin` measures those, with a million requests."""
    monkeypatch.setattr(ledger_history, "DAYS", 2)
    few, many = bytes_per_page(ROWS), bytes_per_page(ROWS * TIMES)

    growth = {path: more / less for (path, less), (_, more) in zip(few, many, strict=True)}

    assert {path: share for path, share in growth.items() if share > MAX_GROWTH} == {}
