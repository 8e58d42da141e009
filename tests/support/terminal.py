"""A command in a terminal of its own, which sends its keys and shows its output."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
# opens its terminal, so that Ctrl-C there sends SIGINT to it
RUN = "import os; os.open(os.ttyname(0), os.O_RDWR); from app.cli import main; main(prog_name='poolgate')"
CTRL_C, CTRL_D = "\x03", "\x04"
SECONDS, AGAIN_SECONDS = 60.0, 2.0


class Terminal:
    """The terminal of *process*, by the *descriptor* of its other side."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self._process, self._descriptor = process, descriptor
        self.output = ""

    def wait_for(self, text: str) -> None:
        """Read until *text* is in the output."""
        while text not in self.output:
            assert self._read(), f"{text!r} is not in {self.output!r}"

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def interrupt(self) -> None:
        """Type Ctrl-C, again if nothing happens: `input` misses a signal between its prompt and its read."""
        is_shown = self.echoes
        self.type(CTRL_C)
        if is_shown:
            self.wait_for("^C")
        while not select.select([self._descriptor], [], [], AGAIN_SECONDS)[0]:
            self.type(CTRL_C)

    def end(self) -> int:
        """Read the rest of the output, and return the exit status."""
        while self._read():
            pass
        return self._process.wait(SECONDS)

    @property
    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self._descriptor)[3] & termios.ECHO)

    def _read(self) -> bool:
        """Read a part of the output; return False once the process has closed it."""
        assert select.select([self._descriptor], [], [], SECONDS)[0], f"hangs after {self.output!r}"
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # the other side is closed
            return False
        self.output += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)


@contextmanager
def terminal(environ: Mapping[str, str], *args: str) -> Iterator[Terminal]:
    """Run `poolgate` with *args* in a terminal, and end it."""
    descriptor, other_side = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", RUN, *args],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", **environ},
        stdin=other_side,
        stdout=other_side,
        stderr=other_side,
        start_new_session=True,
    ) as process:
        os.close(other_side)
        try:
            yield Terminal(process, descriptor)
        finally:
            process.kill()
            os.close(descriptor)
