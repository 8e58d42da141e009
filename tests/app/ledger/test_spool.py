"""Settlements on disk are whole, private, and read line by line."""

from __future__ import annotations

from pathlib import Path

from structlog.testing import capture_logs

from app.ledger.spool import Spool

PENDING = [("a", {"id": "req_1", "row": {"cost": 3}}), ("b", {"id": "req_2", "row": {}})]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")

    path = spool.write(PENDING)

    assert spool.files() == [path]
    assert spool.read(path) == PENDING
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_an_incomplete_file_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(b'{"pool"')

    assert Spool(tmp_path).files() == []


def test_a_broken_line_costs_no_other(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    path = spool.write(PENDING)
    path.write_bytes(b'{"pool": "a", "settl\n[]\n' + path.read_bytes())

    with capture_logs() as lines:
        assert spool.read(path) == PENDING
    assert [line["event"] for line in lines] == ["spool_line_unreadable"] * 2


def test_a_file_that_another_process_removed_is_empty(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    path = spool.write(PENDING)
    spool.remove(path)

    assert spool.read(path) == []
    spool.remove(path)
