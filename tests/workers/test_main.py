"""`python -m workers` as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import eventually, with_argument
from tests.support.redis import short_folder

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_on_the_private_server_until_stopped(by):
    with short_folder() as home:
        environ = {**os.environ, "POOLGATE_HOME": str(home)}
        process = subprocess.Popen([sys.executable, "-m", "workers"], cwd=ROOT, env=environ)
        assert eventually(lambda: len(with_argument(home)) == 2)

        process.send_signal(by)

        assert process.wait(30) == 0
        assert eventually(lambda: not with_argument(home))


def test_a_bad_setting_is_one_clear_line():
    environ = {**os.environ, "POOLGATE_LOG_LEVEL": "loud"}

    result = subprocess.run(
        [sys.executable, "-m", "workers"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )

    assert result.returncode == 1
    assert result.stderr.startswith("POOLGATE_LOG_LEVEL='loud' does not work")
