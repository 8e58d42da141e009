"""Changes of accounts: each is made and recorded, without secrets."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from cryptography.fernet import Fernet

from app.errors import InvalidRequest, NotFound
from app.stores import keys
from app.stores.records.sign_in_flows import SignInMethod

POOL = "team"
OPENAI = {"kind": "openai", "name": "main", "models": ["gpt-5"]}


def everything_audited(services):
    return orjson.dumps(services.audit.page().entries).decode()


class TestAdd:
    def test_an_account(self, operations, services, audited):
        added = operations.accounts.add(POOL, OPENAI, credential="sk-secret")

        assert services.accounts.find(POOL, "main").credential == "sk-secret"
        made, entry = audited()
        assert made[:2] == ("pool.create", POOL)
        assert entry[:3] == ("account.add", "main", None)
        assert (entry[3]["id"], entry[3]["models"]) == (added.id, ["gpt-5"])
        assert "sk-secret" not in everything_audited(services)

    def test_a_taken_name_is_refused_and_not_audited(self, operations, audited):
        operations.accounts.add(POOL, OPENAI, credential="sk-1")
        with pytest.raises(InvalidRequest, match="exists"):
            operations.accounts.add(POOL, OPENAI, credential="sk-2")

        assert [one[0] for one in audited()] == ["pool.create", "account.add"]


class TestChange:
    @pytest.fixture(autouse=True)
    def account(self, operations):
        return operations.accounts.add(POOL, OPENAI, credential="sk-1")

    def test_fields(self, operations, audited):
        changed = operations.accounts.change(POOL, "main", {"cap": 7, "models": []})

        assert (changed.cap, changed.models) == (7, ())
        assert audited()[-1] == (
            "account.change",
            "main",
            {"cap": 100, "models": ["gpt-5"]},
            {"cap": 7, "models": []},
        )

    def test_a_new_credential(self, operations, services):
        operations.accounts.change(POOL, "main", {}, credential="sk-2")

        assert services.accounts.find(POOL, "main").credential == "sk-2"
        entry = services.audit.page().entries[0]
        assert (entry["credential"], entry["before"], entry["after"]) == ("replaced", {}, {})
        with pytest.raises(InvalidRequest, match="printable"):
            operations.accounts.change(POOL, "main", {}, credential="a\nb")

    def test_pause_and_resume(self, operations, audited):
        assert operations.accounts.pause(POOL, "main").state == "paused"
        assert operations.accounts.resume(POOL, "main").state == "active"

        paused, resumed = audited()[-2:]
        assert (paused[0], paused[3]["state"], resumed[0]) == ("account.pause", "paused", "account.resume")

    def test_a_second_pause_changes_nothing(self, operations, audited):
        operations.accounts.pause(POOL, "main")
        before = len(audited())

        assert operations.accounts.pause(POOL, "main").state == "paused"
        assert len(audited()) == before

    def test_remove(self, operations, services, audited):
        operations.api_keys.create(POOL, {"name": "ann", "accounts": ["main"]})
        with pytest.raises(InvalidRequest, match="restricted to it"):
            operations.accounts.remove(POOL, "main")
        operations.accounts.remove(POOL, "main", although_bound=True)

        assert services.accounts.all(POOL) == []
        assert audited()[-1][:2] == ("account.remove", "main")
        assert audited()[-2][0] == "key.create"

    @pytest.mark.parametrize("change", ["pause", "resume", "remove"])
    def test_none_of_that_name(self, operations, change):
        with pytest.raises(NotFound):
            getattr(operations.accounts, change)(POOL, "nobody")


class TestFiles:
    def test_there_and_back(self, operations, services, issuer, audited):
        _, tokens = issuer.sign_in()
        operations.sign_ins.import_auth_json(POOL, "ann", tokens.auth_json())

        assert (
            orjson.loads(operations.sign_ins.export_auth_json(POOL, "ann"))["tokens"]["refresh_token"]
            == tokens.refresh_token
        )
        assert [one[0] for one in audited()][-2:] == ["account.sign_in", "account.export"]
        audit_text = everything_audited(services)
        assert not any(
            one in audit_text for one in (tokens.access_token, tokens.refresh_token, tokens.id_token)
        )

    def test_another_account(self, operations, issuer):
        for message in (None, "not the ChatGPT account"):
            _, tokens = issuer.sign_in()
            if message is None:
                operations.sign_ins.import_auth_json(POOL, "ann", tokens.auth_json())
            else:
                with pytest.raises(InvalidRequest, match=message):
                    operations.sign_ins.import_auth_json(POOL, "ann", tokens.auth_json())

    @pytest.mark.parametrize("pool", [POOL, "another"])
    def test_the_same_under_another_name(self, operations, services, issuer, pool):
        """In any pool: the second to renew it would end it for both."""
        _, tokens = issuer.sign_in()
        operations.sign_ins.import_auth_json(POOL, "ann", tokens.auth_json())

        with pytest.raises(InvalidRequest, match=f"is account 'ann' of pool '{POOL}' already"):
            operations.sign_ins.import_auth_json(pool, "twin", tokens.auth_json())

        assert [account.name for account in services.accounts.all(pool)] == (["ann"] if pool == POOL else [])

    def test_a_colleague_in_the_same_workspace(self, operations, services, issuer):
        _, tokens = issuer.sign_in()
        operations.sign_ins.import_auth_json(POOL, "ann", tokens.auth_json())

        operations.sign_ins.sign_in(
            POOL, "bob", replace(tokens, email="bob@example.org", refresh_token="r"), way=SignInMethod.DEVICE
        )

        assert [account.name for account in services.accounts.all(POOL)] == ["ann", "bob"]

    def test_a_sign_in_takes_no_credential(self, operations, issuer):
        _, tokens = issuer.sign_in()
        operations.sign_ins.import_auth_json(POOL, "ann", tokens.auth_json())

        with pytest.raises(InvalidRequest, match="sign in again"):
            operations.accounts.change(POOL, "ann", {}, credential="sk-1")


def test_an_outage_between_leaves_a_trace(operations, services, redis_client, monkeypatch):
    """Redis is away during the change: its result is unknown, and the audit log shows that afterwards."""
    from app.errors import StoreUnavailable

    operations.accounts.add(POOL, OPENAI, credential="sk-1")

    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(type(services.accounts), "pause", away)
    with pytest.raises(StoreUnavailable):
        operations.accounts.pause(POOL, "main")

    assert redis_client.hlen(keys.audit_open()) == 1


def test_an_account_whose_credential_cannot_be_read(operations, services):
    """It can be paused, given another credential and removed: what is to be done about it must work."""
    fields = {"kind": "openai", "name": "main", "base_url": "http://x/v1"}
    for name in ("main", "other"):
        added = operations.accounts.add("default", fields | {"name": name}, credential="sk-1")
        sealed = Fernet(Fernet.generate_key()).encrypt(b"sk").decode()
        services.scripts.client.hset(keys.account("default", added.id), "credential", sealed)

    assert operations.accounts.pause("default", "main").state == "paused"
    assert operations.accounts.resume("default", "main").state == "active"
    operations.accounts.change("default", "main", {}, credential="sk-2")
    operations.accounts.remove("default", "other")

    assert services.accounts.find("default", "main").credential == "sk-2"
    assert [account.name for account in services.accounts.all("default")] == ["main"]
