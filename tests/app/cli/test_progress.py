"""Progress bars on a terminal, and none without one: tested with real processes."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from app.cli import progress as progress_module
from app.wiring import Services

ROOT = Path(__file__).parents[3]
RUN = "from app.cli import main; main(prog_name='poolgate')"
ROW = {
    **{"id": "r", "at_ms": int(time.time() * 1000), "key": "k", "account": "a", "model": "m", "status": 200},
    **{"endpoint": "/v1/responses", "source": "upstream", "input_tokens": 5, "output_tokens": 1},
}


@pytest.fixture
def requests_recorded(services: Services) -> None:
    services.pools.ensure("default")
    for number in range(3):
        row = ROW | {"id": f"r{number}"}
        services.ledger.settlements.settle(
            "default", {"id": row["id"], "mark": {}, "row": row, "calendar": {}}
        )


def run(environ: dict[str, str], *args: str, terminal: bool) -> tuple[str, str]:
    """Return standard output and standard error, which is a terminal if *terminal*."""
    terminal_fd, child_fd = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", RUN, *args],
        cwd=ROOT,
        env={**os.environ, **environ, "TERM": "xterm", "SECRET": "correct horse battery"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=child_fd if terminal else subprocess.PIPE,
    ) as process:
        os.close(child_fd)
        output, _ = process.communicate(timeout=60) if terminal else (process.stdout.read(), None)
        error = _everything(terminal_fd) if terminal else process.stderr.read()
    os.close(terminal_fd)
    return output.decode(), error.decode()


def _everything(descriptor: int) -> bytes:
    found = b""
    while True:
        try:
            data = os.read(descriptor, 65536)
        except OSError:  # the other end is closed
            return found
        if not data:
            return found
        found += data


@pytest.mark.parametrize(
    ("args", "label"),
    [
        (("ledger", "verify"), "Verifying"),
        (("ledger", "export"), "Exporting"),
        (("replay", "-", "--policy", "balanced"), "Replaying"),
        (("backup", "FILE", "--passphrase-env", "SECRET"), "Backing up"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_bar_on_a_terminal_alone(
    environ: dict[str, str],
    services: Services,
    requests_recorded: None,
    tmp_path: Path,
    args: tuple[str, ...],
    label: str,
) -> None:
    """Standard output is the same."""
    seen, unseen = (
        run(environ, *(str(tmp_path / str(here)) if arg == "FILE" else arg for arg in args), terminal=here)
        for here in (True, False)
    )

    assert f"{label}  [" in seen[1]
    assert "100%" in seen[1]
    assert label not in unseen[1]
    assert seen[0] == unseen[0] != ""


def test_waiting_is_reported_and_ends(monkeypatch, capsys):
    monkeypatch.setattr(progress_module, "FIRST_SECONDS", 0.01)
    printed = threading.Event()
    monkeypatch.setattr(progress_module.click, "echo", lambda line, err: (print(line), printed.set()))
    with progress_module.waiting("Waiting for the upstream's response", 60.0):
        assert printed.wait(20)

    assert "Waiting for the upstream's response: 0 of at most 60 s" in capsys.readouterr().out
