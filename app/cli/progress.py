"""Progress of long work on standard error, if that is a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def progress(label: str, length: int, *, prints: bool = False) -> Iterator[Callable[[int], None]]:
    """
    Yield a callback that takes each amount done, of *length* in total.

    There is no bar if the work *prints* to the terminal, which would overwrite the bar.
    """
    if not sys.stderr.isatty() or (prints and sys.stdout.isatty()):
        yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update


FIRST_SECONDS, EVERY_SECONDS = 2.0, 5.0


@contextmanager
def waiting(label: str, max_seconds: float) -> Iterator[None]:
    """Print *label* to standard error while the block runs, with the elapsed and the maximum time."""
    done = threading.Event()

    def report() -> None:
        waited = FIRST_SECONDS
        while not done.wait(FIRST_SECONDS if waited == FIRST_SECONDS else EVERY_SECONDS):
            click.echo(f"{label}: {waited:.0f} of at most {max_seconds:.0f} s", err=True)
            waited += EVERY_SECONDS

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
