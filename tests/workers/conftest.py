"""Jobs on a real store, with a scripted upstream and a sign-in service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.accounts.account import Account
from app.accounts.kinds import KINDS
from app.config import Settings
from app.stores import keys
from app.wiring import Services, build
from tests.support.issuer_client import Issuer
from tests.support.upstream_client import ScriptedUpstream
from workers import account_jobs

POOL = "default"


@pytest.fixture
def built(
    redis_client: Any,
    redis_url: str,
    issuer: Issuer,
    upstream: ScriptedUpstream,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Services]:
    monkeypatch.setattr(account_jobs, "JITTER_SECONDS", 0)
    services = build(
        Settings(
            home=tmp_path,
            redis_url=redis_url,
            oauth_issuer=issuer.url,
            chatgpt_base_url=f"{upstream.root_url('ann')}/backend-api",
            store_timeout_seconds=5,
        )
    )
    services.pools.ensure(POOL)
    yield services
    services.scripts.client.close()


@pytest.fixture
def add(built: Services, upstream: ScriptedUpstream) -> Callable[..., Account]:
    """Add an account whose upstream is the scripted one."""

    def add(name: str, kind: str = "openai", **more: Any) -> Account:
        home = f"{upstream.root_url(name)}/backend-api" if kind == "chatgpt" else upstream.base_url(name)
        account = Account(
            "", name, kind, home, protocols=KINDS[kind].protocols, credential=f"sk-{name}", **more
        )
        return built.accounts.add(POOL, account)

    return add


@pytest.fixture
def next_period(redis_client: Any) -> Callable[[], None]:
    """Let every account's period be over."""

    def over() -> None:
        for key in redis_client.scan_iter(keys.root(POOL) + "look:*"):
            redis_client.delete(key)

    return over


@pytest.fixture
def job_result(redis_client: Any) -> Callable[[Account, str], Any]:
    """The stored result of a job for an account."""

    def read(account: Account, job: str) -> Any:
        return orjson.loads(redis_client.hget(keys.account(POOL, account.id), f"look_{job}") or "null")

    return read
