"""Each process imports what it uses: what serves requests would cost others memory and time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = "import sys, json, {}; print(json.dumps(list(sys.modules)))"
# by 0.3 to 3 MiB each, and up to 50 ms
SERVING = {
    "app.api",
    "app.admin",
    "app.relay.relay",
    "app.websocket",
    "flask",
    "werkzeug",
    "jinja2",
    "wsproto",
}
RARE = {"authlib", "cryptography.x509", "joserfc", "markdown_it", "segno", "yaml"}


def loaded(module: str) -> set[str]:
    """Return what a process has imported that imports *module*."""
    program = [sys.executable, "-c", MODULES.format(module)]
    result = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(result.stdout))


@pytest.mark.parametrize("module", ["workers.__main__", "app.cli.status", "app.cli.key"])
def test_jobs_and_commands_do_not_import_what_serves_requests(module: str) -> None:
    assert not loaded(module) & (SERVING | RARE)


def test_jobs_do_not_import_what_operators_change() -> None:
    assert not loaded("workers.__main__") & {"app.administration", "app.cli", "prometheus_client"}


def test_web_processes_import_rare_libraries_only_when_they_are_used() -> None:
    assert not loaded("app.web_wiring, app.administration") & RARE
