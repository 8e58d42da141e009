"""Sessions: opened for an operator, kept alive by use, ended by time or by somebody."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import NotFound
from app.operators.sessions import IDLE_SECONDS, LIFE_SECONDS, MOST, SessionRepository
from app.stores import keys
from app.stores.scripts import Scripts


@pytest.fixture
def book(redis_client: Any) -> SessionRepository:
    for name in ("ann", "bea"):
        redis_client.hset(keys.operator(name), "name", name)
    return SessionRepository(Scripts(redis_client))


def opened(book: SessionRepository, name: str = "ann", address: str = "192.0.2.1") -> str:
    return book.open(name, address=address, agent="browser " * 100)


class TestOpen:
    def test_what_is_told_of_it(self, book):
        session = book.see(opened(book))

        assert (session.operator, session.address) == ("ann", "192.0.2.1")
        assert len(session.agent) == 200
        assert session.ends_at - session.opened_at == LIFE_SECONDS

    def test_for_nobody(self, book):
        with pytest.raises(NotFound):
            opened(book, "eve")

    def test_of_too_many_the_oldest_end(self, book):
        first, *others = [opened(book, address=str(number)) for number in range(MOST + 1)]

        assert book.see(first) is None or len(book.all("ann")) == MOST
        assert len(book.all("ann")) == MOST
        assert sum(book.see(one) is not None for one in others) >= MOST - 1

    def test_its_secret_is_not_stored(self, book, redis_client):
        secret = opened(book)

        stored = " ".join(map(str, redis_client.scan_iter("*")))
        assert secret not in stored
        assert secret not in str(redis_client.hgetall(next(redis_client.scan_iter(keys.session("*")))))


class TestSee:
    @pytest.mark.parametrize("secret", ["", "x", "x" * 43, "*", "ä"])
    def test_what_is_none(self, book, secret):
        opened(book)

        assert book.see(secret) is None

    def test_use_puts_its_end_off(self, book, redis_client):
        secret = opened(book)
        (key,) = redis_client.scan_iter(keys.session("*"))
        redis_client.pexpire(key, 1000_000)

        assert book.see(secret) is not None

        assert IDLE_SECONDS * 1000 - 60_000 < redis_client.pttl(key) <= IDLE_SECONDS * 1000

    def test_but_not_past_its_life(self, book, redis_client):
        secret = opened(book)
        (key,) = redis_client.scan_iter(keys.session("*"))
        now_ms = redis_client.time()[0] * 1000
        redis_client.hset(key, "ends_ms", now_ms + 600_000)

        assert book.see(secret) is not None
        assert redis_client.pttl(key) <= 600_000

        redis_client.hset(key, "ends_ms", now_ms - 1)
        assert book.see(secret) is None
        assert not redis_client.exists(key)

    def test_of_an_operator_who_is_gone(self, book, redis_client):
        secret = opened(book)
        redis_client.delete(keys.operator("ann"))

        assert book.see(secret) is None


class TestEnd:
    def test_one(self, book):
        first, second = opened(book), opened(book)

        assert book.end("ann", book.see(first).id)

        assert book.see(first) is None
        assert [one.id for one in book.all("ann")] == [book.see(second).id]
        assert not book.end("ann", "nothing")

    def test_all_but_one(self, book):
        mine, *others = [opened(book) for _ in range(3)]
        hers = opened(book, "bea")

        assert book.end_all("ann", but=mine) == 2

        assert book.see(mine) is not None
        assert book.see(hers) is not None
        assert [book.see(one) for one in others] == [None, None]

    def test_those_that_ended_by_themselves_are_not_counted(self, book, redis_client):
        opened(book)
        redis_client.delete(*redis_client.scan_iter(keys.session("*")))

        assert book.all("ann") == []
        assert book.end_all("ann") == 0
        assert not redis_client.exists(keys.sessions("ann"))
