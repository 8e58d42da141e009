"""Supervision of small shell scripts, by a supervisor in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.supervision.supervisor import Child, ChildFailed, Supervisor
from tests.support.processes import eventually, is_alive

ROOT = Path(__file__).parents[3]
SUPERVISE = """
import json, os, sys
from pathlib import Path
from app.supervision.supervisor import *

stages = [
    [Child(name, ["sh", "-c", script], os.environ, Path.cwd()) for name, script in stage.items()]
    for stage in json.loads(sys.argv[1])
]
try:
    with Supervisor(stages, float(sys.argv[2]), lambda event, **fields: None) as supervisor:
        supervisor.run()
except Stopped:
    print("stopped", flush=True)
"""
# Each script writes its process id to a file of its own, so that a test can find the process.
STAYS = "echo $$ > $NAME.pid; exec sleep 1000"
DIES_ONCE = "echo $$ >> $NAME.pid; [ $(wc -l < $NAME.pid) = 1 ] && exit 3; exec sleep 1000"
FINISHES = (
    "echo $$ > $NAME.pid; trap 'sleep 0.2; echo $NAME >> stopped; exit' TERM; while :; do sleep 0.05; done"
)
IGNORES_TERM = "trap '' TERM; echo $$ > $NAME.pid; while :; do sleep 0.05; done"


class Supervised:
    def __init__(self, folder: Path, *stages: dict[str, str], stop_seconds: float = 20.0) -> None:
        self.folder = folder
        named = [{name: f"NAME={name}; {script}" for name, script in stage.items()} for stage in stages]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISE, json.dumps(named), str(stop_seconds)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )

    def pids(self, name: str) -> list[int]:
        path = self.folder / f"{name}.pid"
        return [int(pid) for pid in path.read_text().split()] if path.exists() else []

    def pid(self, name: str) -> int:
        """The process of child *name*, once it has written its id."""
        assert eventually(lambda: self.pids(name))
        return self.pids(name)[-1]

    def end(self) -> str:
        """Wait for the supervisor; return its output."""
        output, _ = self.process.communicate(timeout=30)
        return str(output)


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    started = []

    def supervise(*stages: dict[str, str], **more: float) -> Supervised:
        started.append(Supervised(tmp_path, *stages, **more))
        return started[-1]

    yield supervise
    for supervised in started:
        supervised.process.kill()
        supervised.process.communicate()
        for path in tmp_path.glob("*.pid"):
            for pid in supervised.pids(path.stem):
                if is_alive(pid):
                    os.kill(pid, signal.SIGKILL)


class TestRunning:
    def test_a_child_that_dies_is_started_again(self, supervise):
        supervised = supervise({"web": DIES_ONCE})

        assert eventually(lambda: len(supervised.pids("web")) == 2)
        assert is_alive(supervised.pid("web"))

    def test_a_child_that_dies_repeatedly_waits_longer_each_time(self, tmp_path):
        child = Child("web", ["true"], {}, tmp_path)
        child.start()
        waits = []
        for _ in range(8):
            child.process.wait()
            waits.append(child.restart_at() - child.started_at)
            child.restart()
        child.process.wait()
        child.close()

        assert waits == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30])

    def test_a_child_that_ran_long_starts_over_with_the_short_wait(self, tmp_path):
        child = Child("web", ["true"], {}, tmp_path, wait_seconds=30.0)
        child.start()
        child.process.wait()
        child.close()
        child.started_at -= 31

        assert child.restart_at() - child.started_at == pytest.approx(0.5)

    def test_ctrl_c_reaches_the_supervisor_alone(self, supervise):
        """A terminal signals its foreground group, and gunicorn would cut its streams at once."""
        supervised = supervise({"web": STAYS})

        assert os.getpgid(supervised.pid("web")) != os.getpgid(supervised.process.pid)


class TestStarting:
    def test_a_child_that_dies_before_all_is_ready_ends_it(self, tmp_path, monkeypatch):
        """An invalid setting is reported, not retried for ever."""
        quiet, _ = pipe = os.pipe()
        monkeypatch.setattr("app.supervision.supervisor._signals", lambda: quiet)
        child = Child("web", ["sh", "-c", "exit 3"], os.environ, tmp_path)

        with (
            pytest.raises(ChildFailed, match="web ended with status 3"),
            Supervisor([[child]], 1, lambda event, **fields: None) as supervisor,
        ):
            supervisor.wait_until(lambda: False, 20)

        for descriptor in pipe:
            os.close(descriptor)


class TestStopping:
    @pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_a_signal_ends_all(self, supervise, by):
        supervised = supervise({"web": STAYS, "worker": STAYS})
        pids = [supervised.pid("web"), supervised.pid("worker")]

        supervised.process.send_signal(by)

        assert supervised.end() == "stopped\n"
        assert not any(is_alive(pid) for pid in pids)

    def test_children_finish_before_what_they_depend_on_is_stopped(self, supervise, tmp_path):
        supervised = supervise({"demo": FINISHES}, {"web": FINISHES})
        supervised.pid("demo")
        supervised.pid("web")

        supervised.process.terminate()

        supervised.end()
        assert (tmp_path / "stopped").read_text().split() == ["web", "demo"]

    def test_who_does_not_end_in_time_is_killed(self, supervise):
        supervised = supervise({"web": IGNORES_TERM}, stop_seconds=0.2)
        pid = supervised.pid("web")

        supervised.process.terminate()

        assert supervised.end() == "stopped\n"
        assert not is_alive(pid)

    def test_a_second_signal_ends_at_once(self, supervise):
        supervised = supervise({"web": IGNORES_TERM, "worker": FINISHES}, stop_seconds=1000)
        pid, finishing = supervised.pid("web"), supervised.pid("worker")
        supervised.process.terminate()
        assert eventually(lambda: not is_alive(finishing))

        supervised.process.terminate()

        assert supervised.end() == "stopped\n"
        assert not is_alive(pid)

    def test_nothing_outlives_a_killed_supervisor(self, supervise):
        supervised = supervise({"web": STAYS})
        pid = supervised.pid("web")

        supervised.process.kill()

        assert eventually(lambda: not is_alive(pid))
