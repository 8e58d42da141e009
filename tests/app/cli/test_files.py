"""Files that are none, never end or are far too large."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.cli import files
from app.cli.files import open_file, read_file, read_lines
from app.errors import InvalidRequest


@pytest.mark.parametrize("path", ["/", "/dev/zero", "/dev/full"])
def test_no_file(path: str) -> None:
    with pytest.raises(InvalidRequest, match="not a file"):
        open_file(path)


def test_an_unreadable_file() -> None:
    """Reading it fails with an error that names no file."""
    with pytest.raises(InvalidRequest, match="/proc/self/mem: "):
        read_file("/proc/self/mem", 100)


def test_a_pipe_without_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    assert read_file(str(tmp_path / "fifo"), 100) == b""


def test_a_pipe_with_a_writer() -> None:
    """As the shell makes of `<(command)`."""
    reader, writer = os.pipe()
    os.write(writer, b"data")
    os.close(writer)

    assert read_file(f"/proc/self/fd/{reader}", 100) == b"data"
    os.close(reader)


def test_a_large_file(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**31)

    with pytest.raises(InvalidRequest, match="larger than 100 bytes"):
        read_file(str(tmp_path / "large"), 100)
    with pytest.raises(InvalidRequest, match="a line is longer"):
        list(read_lines(str(tmp_path / "large")))


def test_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_LINE_BYTES", 5)
    (tmp_path / "f").write_bytes(b"1234\n12345")

    assert list(read_lines(str(tmp_path / "f"))) == [b"1234\n", b"12345"]
