"""Sessions of the holders of keys: opened with the current secret, and ended with it."""

from __future__ import annotations

from typing import Any

import pytest

from app.stores import keys
from app.stores.api_keys import ApiKeyRepository
from app.stores.key_sessions import LIFE_SECONDS, MAX_SESSIONS, KeySessionRepository
from app.stores.records.api_keys import ApiKey
from app.stores.scripts import Scripts
from tests.support.store_contents import everything_in

POOL = "default"


@pytest.fixture
def api_keys(redis_client: Any) -> ApiKeyRepository:
    return ApiKeyRepository(Scripts(redis_client))


@pytest.fixture
def sessions(redis_client: Any) -> KeySessionRepository:
    return KeySessionRepository(Scripts(redis_client))


def read(api_keys: ApiKeyRepository, name: str = "ann") -> ApiKey:
    return api_keys.authorize(POOL, api_keys.find(POOL, name).id)


class TestOpen:
    def test_with_the_secret(self, api_keys, sessions, redis_client):
        key, secret = api_keys.create(POOL, "ann")

        session = sessions.open(key, secret)

        assert sessions.is_open(read(api_keys), session)
        assert session not in everything_in(redis_client)

    @pytest.mark.parametrize("other", ["", "bob", "unknown"])
    def test_with_another_secret(self, api_keys, sessions, other):
        key, secret = api_keys.create(POOL, "ann")
        presented = {"bob": api_keys.create(POOL, "bob")[1], "unknown": secret[:-1] + "_"}.get(other, "")

        assert sessions.open(key, presented) is None

    def test_with_the_former_secret(self, api_keys, sessions):
        """The former secret still authenticates requests, but whoever stole it must not open sessions."""
        key, former = api_keys.create(POOL, "ann")
        _, secret = api_keys.rotate(POOL, "ann", 3600)

        assert sessions.open(key, former) is None
        assert sessions.open(key, secret) is not None

    def test_the_oldest_ends(self, api_keys, sessions):
        key, secret = api_keys.create(POOL, "ann")
        opened = [sessions.open(key, secret) for _ in range(MAX_SESSIONS + 1)]

        found = read(api_keys)
        assert sum(sessions.is_open(found, one) for one in opened) == MAX_SESSIONS

    def test_it_expires(self, api_keys, sessions, redis_client):
        key, secret = api_keys.create(POOL, "ann")
        session = sessions.open(key, secret)
        name = keys.key_sessions(POOL, key.id)
        assert LIFE_SECONDS - 60 < redis_client.ttl(name) <= LIFE_SECONDS

        (digest,) = redis_client.zrange(name, 0, -1)
        redis_client.zadd(name, {digest: read(api_keys).now * 1000 - 1})

        assert not sessions.is_open(read(api_keys), session)


class TestEnd:
    @pytest.fixture
    def session(self, api_keys, sessions):
        key, secret = api_keys.create(POOL, "ann")
        return sessions.open(key, secret)

    def test_by_its_holder(self, api_keys, sessions, session):
        key = read(api_keys)

        sessions.end(POOL, key.id, session)

        assert not sessions.is_open(key, session)

    @pytest.mark.parametrize("overlap", [0, 3600])
    def test_by_a_rotation(self, api_keys, sessions, session, overlap):
        api_keys.rotate(POOL, "ann", overlap)

        assert not sessions.is_open(read(api_keys), session)

    def test_by_disabling_the_key(self, api_keys, sessions, session):
        """Sessions end permanently: they are not restored when the key is enabled."""
        api_keys.disable(POOL, "ann")
        api_keys.enable(POOL, "ann")

        assert not sessions.is_open(read(api_keys), session)

    def test_not_by_another_change(self, api_keys, sessions, session):
        api_keys.change(POOL, "ann", owner="Ann")

        assert sessions.is_open(read(api_keys), session)

    def test_by_removing_the_key(self, api_keys, sessions, session, redis_client):
        key_id = read(api_keys).id
        api_keys.remove(POOL, "ann")

        assert not redis_client.exists(keys.key_sessions(POOL, key_id))

    def test_that_of_another_key(self, api_keys, sessions, session):
        api_keys.create(POOL, "bob")

        assert not sessions.is_open(read(api_keys, "bob"), session)
