"""
The gateway's own gunicorn settings, and workers that count their greenlets on request.

For `GUNICORN_CMD_ARGS=--config=tests/chaos/counting.py`. After SIGNAL a worker writes the
number into `$COUNTING_FOLDER/<its pid>`.
"""

from app.server.gunicorn_settings import *  # noqa: F403  isort: skip

import gc
import os
import signal
from pathlib import Path
from typing import Any

import gevent
from greenlet import greenlet

from app.server import gunicorn_settings

SIGNAL = signal.SIGRTMIN


def post_worker_init(worker: Any) -> None:
    gunicorn_settings.post_worker_init(worker)
    gevent.signal_handler(SIGNAL, _count)


def _count() -> None:
    gc.collect()
    alive = sum(1 for each in gc.get_objects() if isinstance(each, greenlet) and not each.dead)
    reply = Path(os.environ["COUNTING_FOLDER"], str(os.getpid()))
    reply.with_suffix(".new").write_text(str(alive))
    reply.with_suffix(".new").rename(reply)
