"""
gunicorn's settings, with a worker that samples itself: see `profiling`.

The timer counts CPU time, so a worker that waits, or that the machine gives no turn, is not
sampled. gevent runs every greenlet in one thread, so every sample sees the one that works.
"""

# ruff: noqa: F403, I001  the patch comes before any import that would load ssl
from app.server.gunicorn_settings import *

import os
import signal
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from app.server import gunicorn_settings

EVERY_SECONDS = 0.002
DEEPEST = 60

_stacks: Counter[tuple[str, ...]] = Counter()


def post_worker_init(worker: Any) -> None:
    gunicorn_settings.post_worker_init(worker)
    signal.signal(signal.SIGPROF, _sample)
    signal.signal(signal.SIGUSR2, lambda *_: _write())
    signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)


def _sample(_: int, frame: FrameType | None) -> None:
    stack = []
    while frame is not None and len(stack) < DEEPEST:
        code = frame.f_code
        stack.append(f"{code.co_qualname}  {'/'.join(code.co_filename.split('/')[-3:])}")
        frame = frame.f_back
    _stacks[tuple(stack)] += 1


def _write() -> None:
    """Write what was sampled since the last time."""
    global _stacks
    stacks, _stacks = _stacks, Counter()  # a sample may be taken while these are written
    lines = [f"{';'.join(stack)} {count}" for stack, count in stacks.items()]
    target = Path(os.environ["POOLGATE_HOME"]) / "stacks"
    target.with_suffix(".new").write_text("\n".join(lines))
    target.with_suffix(".new").rename(target)
