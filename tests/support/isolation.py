"""What a test starts in its own process and would leave to the tests that follow in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest
import structlog


@contextmanager
def greenlets_ended(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    Kill the greenlets that the code inside has spawned and that still run.

    Some wait for seconds before they write, as for the verification of a settlement. They would write into
    the store and the log of a later test.
    """
    spawned: list[gevent.Greenlet] = []
    for name in ("spawn", "spawn_later"):
        monkeypatch.setattr(gevent, name, _recorded(getattr(gevent, name), spawned))
    yield
    gevent.killall([greenlet for greenlet in spawned if not greenlet.dead])


def _recorded(spawn: Any, spawned: list[gevent.Greenlet]) -> Any:
    hub = gevent.get_hub()

    def recorded(*args: Any, **options: Any) -> gevent.Greenlet:
        greenlet = spawn(*args, **options)
        if gevent.get_hub() is hub:  # another thread's greenlets end with it
            spawned.append(greenlet)
        return greenlet

    return recorded


@contextmanager
def logging_restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    Undo the configuration of logs, as by `poolgate up`, that the code inside applies.

    Loggers are not cached, because a cached one would write to the stream of this configuration forever.
    """
    configure, root = structlog.configure, logging.getLogger()
    level = root.level

    def uncached(**options: Any) -> None:
        configure(**options | {"cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", uncached)
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.setLevel(level)
    for handler in root.handlers[:]:
        if handler.name == "stderr":  # see app/log.py
            root.removeHandler(handler)
