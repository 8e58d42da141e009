"""Accounts in Redis: what is stored, what is hidden, and what an administrator can change."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.accounts.account import Account
from app.accounts.accounts import MAX_REFUSED, MAX_UNKNOWN_NAMES, UNREADABLE_SECONDS, AccountRepository
from app.errors import CredentialUnreadable, InvalidRequest, NotFound
from app.stores import keys
from app.stores.api_keys import ApiKeyRepository
from app.stores.records.accounts import AccountState
from app.stores.scripts import Scripts
from app.stores.secrets import Vault
from tests.support.store_contents import everything_in

POOL = "default"
SECRET = "sk-upstream-key-0123456789"
VAULT_KEY = Fernet.generate_key().decode()


@pytest.fixture
def scripts(redis_client: Any) -> Scripts:
    return Scripts(redis_client)


@pytest.fixture
def accounts(scripts: Scripts) -> AccountRepository:
    return AccountRepository(scripts, Vault((VAULT_KEY,)))


def other_process(scripts: Scripts) -> AccountRepository:
    """Accounts in their own cached list."""
    return AccountRepository(scripts, Vault((VAULT_KEY,)))


def account(name: str = "main", **more: Any) -> Account:
    required = {"kind": "openai", "base_url": "https://up.test/v1", "credential": SECRET}
    return Account(**{"id": "", "name": name, **required, **more})


class TestAdd:
    def test_comes_back_as_it_went_in(self, accounts):
        """All given fields are stored; id, version and creation time are new."""
        unsaved = account(
            "team.a-1",
            kind="chatgpt",
            protocols=("responses",),
            models=("gpt-5", "o4-mini"),
            weight=3,
            cap=7,
            group=2,
            chatgpt_account_id="user-1",
        )

        added = accounts.add(POOL, unsaved)

        assert added.id.startswith("acct_")
        assert added.version == 1
        assert added.created_at > 0
        same = replace(added, id="", version=0, created_at=0, since_ms=0)
        assert same == unsaved

    def test_its_credential_is_sealed(self, accounts, redis_client):
        """Nothing in the store holds the credential in clear, yet it can be read back."""
        added = accounts.add(POOL, account())

        assert SECRET not in everything_in(redis_client)
        assert accounts.read(POOL, added.id).credential == SECRET

    def test_neither_repr_nor_public_has_the_credential(self, accounts):
        added = accounts.add(POOL, account())

        assert SECRET not in repr(added)
        assert SECRET not in str(added.public())

    def test_no_credential_stays_none(self, accounts):
        assert accounts.add(POOL, account(kind="compatible", credential="")).credential == ""

    def test_a_taken_name(self, accounts):
        """The second account of a name is refused and leaves the first as it was."""
        first = accounts.add(POOL, account())

        with pytest.raises(InvalidRequest, match="'main' exists in pool 'default'") as refusal:
            accounts.add(POOL, account(base_url="https://other.test"))

        assert refusal.value.param == "name"
        assert accounts.all(POOL) == [replace(first, credential="")]

    def test_pools_do_not_share_names(self, accounts):
        accounts.add(POOL, account())
        accounts.add("team-b", account(base_url="https://b.test"))

        assert accounts.find(POOL, "main").base_url == "https://up.test/v1"
        assert accounts.find("team-b", "main").base_url == "https://b.test"

    def test_it_can_be_picked(self, accounts, redis_client):
        """An account is offered for its models as soon as it is there."""
        added = accounts.add(POOL, account(models=("gpt-5",)))

        assert redis_client.smembers(f"{keys.root(POOL)}offering:gpt-5") == {added.offer}
        assert redis_client.zrange(f"{keys.root(POOL)}ready:{added.offer}", 0, -1) == [added.id]


class TestVersions:
    def test_a_known_version_is_not_read_again(self, accounts, redis_client):
        """Per version and process an account is read once: here the store is emptied in between."""
        added = accounts.add(POOL, account())
        redis_client.flushall()

        assert accounts.get(POOL, added.id, added.version) is added

    def test_a_new_version_is_read(self, accounts, scripts):
        """A process that learns the new version reads the change of another process."""
        added = accounts.add(POOL, account())
        changed = other_process(scripts).change(POOL, replace(added, credential="sk-next"))

        assert changed.version == 2
        assert accounts.get(POOL, added.id, 2).credential == "sk-next"

    def test_another_key_cannot_read(self, accounts, scripts):
        """A credential that was encrypted with an unknown key is an error that names the remedy."""
        added = accounts.add(POOL, account())
        stranger = AccountRepository(scripts, Vault((Fernet.generate_key().decode(),)))

        with pytest.raises(CredentialUnreadable, match="POOLGATE_SECRET_KEYS"):
            stranger.read(POOL, added.id)

    def test_an_unreadable_account_is_left_out_for_a_while(self, accounts, scripts, monkeypatch):
        """Of this process alone: another one may have the key."""
        added = accounts.add(POOL, account())
        stranger = AccountRepository(scripts, Vault((Fernet.generate_key().decode(),)))
        assert stranger.unreadable(POOL) == []

        with pytest.raises(CredentialUnreadable):
            stranger.get(POOL, added.id, added.version)

        assert stranger.unreadable(POOL) == [added.id]
        assert stranger.unreadable("other") == accounts.unreadable(POOL) == []
        later = time.monotonic() + UNREADABLE_SECONDS
        monkeypatch.setattr(time, "monotonic", lambda: later)
        assert stranger.unreadable(POOL) == []

    def test_a_rotated_key_reads(self, accounts, scripts):
        added = accounts.add(POOL, account())
        rotated = AccountRepository(scripts, Vault((Fernet.generate_key().decode(), VAULT_KEY)))

        assert rotated.read(POOL, added.id).credential == SECRET


class TestChange:
    def test_its_state_is_stored(self, accounts, redis_client):
        """A change of what it is leaves its state and its open requests alone."""
        added = accounts.add(POOL, account())
        accounts.pause(POOL, "main", "on holiday")
        redis_client.hset(keys.account(POOL, added.id), "in_flight", 3)

        changed = accounts.change(POOL, replace(added, cap=5, models=("gpt-5",)))

        assert (changed.cap, changed.models) == (5, ("gpt-5",))
        assert (changed.state, changed.reason, changed.in_flight) == ("paused", "on holiday", 3)
        assert changed.created_at == added.created_at

    def test_its_offer_follows_its_models(self, accounts, redis_client):
        added = accounts.add(POOL, account(models=("gpt-5",)))

        changed = accounts.change(POOL, replace(added, models=("o4-mini",)))

        assert not redis_client.exists(f"{keys.root(POOL)}offering:gpt-5")
        assert redis_client.smembers(f"{keys.root(POOL)}offering:o4-mini") == {changed.offer}

    def test_a_new_name_frees_the_old_one(self, accounts):
        added = accounts.add(POOL, account("old"))

        accounts.change(POOL, replace(added, name="new"))

        assert accounts.find(POOL, "new").id == added.id
        with pytest.raises(NotFound):
            accounts.find(POOL, "old")
        accounts.add(POOL, account("old"))

    def test_a_taken_name(self, accounts):
        accounts.add(POOL, account("a"))
        b = accounts.add(POOL, account("b"))

        with pytest.raises(InvalidRequest, match="'a' exists"):
            accounts.change(POOL, replace(b, name="a"))

        assert accounts.find(POOL, "b").id == b.id


class TestPauseAndResume:
    def test_pause(self, accounts, redis_client):
        """A paused account is not available, and reports the time and the reason."""
        added = accounts.add(POOL, account())

        accounts.pause(POOL, "main")

        paused = accounts.find(POOL, "main")
        assert (paused.state, paused.reason) == ("paused", "paused by an operator")
        assert paused.since_ms > 0
        assert not redis_client.exists(f"{keys.root(POOL)}ready:{added.offer}")

    def test_resume(self, accounts, redis_client):
        added = accounts.add(POOL, account())
        accounts.pause(POOL, "main")

        accounts.resume(POOL, "main")

        resumed = accounts.find(POOL, "main")
        assert (resumed.state, resumed.reason) == ("active", "")
        assert redis_client.zrange(f"{keys.root(POOL)}ready:{added.offer}", 0, -1) == [added.id]

    def test_twice_is_once(self, accounts):
        accounts.add(POOL, account())

        accounts.pause(POOL, "main")
        accounts.pause(POOL, "main")
        accounts.resume(POOL, "main")
        accounts.resume(POOL, "main")

        assert accounts.find(POOL, "main").state == "active"

    def test_an_unknown_name(self, accounts):
        for act in (accounts.pause, accounts.resume, accounts.remove):
            with pytest.raises(NotFound, match="no account named 'nobody' in pool 'default'"):
                act(POOL, "nobody")


class TestRemove:
    def test_only_its_name_stays(self, accounts, redis_client):
        """Not in any index either; its name is for the ledger, which has its id."""
        accounts.add(POOL, account(models=("gpt-5",)))
        accounts.pause(POOL, "main")

        accounts.remove(POOL, "main")

        assert accounts.all(POOL) == []
        assert redis_client.keys() == [keys.former_names(POOL)]

    def test_its_name_is_free_again(self, accounts):
        first = accounts.add(POOL, account())
        accounts.remove(POOL, "main")

        assert accounts.add(POOL, account()).id != first.id

    def test_bound_keys_are_named(self, accounts, scripts):
        """As long as usable keys are bound to it, it stays."""
        bound, other = accounts.add(POOL, account("a")), accounts.add(POOL, account("b"))
        api_keys = ApiKeyRepository(scripts)
        api_keys.create(POOL, "zoe", accounts=(other.id, bound.id))
        api_keys.create(POOL, "ann", accounts=(bound.id,))
        api_keys.create(POOL, "free")
        api_keys.create(POOL, "elsewhere", accounts=(other.id,))

        with pytest.raises(InvalidRequest, match="restricted to it: 'ann', 'zoe'"):
            accounts.remove(POOL, "a")

        assert accounts.find(POOL, "a") == bound

    def test_keys_that_are_over_do_not_hold_it(self, accounts, scripts):
        bound = accounts.add(POOL, account())
        api_keys = ApiKeyRepository(scripts)
        api_keys.create(POOL, "disabled", accounts=(bound.id,))
        api_keys.disable(POOL, "disabled")
        api_keys.create(POOL, "expired", accounts=(bound.id,), expires_at=1.0)

        accounts.remove(POOL, "main")

        assert accounts.all(POOL) == []

    def test_although_bound(self, accounts, scripts):
        """The key retains its list, so that it cannot suddenly use every account."""
        bound = accounts.add(POOL, account())
        api_keys = ApiKeyRepository(scripts)
        api_keys.create(POOL, "ann", accounts=(bound.id,))

        accounts.remove(POOL, "main", although_bound=True)

        assert accounts.all(POOL) == []
        assert api_keys.find(POOL, "ann").accounts == (bound.id,)


class TestReading:
    def test_all_is_by_name_and_sealed(self, accounts):
        for name in ("b", "a", "c"):
            accounts.add(POOL, account(name))

        found = accounts.all(POOL)

        assert [one.name for one in found] == ["a", "b", "c"]
        assert {one.credential for one in found} == {""}

    def test_ids_of_names(self, accounts):
        a, b = accounts.add(POOL, account("a")), accounts.add(POOL, account("b"))

        assert accounts.ids(POOL, ["b", "a", "b"]) == (b.id, a.id)
        assert accounts.ids(POOL, []) == ()

    def test_ids_of_unknown_names(self, accounts):
        accounts.add(POOL, account("a"))

        with pytest.raises(NotFound, match="no account named 'x', 'y' in pool 'default'"):
            accounts.ids(POOL, ["x", "a", "y"])

    def test_listed_models(self, accounts):
        added = accounts.add(POOL, account())

        accounts.list_models(POOL, added.id, ["gpt-5", "o4-mini"])

        assert accounts.read(POOL, added.id).listed == ("gpt-5", "o4-mini")

    def test_windows(self, accounts):
        """How far the usage windows are used, when they end and how long they are."""
        added = accounts.add(POOL, account())
        accounts.observe(POOL, added.id, {}, outcome={"windows": [[40.5, 9_000_000_000_000, 18_000], None]})

        read = accounts.find(POOL, "main")
        assert read.used == (40.5, None)
        assert (read.resets_ms, read.window_seconds) == ((9_000_000_000_000, 0), (18_000, 0))


class TestUnknownUsage:
    def test_is_stored_for_every_process(self, accounts, scripts):
        added = accounts.add(POOL, account())

        accounts.learn_unknown_usage(POOL, added, ["units"])

        stored = accounts.find(POOL, "main")
        assert (stored.unknown_usage, stored.public()["unknown_usage"]) == (("units",), ("units",))
        assert stored.unknown_usage_at > 0
        assert other_process(scripts).get(POOL, added.id, stored.version).unknown_usage == ("units",)

    def test_is_stored_again_only_with_other_names(self, accounts):
        accounts.add(POOL, account())
        accounts.learn_unknown_usage(POOL, accounts.find(POOL, "main"), ["units"])
        first = accounts.find(POOL, "main")

        accounts.learn_unknown_usage(POOL, first, ["units"])
        assert accounts.find(POOL, "main").version == first.version

        accounts.learn_unknown_usage(POOL, first, [f"n{number}" for number in range(50)])
        second = accounts.find(POOL, "main")
        assert len(second.unknown_usage) == MAX_UNKNOWN_NAMES
        assert second.unknown_usage[:2] == ("units", "n0")

    def test_is_forgotten_with_what_was_refused(self, accounts):
        added = accounts.add(POOL, account())
        accounts.learn_unknown_usage(POOL, added, ["units"])

        accounts.forget_refused(POOL, "main")

        forgotten = accounts.find(POOL, "main")
        assert (forgotten.unknown_usage, forgotten.unknown_usage_at) == ((), 0)


class TestRefusedFields:
    def test_are_stored_by_protocol_and_model_for_every_process(self, accounts, scripts):
        added = accounts.add(POOL, account())

        learned = accounts.learn_refused(POOL, added, "chat", "llama:8b", ["store", "max_completion_tokens"])

        assert learned.version > added.version
        known = other_process(scripts).get(POOL, added.id, learned.version)
        assert set(known.refused_by("chat", "llama:8b")) == {"store", "max_completion_tokens"}
        assert known.refused_by("responses", "llama:8b") == known.refused_by("chat", "m") == ()

    def test_are_forgotten(self, accounts):
        added = accounts.add(POOL, account())
        learned = accounts.learn_refused(POOL, added, "chat", "m", ["store"])

        accounts.forget_refused(POOL, "main")

        forgotten = accounts.find(POOL, "main")
        assert (forgotten.refused, forgotten.credential) == ((), SECRET)
        assert forgotten.version > learned.version

    def test_are_bounded(self, accounts):
        added = accounts.add(POOL, account())
        many = [f"field_{number}" for number in range(MAX_REFUSED)]

        assert accounts.learn_refused(POOL, added, "chat", "m", [*many, "store"]) is None
        full = accounts.learn_refused(POOL, added, "chat", "m", many)
        assert accounts.learn_refused(POOL, full, "chat", "m", ["store"]) is None

    def test_of_an_account_that_is_gone_are_not_stored(self, accounts, redis_client):
        added = accounts.add(POOL, account())
        accounts.remove(POOL, "main")

        with pytest.raises(InvalidRequest):
            accounts.learn_refused(POOL, added, "chat", "m", ["store"])
        assert not redis_client.exists(keys.account(POOL, added.id))


def test_a_state_of_a_later_version_is_out_of_use(accounts: AccountRepository, redis_client: Any) -> None:
    """Else one such account would make every list of accounts fail during an update."""
    added = accounts.add(POOL, account())
    redis_client.hset(keys.account(POOL, added.id), "state", "known_to_the_next_version")

    assert accounts.find(POOL, added.name).state == AccountState.WINDOW_SPENT
