"""Other commands find the gateways that run, and not those that were killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from app.supervision.running import FOLDER, RunningGateway, announced, running

GATEWAY = RunningGateway("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/admin/", "first")


def test_while_it_runs(tmp_path: Path) -> None:
    with announced(tmp_path, GATEWAY):
        assert running(tmp_path) == [GATEWAY]

    assert running(tmp_path) == []
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_one_that_was_killed(tmp_path: Path) -> None:
    """Its file is left, and removed by the next command."""
    program = f"""
import os, pathlib
from app.supervision.running import RunningGateway, announced
with announced(pathlib.Path({str(tmp_path)!r}), RunningGateway("u", "", "k")):
    os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[3], check=False)
    assert len(list((tmp_path / FOLDER).iterdir())) == 1

    assert running(tmp_path) == []
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file")

    with announced(tmp_path, GATEWAY):
        assert running(tmp_path) == []


def test_a_file_of_another_version(tmp_path: Path) -> None:
    with announced(tmp_path, GATEWAY):
        (tmp_path / FOLDER / f"{os.getpid()}.json").write_text('{"other": 1}')

        assert running(tmp_path) == []
