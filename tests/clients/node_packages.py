"""Packages from npm, installed once and cached between runs."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PACKAGES = ("openai", "ws", "ai", "@ai-sdk/openai-compatible", "@openai/codex", "opencode-ai")
CACHE = Path(tempfile.gettempdir()) / "poolgate-npm"


def node_modules() -> Path:
    """Return the folder that has PACKAGES: NODE_PATH if that is set, else one of ours."""
    if given := os.environ.get("NODE_PATH"):
        return Path(given)
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may be installing
        installed = CACHE / "node_modules"
        if not all((installed / package / "package.json").exists() for package in PACKAGES):
            command = ["npm", "install", "--prefix", str(CACHE), "--no-audit", "--no-fund", *PACKAGES]
            subprocess.run(command, check=True, capture_output=True, timeout=300)
    return installed
