"""
The gateway's own gunicorn settings, and workers that write down each long turn of their event loop.

For `GUNICORN_CMD_ARGS=--config=tests/fuzz/turns.py`. A turn is measured in CPU time of its thread,
so that a busy machine does not make it longer; `$FUZZ_TURNS` gets a line of JSON for each long one.
"""

from app.server.gunicorn_settings import *  # noqa: F403  isort: skip

import os
import time
from typing import Any

import gevent
import orjson

from app.server import gunicorn_settings

LONG_SECONDS = 0.1


def post_worker_init(worker: Any) -> None:
    gunicorn_settings.post_worker_init(worker)
    watcher = gevent.get_hub().loop.check(ref=False)
    worker.turns = Turns(watcher)  # it has to live as long as the worker


class Turns:
    def __init__(self, watcher: Any) -> None:
        self._began = time.thread_time()
        self._watcher = watcher
        watcher.start(self._over)

    def _over(self) -> None:
        now = time.thread_time()
        if now - self._began > LONG_SECONDS:
            line = {"at": time.time(), "pid": os.getpid(), "seconds": round(now - self._began, 3)}
            with open(os.environ["FUZZ_TURNS"], "ab") as file:
                file.write(orjson.dumps(line) + b"\n")
            now = time.thread_time()
        self._began = now
