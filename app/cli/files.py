"""Open and read files that are passed to commands, within bounds, and write new ones."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from app.errors import InvalidRequest

MAX_LINE_BYTES = 4 * 1024 * 1024  # the longest line of an export is its first, the list of accounts


def open_file(path: str) -> IO[bytes]:
    """
    Open a file, or a pipe such as that of `<(command)` in a shell, without waiting for a writer.

    Raises InvalidRequest for a directory or a device, OSError if it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO may have no writer
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        os.close(descriptor)
        raise InvalidRequest(f"{path}: not a file", param="file")
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "rb")


def read_file(path: str, max_bytes: int) -> bytes:
    """Return the content of the file at *path*, `-` for standard input. Raises InvalidRequest, OSError."""
    if path == "-":
        return _read(sys.stdin.buffer, "standard input", max_bytes)
    with open_file(path) as file:
        return _read(file, path, max_bytes)


def read_lines(path: str) -> Iterator[bytes]:
    """Yield the lines of the file at *path*. Raises InvalidRequest, OSError."""
    with open_file(path) as file:
        try:
            while line := file.readline(MAX_LINE_BYTES + 1):
                if len(line) > MAX_LINE_BYTES:
                    raise InvalidRequest(
                        f"{path}: a line is longer than {MAX_LINE_BYTES} bytes", param="file"
                    )
                yield line
        except OSError as error:  # the error does not name the file
            raise InvalidRequest(f"{path}: {error.strerror}", param="file") from None


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that only its owner may read; it gets its name when it is complete."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as out:
            yield out
            out.flush()
            os.fsync(descriptor)
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _read(file: IO[bytes], name: str, max_bytes: int) -> bytes:
    try:
        data = file.read(max_bytes + 1)
    except OSError as error:  # the error does not name the file
        raise InvalidRequest(f"{name}: {error.strerror}", param="file") from None
    if len(data) > max_bytes:
        raise InvalidRequest(f"{name}: larger than {max_bytes} bytes", param="file")
    return data
