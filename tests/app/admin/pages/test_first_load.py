"""
How many bytes a browser loads that has nothing in its cache: the page, its styles, scripts and icon.

They are counted as they are sent, styles and scripts compressed.
"""

from __future__ import annotations

import re
import time

import pytest

from app.ledger.ranges import Span
from app.limits.limit_syntax import parse_limit
from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor
from tests.support.ledger_rows import record_request

MAX_BYTES = 150_000
ACCOUNTS, KEYS, DAYS = 50, 60, 90
LARGE = 12_345_678  # tokens, or micro-dollars
_ASSET = re.compile(r'(?:href|src)="(/admin/static/[^"]+)"')


@pytest.fixture
def busy(services: Services, pool: Furnished) -> None:
    """A pool whose tables and charts are full: each key, account, day, hour and minute has requests."""
    now = time.time()
    accounts = [pool.account(f"production-account-{number}") for number in range(ACCOUNTS)]
    for account in accounts:
        windows = [[61, now * 1000 + 9_000_000, 18_000], [83, now * 1000 + 300_000_000, 604_800]]
        services.accounts.observe(POOL, account.id, {}, outcome={"windows": windows})
    limits = (parse_limit("50 usd/month"),)
    ids = [
        services.api_keys.create(POOL, f"production-key-{number}", limits=limits)[0].id
        for number in range(KEYS)
    ]
    times = [now - 86_400 * day for day in reversed(range(1, DAYS))]
    times += [now - 3600 * hour for hour in reversed(range(1, 24))]
    for number, at in enumerate((*times, *[now] * KEYS)):
        record_request(
            services.scripts,
            POOL,
            at,
            key=ids[number % KEYS],
            account=accounts[number % ACCOUNTS].id,
            model=f"a-model-with-a-long-name-{number % 5}",
            status=500 if number % 7 == 0 else 200,
            **dict.fromkeys(("input_tokens", "output_tokens", "cost"), LARGE),
        )
    while services.ledger.series.make(POOL):
        pass


def first_load(visitor: Visitor, path: str) -> int:
    page = visitor.get(path)
    assert page.status_code == 200
    assets = sorted(set(_ASSET.findall(page.text)))
    assert any(name.endswith(".css") for name in assets)
    assert any(name.endswith(".js") for name in assets)
    responses = [page, *(visitor.get(asset, headers={"Accept-Encoding": "gzip, br"}) for asset in assets)]
    assert "Content-Encoding" not in page.headers
    return sum(len(response.data) for response in responses)


def test_a_first_load_is_small(inside: Visitor, busy: None) -> None:
    paths = [f"?span={span}" for span in Span]
    paths += [f"usage?span={span}" for span in Span]
    paths += [f"usage?span={span}&metric=first_p95" for span in Span]
    paths += ["accounts", "keys", "requests", "keys/production-key-1?span=7d"]

    paths += ["accounts/production-account-1", "teams", "playground", "settings/prices", "settings/audit"]

    loads = {path: first_load(inside, f"/admin/p/{POOL}/{path}") for path in paths}

    assert {path: size for path, size in loads.items() if size > MAX_BYTES} == {}
