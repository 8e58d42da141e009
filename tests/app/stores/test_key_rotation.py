"""New secrets for existing keys, and the removal of keys."""

from __future__ import annotations

import pytest

from app.errors import InvalidApiKey, NotFound
from app.stores import keys
from app.stores.api_keys import ApiKeyRepository
from app.stores.records.limits import limits_from_json
from app.stores.scripts import Scripts
from tests.support.store import limit

POOL = "default"

LIMITS = limits_from_json([limit("lim_1", "requests", "day", 9)])


@pytest.fixture
def repository(redis_client):
    return ApiKeyRepository(Scripts(redis_client))


class TestRotation:
    def test_both_secrets_are_the_same_key_for_a_while(self, repository, redis_client):
        """So that callers can be moved over without a gap; limits and ledger entries belong to the key."""
        made, old = repository.create(POOL, "ann", limits=LIMITS)
        rotated, new = repository.rotate(POOL, "ann", overlap_seconds=3600)

        assert {repository.authenticate(secret).id for secret in (old, new)} == {made.id}
        assert rotated.limits == made.limits
        digests = redis_client.hmget(keys.api_key(POOL, made.id), "former", "digest")
        assert [redis_client.ttl(keys.secret(POOL, digest)) > 0 for digest in digests] == [True, False]
        assert rotated.former_until > 0

    def test_without_an_overlap_the_old_one_ends_at_once(self, repository):
        _, old = repository.create(POOL, "ann")
        rotated, new = repository.rotate(POOL, "ann")

        assert repository.authenticate(new).former_until is None is rotated.former_until
        with pytest.raises(InvalidApiKey, match="not known"):
            repository.authenticate(old)

    def test_the_overlap_ends(self, repository, redis_client):
        made, old = repository.create(POOL, "ann")
        repository.rotate(POOL, "ann", overlap_seconds=3600)
        redis_client.delete(keys.secret(POOL, redis_client.hget(keys.api_key(POOL, made.id), "former")))

        with pytest.raises(InvalidApiKey):
            repository.authenticate(old)

    def test_two_secrets_at_most(self, repository):
        secrets = [repository.create(POOL, "ann")[1]]
        secrets += [repository.rotate(POOL, "ann", overlap_seconds=3600)[1] for _ in range(2)]

        with pytest.raises(InvalidApiKey):
            repository.authenticate(secrets[0])
        assert [repository.authenticate(secret).name for secret in secrets[1:]] == ["ann", "ann"]

    def test_a_key_whose_former_secret_was_never_noted(self, repository, redis_client):
        """The record of an old key has no digest, so its former secret ends, whatever the overlap."""
        made, old = repository.create(POOL, "ann")
        redis_client.hdel(keys.api_key(POOL, made.id), "digest")
        assert repository.authenticate(old).id == made.id

        _, new = repository.rotate(POOL, "ann", overlap_seconds=3600)

        assert repository.authenticate(new).id == made.id
        with pytest.raises(InvalidApiKey):
            repository.authenticate(old)

    def test_a_reply_that_was_lost(self, repository, redis_client):
        """A repeated call returns the same and ends nothing."""
        made, old = repository.create(POOL, "ann")
        scripts = Scripts(redis_client)
        first = scripts.run("rotate_key", POOL, made.id, "d" * 64, 3_600_000)

        assert scripts.run("rotate_key", POOL, made.id, "d" * 64, 3_600_000) == first
        assert repository.authenticate(old).id == made.id

    def test_a_disabled_key_stays_disabled(self, repository):
        repository.create(POOL, "ann")
        repository.disable(POOL, "ann")
        _, new = repository.rotate(POOL, "ann", overlap_seconds=60)

        with pytest.raises(InvalidApiKey, match="disabled"):
            repository.authenticate(new)
        repository.enable(POOL, "ann")
        assert repository.authenticate(new).name == "ann"


class TestChange:
    def test_only_what_was_reported(self, repository):
        made, secret = repository.create(POOL, "ann", models=("a",), output_tokens=7, on_cut="restart")
        repository.change(POOL, "ann", models=("b", "c"), expires_at=4_000_000_000.5, raw=True)

        known = repository.authenticate(secret)
        assert (known.id, known.models, known.expires_at, known.raw) == (
            made.id,
            ("b", "c"),
            4_000_000_000.5,
            True,
        )
        assert (known.output_tokens, known.on_cut, known.created_at) == (7, "restart", made.created_at)
        assert repository.change(POOL, "ann", expires_at=None).expires_at is None

    @pytest.mark.parametrize("change", ["rotate", "change", "remove", "disable", "enable"])
    def test_no_such_key(self, repository, change):
        with pytest.raises(NotFound, match="no key named 'ann'"):
            getattr(repository, change)(POOL, "ann")


class TestRemoval:
    def test_no_secret_of_it_is_accepted(self, repository, redis_client):
        made, old = repository.create(POOL, "ann", limits=LIMITS)
        _, new = repository.rotate(POOL, "ann", overlap_seconds=3600)
        redis_client.hset(keys.limit(POOL, "lim_1"), "s", 1)
        redis_client.hset(keys.used(POOL, made.id), "requests", 1)

        repository.remove(POOL, "ann")

        for secret in (old, new):
            with pytest.raises(InvalidApiKey):
                repository.authenticate(secret)
        assert set(redis_client.keys("*")) == {keys.used(POOL, made.id), keys.former_names(POOL)}
        assert repository.create(POOL, "ann")[0].id != made.id
