"""axe-core, which finds accessibility problems of a page."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import Browser

CACHE = Path(tempfile.gettempdir()) / "poolgate-axe"


@cache
def source() -> str:
    """Return its script: from NODE_PATH if that is set, else installed once and cached."""
    if given := os.environ.get("NODE_PATH"):
        return (Path(given) / "axe-core" / "axe.min.js").read_text()
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    CACHE.mkdir(exist_ok=True)
    script = CACHE / "node_modules" / "axe-core" / "axe.min.js"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may be installing
        if not script.exists():
            command = ["npm", "install", "--prefix", str(CACHE), "--no-audit", "--no-fund", "axe-core"]
            subprocess.run(command, check=True, capture_output=True, timeout=300)
    return script.read_text()


def axe_faults(browser: Browser) -> list[str]:
    """Return what axe-core finds wrong with the page that is open, of any severity."""
    browser.run(source())
    found: list[dict[str, Any]] = browser.driver.execute_async_script(  # type: ignore[no-untyped-call]
        "const done = arguments[0]; axe.run().then((result) => done(result.violations))"
    )
    return [
        f"{one['impact']}: {one['help']}: {node['html'][:200]}" for one in found for node in one["nodes"][:3]
    ]
