"""
Make the pictures of the README: the overview of a pool in use, in light and in dark.

    python -m tests.browser.picture

Writes .github/overview-light.webp and .github/overview-dark.webp.
"""

from __future__ import annotations

import base64
import math
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from app.limits.limit_syntax import parse_limit
from app.stores.jobs import JobRepository
from app.stores.keys import ledger
from tests.browser.chromium import Browser, chromium
from tests.support.gateway import ROOT, PoolOfTest, running_gateway
from tests.support.ledger_rows import add_entries, record_request
from tests.support.redis import private_redis

SIZE = (1360, 900)
QUALITY = 80  # percent
REQUESTS = 1200
PASSWORD = "correct horse battery"
HOURS = 3600.0
ACCOUNTS: dict[str, dict[str, Any]] = {
    "openai-main": {"kind": "openai", "models": ("gpt-5.5", "gpt-5-mini")},
    "azure-eu": {"kind": "azure", "models": ("gpt-5.5",)},
    "team-plan": {"kind": "chatgpt", "chatgpt_account_id": "acc-1", "models": ("gpt-5.5",)},
    "gpu1": {"kind": "compatible", "models": ("llama-4",)},
}
KEYS = {"ann": "research", "ben": "research", "ci": "platform", "support-bot": "platform"}
MODELS = {  # model: (accounts, micro-dollars per token, milliseconds)
    "gpt-5.5": (("openai-main", "azure-eu", "team-plan"), 12, 2600),
    "gpt-5-mini": (("openai-main",), 2, 900),
    "llama-4": (("gpu1",), 0, 1400),
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, private_redis() as url:
        home = Path(folder)
        with running_gateway(url, home / "home") as gateway, chromium(home / "profile") as driver:
            browser, pool = Browser(driver, gateway), PoolOfTest(gateway, "default")
            gateway.services.operator_stores.operators.create("ann", PASSWORD)
            furnish(pool)
            browser.look(SIZE)
            browser.sign_in("ann", PASSWORD)
            browser.until(lambda: "Overview" in browser.text, "the overview")
            for name, is_dark in (("light", False), ("dark", True)):
                browser.look(SIZE, dark=is_dark)
                browser.open("/?span=24h")
                browser.until(lambda: browser.run("return document.readyState") == "complete", "the page")
                shot = driver.execute_cdp_cmd(
                    "Page.captureScreenshot", {"format": "webp", "quality": QUALITY}
                )
                file = ROOT / ".github" / f"overview-{name}.webp"
                file.write_bytes(base64.b64decode(shot["data"]))
                print(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1000:.0f} kB")


def furnish(pool: PoolOfTest) -> None:
    """Give *pool* accounts, keys, and a day of requests: more by day than by night, few of them failed."""
    services, chance = pool.gateway.services, random.Random(7)
    JobRepository(services.scripts).record_run("leases", HOURS, ok=True)  # as if a worker ran
    accounts = {
        name: pool.account(name, f"https://{name}.example.com/v1", **more) for name, more in ACCOUNTS.items()
    }
    for name, account in accounts.items():
        services.accounts.list_models(pool.name, account.id, ACCOUNTS[name]["models"])
    windows = [
        [38, round((time.time() + 2 * HOURS) * 1000), 18_000],
        [61, round((time.time() + 90 * HOURS) * 1000), 604_800],
    ]
    services.accounts.observe(pool.name, accounts["team-plan"].id, {}, outcome={"windows": windows})
    for team, limit in (("research", "500 usd/month balanced"), ("platform", "200 usd/month balanced")):
        services.teams.create(pool.name, team, (parse_limit(limit),), ())
    for name, team in KEYS.items():
        pool.key(name, team=team, limits=(parse_limit("50 usd/month balanced"),))
    ids = {key.name: key.id for key in services.api_keys.all(pool.name)}
    now, rows = time.time(), []
    for _ in range(REQUESTS):
        at = now - 24 * HOURS * chance.random()
        if chance.random() > 0.55 + 0.45 * math.sin((at % (24 * HOURS)) / (24 * HOURS) * 2 * math.pi - 2):
            continue
        model = chance.choices(tuple(MODELS), (5, 3, 2))[0]
        able, price, usual_ms = MODELS[model]
        tokens_in, tokens_out = chance.randint(200, 9000), chance.randint(50, 1500)
        total_ms = round(usual_ms * chance.lognormvariate(0, 0.5))
        key = chance.choices(tuple(KEYS), (6, 2, 3, 5))[0]
        row = record_request(
            services.scripts,
            pool.name,
            at,
            key=ids[key],
            team=KEYS[key],
            account=accounts[chance.choice(able)].id,
            model=model,
            status=200 if chance.random() < 0.985 else 503,
            input_tokens=tokens_in,
            cached_tokens=tokens_in // 2,
            output_tokens=tokens_out,
            cost=price * (tokens_in // 4 + tokens_out),
            first_ms=round(total_ms * 0.3),
            total_ms=total_ms,
        )
        rows.append(row)
    services.scripts.client.delete(ledger(pool.name))  # its entries ended now
    add_entries(services.scripts, pool.name, rows)
    while services.ledger.series.make(pool.name):
        pass


if __name__ == "__main__":
    main()
