"""Sessions: opened for an operator, extended by use, ended by time or by an operator."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import NotFound
from app.stores import keys
from app.stores.scripts import Scripts
from app.stores.sessions import IDLE_SECONDS, LIFE_SECONDS, MAX_SESSIONS, SessionRepository


@pytest.fixture
def sessions(redis_client: Any) -> SessionRepository:
    for name in ("ann", "bea"):
        redis_client.hset(keys.operator(name), "name", name)
    return SessionRepository(Scripts(redis_client))


def opened(sessions: SessionRepository, name: str = "ann", address: str = "192.0.2.1") -> str:
    return sessions.open(name, address=address, agent="browser " * 100)


class TestOpen:
    def test_its_fields(self, sessions):
        active = sessions.touch(opened(sessions))

        session = active.session
        assert (session.operator, session.address) == ("ann", "192.0.2.1")
        assert len(session.agent) == 200
        assert session.ends_at - session.opened_at == LIFE_SECONDS

    def test_an_unknown_operator(self, sessions):
        with pytest.raises(NotFound):
            opened(sessions, "eve")

    def test_the_oldest_of_too_many_end(self, sessions):
        first, *others = [opened(sessions, address=str(number)) for number in range(MAX_SESSIONS + 1)]

        assert sessions.touch(first) is None or len(sessions.all("ann")) == MAX_SESSIONS
        assert len(sessions.all("ann")) == MAX_SESSIONS
        assert sum(sessions.touch(one) is not None for one in others) >= MAX_SESSIONS - 1

    def test_its_secret_is_not_stored(self, sessions, redis_client):
        secret = opened(sessions)

        stored = " ".join(map(str, redis_client.scan_iter("*")))
        assert secret not in stored
        assert secret not in str(redis_client.hgetall(next(redis_client.scan_iter(keys.session("*")))))


class TestSee:
    @pytest.mark.parametrize("secret", ["", "x", "x" * 43, "*", "ä"])
    def test_what_is_none(self, sessions, secret):
        opened(sessions)

        assert sessions.touch(secret) is None

    def test_use_puts_its_end_off(self, sessions, redis_client):
        secret = opened(sessions)
        (key,) = redis_client.scan_iter(keys.session("*"))
        redis_client.pexpire(key, 1000_000)

        assert sessions.touch(secret) is not None

        assert IDLE_SECONDS * 1000 - 60_000 < redis_client.pttl(key) <= IDLE_SECONDS * 1000

    def test_but_not_past_its_life(self, sessions, redis_client):
        secret = opened(sessions)
        (key,) = redis_client.scan_iter(keys.session("*"))
        now_ms = redis_client.time()[0] * 1000
        redis_client.hset(key, "ends_ms", now_ms + 600_000)

        assert sessions.touch(secret) is not None
        assert redis_client.pttl(key) <= 600_000

        redis_client.hset(key, "ends_ms", now_ms - 1)
        assert sessions.touch(secret) is None
        assert not redis_client.exists(key)

    def test_of_an_operator_who_is_gone(self, sessions, redis_client):
        secret = opened(sessions)
        redis_client.delete(keys.operator("ann"))

        assert sessions.touch(secret) is None


class TestEnd:
    def test_one(self, sessions):
        first, second = opened(sessions), opened(sessions)

        assert sessions.end("ann", sessions.touch(first).session.id)

        assert sessions.touch(first) is None
        assert [one.id for one in sessions.all("ann")] == [sessions.touch(second).session.id]
        assert not sessions.end("ann", "nothing")
        assert not sessions.end("ann", "")

    def test_all_but_one(self, sessions):
        current, *others = [opened(sessions) for _ in range(3)]
        hers = opened(sessions, "bea")

        assert sessions.end_all("ann", but=current) == 2

        assert sessions.touch(current) is not None
        assert sessions.touch(hers) is not None
        assert [sessions.touch(one) for one in others] == [None, None]

    def test_those_that_ended_by_themselves_are_not_counted(self, sessions, redis_client):
        opened(sessions)
        redis_client.delete(*redis_client.scan_iter(keys.session("*")))

        assert sessions.all("ann") == []
        assert sessions.end_all("ann") == 0
        assert not redis_client.exists(keys.sessions("ann"))
