"""API keys: returned once, stored as a SHA-256, refused with an explanation."""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import orjson
import pytest

from app.accounts.pools import PoolRepository
from app.errors import InvalidApiKey, InvalidRequest, NotFound
from app.limits.limit_syntax import parse_limit
from app.stores import api_keys, keys
from app.stores.api_keys import ApiKeyRepository
from app.stores.records.limits import LimitScope
from app.stores.records.teams import TeamState
from app.stores.scripts import Scripts
from app.stores.secrets import digest_of
from app.stores.teams import TeamRepository
from schemas.bounds import MAX_LIMITS
from tests.support.store_contents import everything_in

POOL = "default"


@pytest.fixture
def scripts(redis_client: Any) -> Scripts:
    return Scripts(redis_client)


@pytest.fixture
def repository(scripts: Scripts) -> ApiKeyRepository:
    return ApiKeyRepository(scripts)


class TestCreate:
    def test_the_secret(self, repository):
        """`sk-pg-<pool>-` and 43 letters and digits: 256 random bits."""
        _, secret = repository.create(POOL, "ann")

        start, _, chance = secret.rpartition("-")
        assert start == "sk-pg-default"
        assert len(chance) == 43
        assert chance.isascii()
        assert chance.isalnum()

    def test_only_its_hash_is_stored(self, repository, redis_client):
        key, secret = repository.create(POOL, "ann")

        stored = everything_in(redis_client)
        assert secret not in stored
        assert secret.rpartition("-")[2] not in stored
        digest = hashlib.sha256(secret.encode()).hexdigest()
        assert redis_client.get(keys.secret(POOL, digest)) == key.id

    def test_its_permissions_stay(self, repository):
        limit = parse_limit("1000 total_tokens/day")

        key, secret = repository.create(
            POOL, "ann", models=("gpt-5",), accounts=("acct_1",), limits=(limit,), expires_at=4e9
        )

        assert (key.name, key.pool, key.state) == ("ann", POOL, "active")
        assert (key.models, key.accounts, key.limits, key.expires_at) == (
            ("gpt-5",),
            ("acct_1",),
            (limit,),
            4e9,
        )
        found = repository.authenticate(secret)
        assert found.public() == key.public() == repository.find(POOL, "ann").public()

    def test_more_limits_than_an_admission_may_check(self, repository):
        limits = tuple(parse_limit("5 requests/day") for _ in range(MAX_LIMITS + 1))

        with pytest.raises(InvalidRequest, match="at most 64 limits"):
            repository.create(POOL, "many", limits=limits)
        assert repository.create(POOL, "many", limits=limits[1:])[0].limits == limits[1:]

    def test_a_taken_name(self, repository):
        """A taken name is refused, and the key that has it still works."""
        key, secret = repository.create(POOL, "ann")

        with pytest.raises(InvalidRequest, match="'ann' exists in pool 'default'") as refusal:
            repository.create(POOL, "ann")

        assert refusal.value.param == "name"
        assert repository.authenticate(secret).id == key.id
        assert len(repository.all(POOL)) == 1

    def test_a_race_for_a_name(self, repository):
        """Of ten simultaneous calls one succeeds; the others leave no trace."""
        created: list[str] = []
        start = threading.Barrier(10)

        def create() -> None:
            start.wait()
            with suppress(InvalidRequest):
                created.append(repository.create(POOL, "ann")[1])

        threads = [threading.Thread(target=create) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        [secret] = created
        assert repository.authenticate(secret).name == "ann"

    def test_a_losing_key_leaves_nothing(self, repository, redis_client):
        repository.create(POOL, "ann")
        before = everything_in(redis_client)

        with pytest.raises(InvalidRequest):
            repository.create(POOL, "ann")

        assert everything_in(redis_client) == before


class TestAuthenticate:
    @pytest.mark.parametrize(
        "presented",
        [
            "",
            "sk-pg-",
            "sk-pg-default",
            "sk-pg-default-",
            "sk-pg--" + "a" * 43,
            "sk-pg-default-" + "a" * 42,
            "sk-pg-default-" + "a" * 44,
            "sk-pg-default-" + "a" * 42 + "-",
            "sk-pg-default-" + "a" * 43 + "\n",
            " sk-pg-default-" + "a" * 43,
            "SK-PG-default-" + "a" * 43,
            "sk-pg-Default-" + "a" * 43,
            "sk-pg-" + "p" * 33 + "-" + "a" * 43,
            "sk-pg-a}b-" + "a" * 43,
            "sk-pg-default-" + "é" * 43,
            "sk-pg-default-" + "٣" * 43,  # a digit, but not one of ours
            "sk-proj-" + "a" * 300,
            "x" * 100_000,
        ],
    )
    def test_malformed(self, repository, presented):
        """It never reaches the store, and is not repeated."""
        with pytest.raises(InvalidApiKey) as refusal:
            repository.authenticate(presented)

        assert refusal.value.message == (
            "This API key is incomplete or mistyped: copy all of it"
            if presented.startswith("sk-pg-")
            else "This is not an API key of this gateway: they begin with sk-pg-"
        )

    @pytest.mark.parametrize("secret", ["sk-" + "a" * 22, "sk-proj-" + "a" * 43, "sk-bf-a.b/c=d" + "~" * 20])
    def test_of_another_gateway(self, repository, secret):
        """Its SHA-256 is stored; it is looked up in the default pool. Others have the usual message."""
        with pytest.raises(InvalidApiKey, match="they begin with sk-pg-"):
            repository.authenticate(secret)

        key, shown = repository.create(POOL, "ann", foreign_digest=digest_of(secret))

        assert shown == ""
        assert repository.authenticate(secret).id == key.id
        with pytest.raises(InvalidApiKey, match="they begin with sk-pg-"):
            repository.authenticate(secret + "a")

    @pytest.mark.parametrize("secret", ["sk-short", "abc-" + "a" * 40, "sk-" + "a" * 30 + " b"])
    def test_keys_of_another_gateway_in_an_unusual_form(self, repository, secret):
        repository.create(POOL, "ann", foreign_digest=digest_of(secret))

        with pytest.raises(InvalidApiKey, match="they begin with sk-pg-"):
            repository.authenticate(secret)

    def test_a_secret_of_another_key(self, repository):
        digest = digest_of("sk-" + "a" * 22)
        repository.create(POOL, "ann", foreign_digest=digest)

        with pytest.raises(InvalidRequest, match="Another key of pool 'default' has this secret"):
            repository.create(POOL, "bob", foreign_digest=digest)
        assert [key.name for key in repository.all(POOL)] == ["ann"]

    def test_a_rotated_key_of_another_gateway(self, repository):
        secret = "sk-" + "a" * 22
        repository.create(POOL, "ann", foreign_digest=digest_of(secret))

        _, new = repository.rotate(POOL, "ann", 60)

        assert repository.authenticate(secret).id == repository.authenticate(new).id
        repository.remove(POOL, "ann")
        with pytest.raises(InvalidApiKey):
            repository.authenticate(secret)

    def test_unknown(self, repository):
        repository.create(POOL, "ann")

        with pytest.raises(InvalidApiKey, match="is not known here"):
            repository.authenticate("sk-pg-default-" + "a" * 43)

    def test_of_another_pool(self, repository):
        """A pool's name is part of what is hashed."""
        _, secret = repository.create(POOL, "ann")

        with pytest.raises(InvalidApiKey, match="is not known here"):
            repository.authenticate(secret.replace("default", "team-b"))

    def test_disabled(self, repository):
        _, secret = repository.create(POOL, "ann")
        repository.disable(POOL, "ann")

        with pytest.raises(InvalidApiKey, match="has been disabled"):
            repository.authenticate(secret)

    def test_expired(self, repository):
        _, secret = repository.create(POOL, "ann", expires_at=1_700_000_000)

        with pytest.raises(InvalidApiKey, match="has expired"):
            repository.authenticate(secret)

    def test_expiry_is_by_the_clock_of_the_store(self, repository, redis_client):
        seconds, _ = redis_client.time()
        _, secret = repository.create(POOL, "ann", expires_at=seconds + 3600)

        assert abs(repository.authenticate(secret).now - seconds) < 60

    @pytest.mark.parametrize("pool", ["team-b", "a-b-c", "a--b", "0_-", "x" * 32])
    def test_a_pool_name_with_dashes(self, repository, pool):
        """The secret has no dash, so the last one ends the pool's name."""
        _, secret = repository.create(pool, "ann")

        assert repository.authenticate(secret).pool == pool

    def test_settings_of_the_pool(self, repository, scripts, redis_client):
        PoolRepository(scripts).change(POOL, zone="Europe/Berlin")
        shared = replace(parse_limit("9 requests/day"), scope=LimitScope.POOL)
        redis_client.hset(keys.pool(POOL), "limits", orjson.dumps([shared.to_json()]))
        own = parse_limit("20 parallel_requests")
        _, secret = repository.create(POOL, "ann", limits=(own,))

        key = repository.authenticate(secret)

        assert key.zone == "Europe/Berlin"
        assert key.limits == (own, shared)


class TestAuthorize:
    """A key is read by its id, for a caller who was authenticated otherwise."""

    def test_as_authenticate_reads_it(self, repository):
        key, secret = repository.create(POOL, "ann", limits=(parse_limit("9 requests/day"),))

        found, presented = repository.authorize(POOL, key.id), repository.authenticate(secret)

        moment = {"now": 0.0, "looked_up_at": 0.0}
        assert replace(found, **moment) == replace(presented, **moment)

    @pytest.mark.parametrize("key_id", ["", "key_0", "*"])
    def test_unknown(self, repository, key_id):
        repository.create(POOL, "ann")

        with pytest.raises(InvalidApiKey, match="is not known here"):
            repository.authorize(POOL, key_id)

    def test_disabled_and_expired(self, repository):
        disabled, expired = (repository.create(POOL, name)[0] for name in ("ann", "bob"))
        repository.disable(POOL, "ann")
        repository.change(POOL, "bob", expires_at=1_700_000_000)

        for key, message in ((disabled, "has been disabled"), (expired, "has expired")):
            with pytest.raises(InvalidApiKey, match=message):
                repository.authorize(POOL, key.id)


def stalled(scripts: Scripts, clock: Monotonic, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """From now on, this process reads each reply *seconds* after the store has answered."""
    run = scripts.run

    def run_late(*args: Any) -> Any:
        reply = run(*args)
        clock.now += seconds
        return reply

    monkeypatch.setattr(scripts, "run", run_late)


class Monotonic:
    """The monotonic clock of this process, which a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class TestKnown:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> Monotonic:
        clock = Monotonic()
        monkeypatch.setattr(api_keys, "time", clock)
        return clock

    def test_one_that_was_not_read(self, repository):
        _, secret = repository.create(POOL, "ann")

        assert repository.known(secret) is None

    def test_as_it_was_read(self, repository, clock):
        """It has a fingerprint, and `now` moves on."""
        _, secret = repository.create(POOL, "ann", models=("m",))
        read = repository.authenticate(secret)

        clock.now += 2
        known = repository.known(secret)

        assert read.fingerprint == ""
        assert len(known.fingerprint) == 40
        assert known.models == ("m",)
        assert known.now == pytest.approx(read.now + 2)

    @pytest.mark.parametrize("late_seconds", [0.4, 0.9])
    def test_a_reply_that_was_read_late(self, repository, scripts, clock, monkeypatch, late_seconds):
        """The time of the store is not taken to be earlier than it is: deadlines would be in the past."""
        _, secret = repository.create(POOL, "ann")
        stalled(scripts, clock, monkeypatch, late_seconds)

        read = repository.authenticate(secret)
        sent_at = clock.now - late_seconds
        clock.now += 2
        known = repository.known(secret)

        assert read.looked_up_at == sent_at
        assert known.now == pytest.approx(read.now + late_seconds + 2)

    def test_not_one_that_was_read_very_late(self, repository, scripts, clock, monkeypatch):
        _, secret = repository.create(POOL, "ann")
        stalled(scripts, clock, monkeypatch, 1.1)

        repository.authenticate(secret)

        assert repository.known(secret) is None

    def test_for_seconds(self, repository, clock):
        """Use of a key does not extend the time for which its record is reused."""
        _, secret = repository.create(POOL, "ann")
        repository.authenticate(secret)
        for _ in range(10):
            clock.now += 1
            assert repository.known(secret) is not None

        clock.now += 1

        assert repository.known(secret) is None

    def test_not_after_it_was_refused(self, repository):
        _, secret = repository.create(POOL, "ann")
        repository.authenticate(secret)
        repository.disable(POOL, "ann")

        with pytest.raises(InvalidApiKey):
            repository.authenticate(secret)

        assert repository.known(secret) is None

    def test_not_while_a_former_secret_is_valid(self, repository):
        _, former = repository.create(POOL, "ann")
        _, secret = repository.rotate(POOL, "ann", overlap_seconds=60)

        for each in (former, secret):
            repository.authenticate(each)
            assert repository.known(each) is None

    def test_a_bounded_number(self, repository, monkeypatch):
        """The oldest is forgotten."""
        monkeypatch.setattr(api_keys, "MAX_CACHED_KEYS", 2)
        secrets = [repository.create(POOL, name)[1] for name in ("ann", "bob", "eve")]
        for secret in secrets:
            repository.authenticate(secret)

        assert [repository.known(secret) is None for secret in secrets] == [True, False, False]

    def test_its_fingerprint_changes_with_all_of_it(self, repository, scripts):
        """With the key, its team and its pool."""
        TeamRepository(scripts).create(POOL, "red")
        _, secret = repository.create(POOL, "ann", team="red")
        changes = (
            lambda: repository.change(POOL, "ann", owner="Ann"),
            lambda: TeamRepository(scripts).set_state(POOL, "red", TeamState.DISABLED),
            lambda: TeamRepository(scripts).set_state(POOL, "red", TeamState.ACTIVE),
            lambda: PoolRepository(scripts).change(POOL, zone="Asia/Tokyo"),
            lambda: scripts.client.hincrby(keys.pool(POOL), "prices", 1),
        )
        found = [fingerprint_of(scripts, secret)]
        for change in changes:
            change()
            found.append(fingerprint_of(scripts, secret))

        assert all(one != next_one for one, next_one in pairwise(found))
        assert fingerprint_of(scripts, secret) == found[-1]


def fingerprint_of(scripts: Scripts, secret: str) -> str:
    fingerprint: str = scripts.run("authenticate", POOL, digest_of(secret))[-1]
    return fingerprint


class TestModels:
    def test_none_named_is_all(self, repository):
        assert repository.create(POOL, "ann")[0].may_use("gpt-5")

    def test_those_named(self, repository):
        key, _ = repository.create(POOL, "ann", models=("gpt-5",))

        assert key.may_use("gpt-5")
        assert not key.may_use("gpt-5-mini")


class TestRepository:
    def test_all_is_by_name(self, repository):
        for name in ("b", "c", "a"):
            repository.create(POOL, name)

        assert [key.name for key in repository.all(POOL)] == ["a", "b", "c"]

    def test_disabling_one_leaves_the_others(self, repository):
        repository.create(POOL, "ann")
        _, secret = repository.create(POOL, "bob")

        repository.disable(POOL, "ann")
        repository.disable(POOL, "ann")

        assert [key.state for key in repository.all(POOL)] == ["disabled", "active"]
        assert repository.authenticate(secret).name == "bob"

    def test_an_unknown_name(self, repository):
        for act in (repository.find, repository.disable):
            with pytest.raises(NotFound, match="no key named 'nobody' in pool 'default'"):
                act(POOL, "nobody")
