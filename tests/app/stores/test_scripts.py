"""Scripts run where they are not loaded yet, on the clock they were built with."""

from __future__ import annotations

import re
import time
from importlib import resources
from typing import Any

import pytest

from app.errors import StoreUnavailable
from app.stores import keys
from app.stores.client import make_client
from app.stores.scripts import PARTS, Scripts, source
from tests.support.store import START_MS, StoreOfTest

LUA = resources.files("app.stores") / "lua"


class TestClock:
    def test_of_redis(self, redis_client: Any) -> None:
        """A script without a clock of its own uses the time of Redis."""
        Scripts(redis_client).run("ensure_pool", "p")

        seconds, _ = redis_client.time()
        assert abs(int(redis_client.hget(keys.pool("p"), "created_ms")) / 1000 - seconds) <= 2

    def test_of_ones_own(self, store: StoreOfTest) -> None:
        """A script built with another `clock()` runs at that time, and is otherwise the same."""
        store.scripts.run("ensure_pool", store.pool)

        assert store.client.hget(keys.pool(store.pool), "created_ms") == str(START_MS)
        assert abs(START_MS / 1000 - time.time()) > 3600

    @pytest.mark.parametrize("operation", PARTS)
    def test_is_the_only_one(self, operation: str) -> None:
        """Scripts read the time only through `clock()`."""
        assert "'TIME'" not in source(operation, "local function clock() end")


class TestSource:
    @pytest.mark.parametrize("operation", PARTS)
    def test_compiles(self, redis_client: Any, operation: str) -> None:
        assert re.fullmatch("[0-9a-f]{40}", redis_client.script_load(source(operation)))

    @pytest.mark.parametrize("operation", PARTS)
    def test_contract(self, operation: str) -> None:
        """Each script starts with a description of its arguments and its result."""
        text = (LUA / f"{operation}.lua").read_text()
        header = text[: re.search(r"^[^-]", text, re.M).start()]  # type: ignore[union-attr]

        assert re.search(r"KEYS\[1\]  root of the (pool|system keys)", header)
        assert "Returns" in header

    def test_every_file_is_used(self) -> None:
        used = set(PARTS) | {part for parts in PARTS.values() for part in parts}

        assert {file.name for file in LUA.iterdir()} == {f"{name}.lua" for name in used}


class TestRun:
    def test_empty_script_cache(self, store: StoreOfTest) -> None:
        """A server without the scripts, after a restart or failover, receives them."""
        store.account("a")
        store.client.script_flush()

        assert store.admit()["account"] == "a"

    def test_nothing_listens(self) -> None:
        scripts = Scripts(make_client("unix:///nowhere/socket", 0.1))

        with pytest.raises(StoreUnavailable):
            scripts.run("ensure_pool", "p")
