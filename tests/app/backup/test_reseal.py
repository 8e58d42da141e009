"""Everything that is sealed gets the newest key, whatever happens to it meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.backup.reseal import Reseal
from app.operators.operators import Operators
from app.stores import keys
from app.stores.cached_responses import CachedResponseRepository
from app.stores.operators import OperatorRepository
from app.stores.records.sign_in_flows import SignInMethod
from app.stores.scripts import Scripts
from app.stores.secrets import Vault
from app.stores.sign_in_flows import SignInFlowRepository, new_flow

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
PASSWORD = "correct horse battery"


@pytest.fixture
def scripts(redis_client: Any) -> Scripts:
    return Scripts(redis_client)


@pytest.fixture
def account(scripts: Scripts) -> Account:
    """One of each that is sealed, in two pools, by the old key."""
    vault = Vault((OLD,))
    accounts = AccountRepository(scripts, vault)
    added = accounts.add("default", Account("", "main", "openai", "http://x", credential="sk-main"))
    accounts.add("team", Account("", "other", "openai", "http://x", credential="sk-other"))
    scripts.client.hset(keys.account("team", "acct_s"), mapping={"sign_in": vault.seal("{}"), "id": "acct_s"})
    SignInFlowRepository(scripts, vault).put("default", new_flow(SignInMethod.DEVICE, "ann", "http://page"))
    CachedResponseRepository(scripts, vault).put("default", "k", "digest", "an answer", 600.0)
    operators = Operators(OperatorRepository(scripts, vault))
    operators.create("ann", PASSWORD)
    operators.begin_second_factor("ann")
    return added


def reseal(scripts: Scripts, *names: str) -> Reseal:
    return Reseal(scripts, Vault(names), ["default", "team"])


def sealed(client: Any) -> list[str]:
    """Return every sealed value there is in the whole store."""
    found = []
    for key in client.scan_iter("*"):
        kind = client.type(key)
        values = client.hvals(key) if kind == "hash" else [client.get(key)] if kind == "string" else []
        found += [value for value in values if value.startswith("gAAAA")]
    return found


def test_everything(scripts, account, redis_client):
    expiring = [key for key in redis_client.scan_iter("*") if redis_client.pttl(key) > 0]
    assert reseal(scripts, NEW, OLD).count().older == len(sealed(redis_client)) == 6

    assert reseal(scripts, NEW, OLD).run() == 6

    new = Vault((NEW,))
    assert all(new.position(one) == 0 for one in sealed(redis_client))
    assert AccountRepository(scripts, new).read("default", account.id).credential == "sk-main"
    assert all(redis_client.pttl(key) > 0 for key in expiring)
    assert expiring
    assert reseal(scripts, NEW, OLD).run() == 0


def test_a_token_that_is_refreshed_meanwhile_stays(scripts, account, redis_client, monkeypatch):
    """The value that was read is not written back over the new one; the new one is resealed as well."""
    key, once = keys.account("team", "acct_s"), iter([True])
    run_raw = scripts.run_raw

    def refreshed_first(operation: str, pool: str, arguments: dict[str, Any]) -> str:
        if arguments["field"] == "sign_in" and next(once, False):
            redis_client.hset(key, "sign_in", Vault((OLD,)).seal("refreshed"))
        return run_raw(operation, pool, arguments)

    monkeypatch.setattr(scripts, "run_raw", refreshed_first)
    reseal(scripts, NEW, OLD).run()

    assert Vault((NEW,)).open(redis_client.hget(key, "sign_in")) == "refreshed"


def test_interrupted_and_run_again(scripts, account):
    done = iter(range(3))

    def stop(_: int) -> None:
        if next(done, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reseal(scripts, NEW, OLD).run(stop)
    assert 0 < reseal(scripts, NEW, OLD).count().older < 6

    reseal(scripts, NEW, OLD).run()
    assert reseal(scripts, NEW, OLD).count().older == 0


def test_what_no_key_opens_is_named_and_stays(scripts, account, redis_client):
    before = sorted(sealed(redis_client))

    assert reseal(scripts, NEW).run() == 0

    assert sorted(sealed(redis_client)) == before
    assert f"default/a:{account.id}" in reseal(scripts, NEW).count().unreadable
