"""A test leaves nothing that runs or is configured to the next."""

from __future__ import annotations

import logging

import gevent
import gevent.event
import pytest
import structlog

from app import log
from tests.support.isolation import greenlets_ended, logging_restored


def test_greenlets_that_wait_do_not_go_on(monkeypatch):
    written: list[str] = []

    def write_later() -> None:
        gevent.sleep(0.01)
        written.append("late")

    with monkeypatch.context() as patch, greenlets_ended(patch):
        waiting = gevent.spawn(write_later), gevent.spawn_later(0.01, written.append, "later")
        gevent.sleep(0)
    gevent.joinall(waiting)

    assert written == []


def test_greenlets_of_wider_fixtures_go_on(monkeypatch):
    ended = gevent.event.Event()
    outer = gevent.Greenlet.spawn(ended.wait)

    with monkeypatch.context() as patch, greenlets_ended(patch):
        gevent.sleep(0)
    ended.set()

    assert outer.get(timeout=5) is True


@pytest.mark.parametrize("level", ["info", "error"])
def test_the_configuration_of_logs_is_undone(monkeypatch, capsys, level):
    project, library = structlog.get_logger(), logging.getLogger()
    before = library.level

    with monkeypatch.context() as patch, logging_restored(patch):
        log.configure(level, "json")
        project.error("inside")
    project.info("outside")

    assert "outside" in capsys.readouterr().out
    assert not structlog.is_configured()
    assert library.level == before
    assert all(handler.name != "stderr" for handler in library.handlers)
