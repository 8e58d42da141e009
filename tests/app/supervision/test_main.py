"""The supervising process stays small; `tests/app/cli/test_up.py` has whole starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from app.supervision.__main__ import stages

ROOT = Path(__file__).parents[3]
# each would take megabytes, for as long as the gateway runs
HEAVY = {
    *("app.cli", "app.log", "app.stores.client", "app.wiring", "asyncio", "click", "cryptography", "flask"),
    *("gevent", "http.client", "marshmallow", "orjson", "redis", "requests", "ssl", "structlog", "urllib3"),
}
MODULES = "import sys, json, app.supervision.__main__; print(json.dumps(list(sys.modules)))"
WARN = """
from app.config import Settings
from app.supervision.__main__ import _warn
_warn(Settings(log_format="json"), "child_restarted", child="web", status=-9)
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )


def test_it_imports_little() -> None:
    assert not HEAVY & set(json.loads(run(MODULES).stdout))


def test_a_warning_is_a_log_line_as_of_the_other_processes() -> None:
    line = json.loads(run(WARN).stderr)

    del line["timestamp"]
    assert line == {"event": "child_restarted", "child": "web", "status": -9, "level": "warning"}


def test_the_simulated_upstream_starts_first_and_ends_last() -> None:
    named = [[child.name for child in stage] for stage in stages({}, demo_port=8001)]

    assert named == [["demo"], ["web", "worker"]]
    assert [[child.name for child in stage] for stage in stages({}, demo_port=None)] == named[1:]
