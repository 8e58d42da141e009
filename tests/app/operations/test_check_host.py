from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from app.ledger.dead_letters import DeadLetters
from app.ledger.spool import PendingSettlement, Spool
from app.operations import check_host
from app.operations.diagnostic import Level
from app.stores import keys, private_server_supervisor
from app.stores.health import HealthRepository
from app.stores.scripts import Scripts
from app.stores.secrets import keys_in_file


def ran(
    client: Any, job: str, seconds_ago: float = 0.0, *, ok: bool = True, every_seconds: float = 60.0
) -> None:
    run = {"at": int(time.time() - seconds_ago), "every_seconds": every_seconds, "ok": ok}
    client.hset(keys.JOB_RUNS, job, json.dumps(run))


def jobs(client: Any) -> list[str]:
    return [one.what.partition(" at ")[0] for one in check_host.check_jobs(HealthRepository(Scripts(client)))]


class TestJobs:
    def test_no_worker_ever(self, redis_client: Any) -> None:
        assert jobs(redis_client) == [
            "no worker runs: sign-ins are not renewed, usage windows and models not updated"
        ]

    def test_no_worker_any_more(self, redis_client: Any) -> None:
        ran(redis_client, "usage", 3600)
        ran(redis_client, "models", 7200)

        (what,) = jobs(redis_client)

        assert what.startswith("no worker runs since 20")

    def test_rare_jobs_are_no_sign_of_a_worker(self, redis_client: Any) -> None:
        """One finding, not one for each frequent job, as soon as a frequent job should have run."""
        ran(redis_client, "leases", 120, every_seconds=5.0)
        ran(redis_client, "alerts", 120, every_seconds=5.0)
        ran(redis_client, "models", 120, every_seconds=3600.0)

        (what,) = jobs(redis_client)

        assert what.startswith("no worker runs since 20")

    def test_one_that_hangs(self, redis_client: Any) -> None:
        ran(redis_client, "usage")
        ran(redis_client, "models", 3600)

        assert jobs(redis_client) == ["the background job models ran last"]

    def test_one_that_failed(self, redis_client: Any) -> None:
        ran(redis_client, "usage", ok=False)

        assert jobs(redis_client) == ["the background job usage failed"]

    def test_one_of_a_former_version(self, redis_client: Any) -> None:
        ran(redis_client, "usage")
        ran(redis_client, "sweep", 30 * 86400, ok=False)

        assert jobs(redis_client) == []


class TestDisk:
    def test_room(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The free space of the disk is read for a home directory that does not exist yet."""
        monkeypatch.setattr(check_host, "FEW_BYTES", 0)

        assert list(check_host.check_disk(tmp_path / "not" / "yet")) == []

    @pytest.mark.parametrize(("least", "level"), [(0, Level.NOTE), (2**62, Level.WRONG)])
    def test_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least: int, level: str) -> None:
        monkeypatch.setattr(check_host, "FEW_BYTES", 2**62)
        monkeypatch.setattr(check_host, "MIN_BYTES", least)

        (one,) = check_host.check_disk(tmp_path)

        assert (one.level, one.where) == (level, str(tmp_path))
        assert one.what.endswith("MiB of disk are left")


def test_secret_keys_that_others_may_read(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    assert list(check_host.check_secret_file(path)) == []
    keys_in_file(path)
    assert list(check_host.check_secret_file(path)) == []

    path.chmod(0o640)

    (one,) = check_host.check_secret_file(path)
    assert (one.level, one.remedy) == (Level.WRONG, f"chmod 600 {path}")


def test_settlements_that_wait(tmp_path: Path) -> None:
    Spool(tmp_path / "spool").write([PendingSettlement("default", {"id": "r"})])

    (one,) = check_host.check_spool(tmp_path / "spool")

    assert one.what == "1 file of settlements is not in the ledger yet"


def test_repairs_of_the_private_server(tmp_path: Path) -> None:
    """Those of the last day, each kind once: what was repaired is not hidden behind "all is well"."""
    folder = tmp_path / "redis"
    folder.mkdir()
    for _ in range(2):
        private_server_supervisor.record(folder, "the private server was ended by signal 9; started it again")
    private_server_supervisor.record(
        folder, "the supervisor of the private server was not running; started it"
    )

    found = list(check_host.check_repairs(tmp_path, time.time()))

    assert [one.level for one in found] == [Level.NOTE, Level.NOTE]
    assert found[0].what.endswith("the private server was ended by signal 9; started it again (2 times)")
    assert list(check_host.check_repairs(tmp_path, time.time() + check_host.REPAIR_SECONDS + 60)) == []


def test_settlements_that_were_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert list(check_host.check_dead_letters(tmp_path)) == []
    assert list(check_host.check_dead_letters(tmp_path / "file")) == []  # in which none can be stored
    DeadLetters(tmp_path).add("p", {"id": "x"}, "why")

    (found,) = check_host.check_dead_letters(tmp_path)
    assert found.level == Level.WRONG
    assert "1 settlement" in found.what
    assert str(DeadLetters(tmp_path).path) in found.remedy
