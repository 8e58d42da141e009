"""
The private server: its start, repair and end, with real processes.

An owner is a process of its own that prints the URL and stays until its stdin closes.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from app.config import ConfigError, Settings
from app.stores import private_server, private_server_supervisor
from tests.support.processes import eventually, is_alive, with_argument
from tests.support.redis import short_folder

TAKING_OVER = """
import subprocess, sys
from pathlib import Path
from app.stores import private_server
private_server.take_over(Path(sys.argv[1]), int(sys.argv[2]))
null = subprocess.DEVNULL
child = subprocess.Popen(["sleep", "60"], close_fds=False, stdin=null, stdout=null, stderr=null)
print(child.pid, flush=True)
sys.stdin.read()
"""
OWNER = f"""
TAKING_OVER = {TAKING_OVER!r}
import os, signal, sys, threading
from pathlib import Path
from app.config import Settings
from app.stores import private_server
print(private_server.ensure(Path(sys.argv[1]), sys.argv[2]), flush=True)
if sys.argv[3:] == ["watch"]:
    settings = Settings(home=Path(sys.argv[1]), redis_server=sys.argv[2])
    threading.Thread(target=private_server.watch_forever, args=[settings], daemon=True).start()
if sys.argv[3:] == ["fork"]:
    child = os.fork()
    if not child:
        signal.pause()
    print(child, flush=True)
if sys.argv[3:] == ["exec"]:
    descriptor = private_server.owner_of(Path(sys.argv[1]))
    os.set_inheritable(descriptor, True)
    os.execv(sys.executable, [sys.executable, "-c", TAKING_OVER, sys.argv[1], str(descriptor)])
sys.stdin.read()
"""
SERVER = os.environ.get("REDIS_SERVER", "")
ROOT = Path(private_server.__file__).parents[2]


class Owners:
    """Starts owners of one home, and ends those that a test left."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, *how: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(self.home), SERVER, *how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(ROOT)},
            process_group=0,
        )
        self.processes.append(process)
        return process

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.fixture
def home() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder
        assert eventually(lambda: not processes_of(folder)), "a server outlived its owners"


@pytest.fixture
def owners(home: Path) -> Iterator[Owners]:
    owners = Owners(home)
    yield owners
    owners.end()


def connect(home: Path) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(home / "redis" / "socket"), decode_responses=True)


def url_of(owner: subprocess.Popen[str]) -> str:
    assert owner.stdout is not None
    return owner.stdout.readline().strip()


def leave(owner: subprocess.Popen[str]) -> None:
    owner.communicate("")
    assert owner.returncode == 0


def pid_of_server(home: Path) -> int:
    with connect(home) as client:
        return int(client.info("server")["process_id"])


def guard_pid(home: Path) -> int:
    status = Path(f"/proc/{pid_of_server(home)}/status").read_text()
    return int(status.split("PPid:")[1].split()[0])


def kill(pid: int) -> None:
    """Kill *pid* and wait until it holds nothing any more."""
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not is_alive(pid))


def responses(home: Path) -> bool:
    try:
        with connect(home) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def processes_of(home: Path) -> list[int]:
    """Return the supervisor and the server under *home*."""
    return with_argument(home / "redis")


class TestOneOwner:
    def test_gets_a_server_that_answers(self, home, owners):
        assert url_of(owners.start()) == f"unix://{home}/redis/socket"
        assert responses(home)

    def test_what_it_makes_is_for_this_user_alone(self, home, owners):
        url_of(owners.start())

        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home / "redis").iterdir()}
        assert stat.S_IMODE((home / "redis").stat().st_mode) == 0o700
        assert modes == {
            "appendonlydir": 0o700,
            "keeper": 0o600,
            "lock": 0o600,
            "log": 0o600,
            "owners": 0o600,
            "server": 0o600,
            "socket": 0o600,
        }

    def test_ends_the_server_when_it_leaves(self, home, owners):
        owner = owners.start()
        url_of(owner)

        leave(owner)

        assert eventually(lambda: not processes_of(home))

    def test_ends_the_server_when_it_is_killed(self, home, owners):
        owner = owners.start()
        url_of(owner)

        owner.kill()

        assert eventually(lambda: not processes_of(home))

    def test_finds_its_data_again(self, home, owners):
        """An acknowledged write outlives the server that took it."""
        owner = owners.start()
        url_of(owner)
        with connect(home) as client:
            client.set("kept", "yes")
        leave(owner)

        url_of(owners.start())

        with connect(home) as client:
            assert client.get("kept") == "yes"

    def test_leaves_the_server_to_the_children_it_forked(self, home, owners):
        """Workers that outlive a killed arbiter still have to settle."""
        owner = owners.start("fork")
        url_of(owner)
        child = int(owner.stdout.readline())

        owner.kill()
        owner.wait()

        assert responses(home)
        os.kill(child, signal.SIGKILL)
        assert eventually(lambda: not processes_of(home))

    def test_owns_it_after_another_program_took_its_place(self, home, owners):
        """Until that ends: its children, which have their own descriptors, do not own it."""
        owner = owners.start("exec")
        url_of(owner)
        child = int(owner.stdout.readline())
        assert responses(home)

        kill(owner.pid)

        assert eventually(lambda: not processes_of(home))
        kill(child)


class TestManyOwners:
    def test_that_start_at_once_share_one_server(self, home, owners):
        started = [owners.start() for _ in range(4)]

        assert len({url_of(owner) for owner in started}) == 1
        assert len(processes_of(home)) == 2

    def test_the_server_stays_until_the_last_leaves(self, home, owners):
        first, last = owners.start(), owners.start()
        url_of(first)
        url_of(last)
        pid = pid_of_server(home)

        leave(first)
        assert pid_of_server(home) == pid

        leave(last)
        assert eventually(lambda: not processes_of(home))

    def test_one_comes_as_the_other_goes(self, home, owners):
        """A process that joins while the server is stopping gets a new server."""
        before = owners.start()
        url_of(before)
        for _ in range(5):
            before.kill()
            after = owners.start()
            url_of(after)
            assert responses(home)
            before = after

    def test_ctrl_c_does_not_take_the_server_from_who_is_still_draining(self, home, owners):
        """A terminal signals its whole group; the server is in a session of its own."""
        first, draining = owners.start(), owners.start()
        url_of(first)
        url_of(draining)

        os.killpg(first.pid, signal.SIGINT)
        first.wait()

        assert responses(home)
        assert len({os.getsid(pid) for pid in processes_of(home)} - {os.getsid(0)}) == 1


class TestDeaths:
    def test_a_killed_server_is_back_with_its_data(self, home, owners):
        url_of(owners.start())
        pid = pid_of_server(home)
        with connect(home) as client:
            client.set("kept", "yes")

        os.kill(pid, signal.SIGKILL)

        assert eventually(lambda: responses(home) and pid_of_server(home) != pid)
        with connect(home) as client:
            assert client.get("kept") == "yes"

    def test_the_server_of_a_killed_supervisor_continues_and_is_taken_over(self, home, owners):
        """It is not restarted: loading a large file takes long, and a second server would corrupt it."""
        url_of(owners.start())
        server = pid_of_server(home)
        with connect(home) as client:
            client.set("kept", "yes")
        kill(guard_pid(home))
        assert responses(home)

        url_of(owners.start())

        assert pid_of_server(home) == server
        assert len(processes_of(home)) == 2
        with connect(home) as client:
            assert client.get("kept") == "yes"

    def test_an_owner_whose_supervisor_was_killed_can_start_again(self, home):
        private_server.ensure(home, SERVER)
        guard = guard_pid(home)
        kill(guard)

        private_server.ensure(home, SERVER)

        assert guard_pid(home) != guard
        private_server.release(home)

    def test_every_order_of_killing_supervisor_and_server(self, home, owners):
        """Service is back, with its data and one server; nothing is left after the owner has gone."""
        owner = owners.start("watch")
        url_of(owner)
        with connect(home) as client:
            client.set("stored", "0")
        orders = [("server",), ("keeper",), ("server", "keeper"), ("keeper", "server"), ("stop", "server")]
        for number, order in enumerate(orders):
            pids = {"server": pid_of_server(home), "keeper": guard_pid(home)}
            for name in order:
                os.kill(
                    pids["keeper" if name == "stop" else name],
                    signal.SIGSTOP if name == "stop" else signal.SIGKILL,
                )
            assert eventually(lambda: responses(home) and has_one_of_each(home, pids, order), 15.0), order  # noqa: B023
            with connect(home) as client:
                assert client.get("stored") == str(number)
                client.set("stored", str(number + 1))
                client.bgrewriteaof() if number % 2 else None

        leave(owner)
        assert eventually(lambda: not processes_of(home))

    def test_two_owners_that_watch_start_one_supervisor(self, home, owners):
        for owner in (owners.start("watch"), owners.start("watch"), owners.start("watch")):
            url_of(owner)
        for _ in range(3):
            pids = {"server": pid_of_server(home), "keeper": guard_pid(home)}
            for pid in pids.values():
                os.kill(pid, signal.SIGKILL)
            assert eventually(lambda: responses(home) and has_one_of_each(home, pids, ("server", "keeper")))  # noqa: B023

    def test_a_stopped_server_is_continued(self, home, owners):
        url_of(owners.start())
        os.kill(pid_of_server(home), signal.SIGSTOP)

        assert eventually(lambda: responses(home))
        assert [what for _, what in private_server.repairs_since(home, 0)] == [
            "the private server was stopped by a signal; continued it"
        ]

    def test_what_was_repaired_can_be_read(self, home, owners):
        url_of(owners.start("watch"))
        assert private_server.repairs_since(home, 0) == []
        pids = {"server": pid_of_server(home), "keeper": guard_pid(home)}

        os.kill(pids["server"], signal.SIGKILL)
        assert eventually(lambda: responses(home) and pid_of_server(home) != pids["server"])
        kill(guard_pid(home))
        assert eventually(lambda: len(private_server.repairs_since(home, 0)) == 2)

        assert [what for _, what in private_server.repairs_since(home, 0)] == [
            "the private server was ended by signal 9; started it again",
            "the supervisor of the private server was not running; started it",
        ]

    def test_a_file_of_events_stays_small(self, home):
        folder = home / "redis"
        folder.mkdir()
        for number in range(3000):
            private_server_supervisor.record(folder, f"event {number}")

        assert (folder / "events").stat().st_size < 64 * 1024
        assert [what for _, what in private_server.repairs_since(home, 0)][-1] == "event 2999"


def has_one_of_each(home: Path, before: dict[str, int], killed: tuple[str, ...]) -> bool:
    """Return whether one supervisor and one server run that are not among the killed ones."""
    running = set(processes_of(home))
    gone = {before[name] for name in killed if name in before}
    settled = {int((home / "redis" / "keeper").read_text() or 0), pid_of_server(home)}
    return running == settled and not running & gone


class TestRefusals:
    def test_a_home_whose_path_is_too_long_for_a_socket(self, home):
        """The server would silently truncate the path and listen somewhere else."""
        with pytest.raises(ConfigError, match=r"POOLGATE_HOME=.* 7 bytes shorter"):
            private_server.ensure(home / ("x" * (103 + 7 - len(f"{home}//redis/socket"))))

    def test_a_server_that_cannot_start_is_reported_at_once(self, home):
        """The failure is reported at once, not after the minute that loading a large file may take."""
        script = home / "server"
        script.write_text("#!/bin/sh\necho 'the disk is gone'\nexit 1\n")
        script.chmod(0o700)

        with pytest.raises(private_server.PrivateServerError, match="the disk is gone"):
            private_server.ensure(home, str(script))

    def test_a_missing_server_binary(self, home):
        with pytest.raises(ConfigError, match="REDIS_SERVER='/no-such-server'"):
            private_server.ensure(home, "/no-such-server")


def test_a_configured_redis_starts_no_private_server(home):
    settings = Settings(home=home, redis_url="redis://elsewhere:6379")

    assert private_server.redis_url(settings) == "redis://elsewhere:6379"
    assert list(home.iterdir()) == []
