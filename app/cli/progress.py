"""How far long work is: a bar on standard error, where a person looks at it, and nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def progress(label: str, length: int, *, prints: bool = False) -> Iterator[Callable[[int], None]]:
    """
    Yield what is to be called with each amount done, of *length*.

    Where the work *prints* meanwhile, and to a terminal, there is no bar: it would be written over.
    """
    if not sys.stderr.isatty() or (prints and sys.stdout.isatty()):
        yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update
