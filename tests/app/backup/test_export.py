"""A backup of a pool that is in use, put in place on another server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.backup.encrypted_file import EncryptedWriter, UnreadableFile
from app.backup.export import Backup
from app.backup.restore import BackupFile, Restore, Restored
from app.ledger.verify import Verification
from app.stores import keys
from app.stores.client import make_client
from app.stores.ledger import LedgerRepository
from app.stores.records.webhooks import Webhook
from app.stores.scripts import Scripts
from app.stores.secrets import Vault
from app.stores.webhooks import WebhookRepository
from tests.support.redis import private_redis
from tests.support.store import POOL, StoreOfTest, limit

PASSPHRASE = "correct horse battery"
VAULT, OTHER_VAULT = (Vault((Fernet.generate_key().decode(),)) for _ in range(2))
BOUND = {"input_tokens": 50, "output_tokens": 7}


def on(client: Any) -> StoreOfTest:
    """A pool on the clock of the server."""
    store = StoreOfTest(client)
    client.delete(keys.root(POOL) + "test-clock")
    store.scripts = Scripts(client)
    store.now = int(time.time() * 1000)
    return store


@pytest.fixture
def store(redis_client: Any) -> StoreOfTest:
    store = on(redis_client)
    limits = [
        limit("ever", "total_tokens", "ever", 10**12),
        limit("day", "total_tokens", "day", 10**12),
        limit("count", "requests", "ever", 10**12),
        limit("slots", "parallel_requests", "none", 10**6),
        limit("minute", "input_tokens", "minute", 10**9),
    ]
    store.scripts.run("ensure_pool", POOL)
    store.team("red", limit("team", "total_tokens", "ever", 10**12, scope="team"))
    store.key("k", *limits, team="red")
    store.pool_limits(limit("pool", "output_tokens", "month", 10**12))
    store.account("a", cap=10**5)
    store.account("b", cap=10**5)
    return store


@pytest.fixture(scope="module")
def other_url() -> Iterator[str]:
    with private_redis() as url:
        yield url


@pytest.fixture
def elsewhere(other_url: str) -> Iterator[StoreOfTest]:
    """An empty server."""
    client = make_client(other_url, 30.0)
    client.flushall()
    yield on(client)
    client.close()


def back_up(store: StoreOfTest, path: Path, *pools: str) -> BackupFile:
    with path.open("wb") as file:
        sealed = EncryptedWriter(file, PASSPHRASE)
        for line in Backup(store.scripts, VAULT, path.name).lines(list(pools or [POOL]), "a test"):
            sealed.write(line)
        sealed.close()
    return BackupFile(path, PASSPHRASE)


def restore(store: StoreOfTest, file: BackupFile, *, replace: bool = False) -> list[Restored]:
    contents = file.contents()
    return Restore(store.scripts, OTHER_VAULT).run(file, contents, list(contents.pools), replace=replace)


def use(store: StoreOfTest, request_id: str | None = None, **row: Any) -> str:
    admitted = store.admit(request_id, **BOUND)
    store.settle(
        admitted["id"], account=admitted["account"], **{"input_tokens": 5, "output_tokens": 1, **row}
    )
    return admitted["id"]


def tokens(store: StoreOfTest) -> int:
    return sum(row.get("input_tokens", 0) + row.get("output_tokens", 0) for row in store.rows())


def assert_exact(store: StoreOfTest) -> None:
    """Every limit has counted what the ledger states, and no reservation remains."""
    requests = sum(row["source"] != "corrected" for row in store.rows())
    output = sum(row.get("output_tokens", 0) for row in store.rows())
    assert store.counters("ever")["s"] == tokens(store)
    assert store.counters("day")["s"] == tokens(store)
    assert store.counters("team")["s"] == tokens(store)
    assert {row["team"] for row in store.rows()} == {"red"}
    assert store.counters("count")["s"] == requests
    assert store.counters("pool")["s"] == output
    for name in ("ever", "day", "team", "slots", "minute", "pool"):
        assert store.counters(name)["h"] == 0, name
    assert (store.leases(), store.in_flight("a"), store.in_flight("b")) == ({}, 0, 0)


class TestUnderLoad:
    def test_the_ledger_of_every_copy_balances(
        self, store: StoreOfTest, elsewhere: StoreOfTest, tmp_path: Path
    ) -> None:
        """Requests begin, fail, end and stay open while copies are made: none loses or doubles a unit."""
        enough = threading.Event()

        def traffic(number: int) -> None:
            other_store, count = on(make_client(client_url(store), 30.0)), 0
            while not enough.is_set():
                count += 1
                other_store.now = int(time.time() * 1000)
                request_id = f"w{number}-{count}"
                if count % 7:
                    use(other_store, request_id, status=502 if count % 5 == 0 else 200)
                else:
                    other_store.admit(request_id, **BOUND)  # and never heard of again
                time.sleep(0.005)
            other_store.client.close()

        workers = [threading.Thread(target=traffic, args=(number,)) for number in range(3)]
        for worker in workers:
            worker.start()
        try:
            for turn in range(3):
                before = len(store.rows())
                while len(store.rows()) < before + 100:
                    time.sleep(0.01)
                file = back_up(store, tmp_path / f"{turn}.pgb")
                (restored,) = restore(elsewhere, file, replace=True)

                assert restored.differences == ()
                assert restored.rows >= 100
                assert file.contents().pools[POOL]["open"] > 0
                assert_exact(elsewhere)
        finally:
            enough.set()
            for worker in workers:
                worker.join()


def client_url(store: StoreOfTest) -> str:
    path: str = store.client.connection_pool.connection_kwargs["path"]
    return f"unix://{path}"


class TestRequestsThatWereOpen:
    def test_charged_what_they_held(self, store, elsewhere, tmp_path) -> None:
        use(store)
        store.admit("open", **BOUND)

        restore(elsewhere, back_up(store, tmp_path / "f"))

        (settled, charged) = elsewhere.rows()
        assert (settled["input_tokens"], charged["input_tokens"]) == (5, 50)
        assert (charged["id"], charged["error"]) == ("open", "lease_expired")
        assert_exact(elsewhere)

    def test_a_late_settlement_corrects_that(self, store, elsewhere, tmp_path) -> None:
        """Its worker may still be there, and have it in its spool."""
        store.admit("open", **BOUND)
        restore(elsewhere, back_up(store, tmp_path / "f"))

        elsewhere.settle("open", input_tokens=8, output_tokens=2)

        assert [row["source"] for row in elsewhere.rows()] == ["estimated", "corrected"]
        assert tokens(elsewhere) == elsewhere.counters("ever")["s"] == 10
        assert Verification(LedgerRepository(Scripts(elsewhere.client)), POOL).differences() == []

    def test_one_that_had_run_out_before(self, store, elsewhere, tmp_path) -> None:
        store.admit("late", **BOUND)
        store.client.zadd(keys.leases(POOL), {"late": 1})
        store.renew()
        assert store.leases() == {}
        restore(elsewhere, back_up(store, tmp_path / "f"))

        elsewhere.settle("late", input_tokens=8, output_tokens=2)

        assert tokens(elsewhere) == elsewhere.counters("ever")["s"] == 10
        assert Verification(LedgerRepository(Scripts(elsewhere.client)), POOL).differences() == []

    def test_a_settled_request_is_not_recorded_again(self, store, elsewhere, tmp_path) -> None:
        request_id = use(store)
        restore(elsewhere, back_up(store, tmp_path / "f"))

        assert elsewhere.settle(request_id, input_tokens=5, output_tokens=1) == ""
        assert len(elsewhere.rows()) == 1


class TestWhatComesAlong:
    def test_keys_limits_prices_routes_and_settings(self, store, elsewhere, tmp_path) -> None:
        store.client.hset(
            keys.pool(POOL),
            mapping={"policy": "ordered", "zone": "Asia/Tokyo", "prices": 3, "routes": 2},
        )
        store.client.hset(keys.prices(POOL), "m", '{"standard": {"input": 1, "output": 2}}')
        store.client.hset(keys.routes(POOL), "fast", '{"steps": [[{"model": "m"}]]}')
        store.client.set(keys.secret(POOL, "5ec0" * 16), "k")
        store.client.set(keys.secret(POOL, "gone"), "of-no-key")
        store.client.set(keys.root(POOL) + "own:conversation", "a", px=60_000)

        restore(elsewhere, back_up(store, tmp_path / "f"))

        pool = elsewhere.client.hgetall(keys.pool(POOL))
        assert (pool["policy"], pool["zone"]) == ("ordered", "Asia/Tokyo")
        assert int(pool["prices"]) > 3, "processes must reload the prices"
        assert int(pool["routes"]) > 2, "processes must reload the routes"
        assert elsewhere.client.hgetall(keys.routes(POOL)) == store.client.hgetall(keys.routes(POOL))
        assert elsewhere.client.hgetall(keys.prices(POOL)) == store.client.hgetall(keys.prices(POOL))
        assert elsewhere.client.hgetall(keys.api_key(POOL, "k")) == store.client.hgetall(
            keys.api_key(POOL, "k")
        )
        assert elsewhere.client.get(keys.secret(POOL, "5ec0" * 16)) == "k"
        assert not elsewhere.client.exists(keys.secret(POOL, "gone"))
        assert 0 < elsewhere.client.pttl(keys.root(POOL) + "own:conversation") <= 60_000
        assert elsewhere.client.smembers(keys.POOLS) == {POOL}

    def test_whether_accounts_stream(self, store, elsewhere, tmp_path) -> None:
        store.client.hset(keys.account(POOL, "a"), "stream_upstream", "never")

        restore(elsewhere, back_up(store, tmp_path / "f"))

        assert elsewhere.client.hget(keys.account(POOL, "a"), "stream_upstream") == "never"

    def test_accounts_serve_at_once(self, store, elsewhere, tmp_path) -> None:
        restore(elsewhere, back_up(store, tmp_path / "f"))

        assert {elsewhere.admit(f"n{number}")["account"] for number in range(4)} == {"a", "b"}
        assert int(elsewhere.state("a")["version"]) > 10**12, "no process may take an older one for this"

    def test_accounts_that_are_out_stay_out(self, store, elsewhere, tmp_path) -> None:
        """Pauses and states that upstreams reported are restored; suspicions of the gateway are not."""
        store.set_state("a", "paused")
        store.report(
            store.admit("x")["id"], 1, {"soft": True, "reason": "slow", "base_ms": 60_000, "most_ms": 60_000}
        )
        store.client.hset(keys.account(POOL, "b"), mapping={"state": "suspected", "errors": 3})

        restore(elsewhere, back_up(store, tmp_path / "f"))

        assert elsewhere.state("a")["state"] == "paused"
        assert elsewhere.state("b")["state"] == "active"
        assert {elsewhere.admit(f"n{number}")["account"] for number in range(3)} == {"b"}

    def test_encrypted_values_are_encrypted_again(self, store, elsewhere, tmp_path) -> None:
        store.client.hset(keys.account(POOL, "a"), "credential", VAULT.seal("sk-secret"))
        store.client.hset(keys.account(POOL, "b"), "credential", OTHER_VAULT.seal("sk-of-another-key"))
        path = tmp_path / "f"

        restore(elsewhere, back_up(store, path))

        assert OTHER_VAULT.open(elsewhere.state("a")["credential"]) == "sk-secret"
        assert OTHER_VAULT.open(elsewhere.state("b")["credential"]) == "sk-of-another-key"

    def test_headers_of_an_account(self, store, elsewhere, tmp_path) -> None:
        """Those of a backup of an earlier version are absent. The password of a proxy is encrypted again."""
        secrets = '{"headers":{"X-S":"t-secret"},"proxy_password":"p-secret"}'
        settings = '{"headers":{"X-A":"1"},"secret_headers":["X-S"],"set_fields":{"a":[1]},"proxy":"http://u@h","proxy_has_password":true}'
        fields = {"settings": settings, "secrets": VAULT.seal(secrets)}
        store.client.hset(keys.account(POOL, "a"), mapping=fields)

        restore(elsewhere, back_up(store, tmp_path / "f"))

        assert elsewhere.state("a")["settings"] == settings
        assert OTHER_VAULT.open(elsewhere.state("a")["secrets"]) == secrets
        assert "settings" not in elsewhere.state("b")

    def test_names_of_models_of_an_account(self, store, elsewhere, tmp_path) -> None:
        """An account that is restricted to models serves them again, and those with a name of its own."""
        settings = '{"model_names":{"gpt-5":"dep"}}'
        store.account("c", models=["m"])
        store.client.hset(keys.account(POOL, "c"), "settings", settings)

        restore(elsewhere, back_up(store, tmp_path / "f"))

        assert elsewhere.state("c")["settings"] == settings
        offer = elsewhere.state("c")["offer"]
        offered = elsewhere.client.smembers(keys.root(POOL) + f"models:{offer}")
        assert offered == {"m", "gpt-5"}

    def test_webhooks(self, store, elsewhere, tmp_path) -> None:
        """They are encrypted again; what they were sent, and are to be sent, is not in the backup."""
        ops = Webhook("ops", "https://hooks.example/x", secret="s" * 32)
        WebhookRepository(store.scripts, VAULT).add(POOL, ops)
        store.client.hset(keys.alerts(POOL, "ops"), "pool:", "{}")
        store.client.rpush(keys.alert_messages(POOL, "ops"), "{}")
        store.client.hset(keys.alert_deliveries(POOL, "ops"), "delivered", "1")

        restore(elsewhere, back_up(store, tmp_path / "f"))

        assert WebhookRepository(elsewhere.scripts, OTHER_VAULT).all(POOL) == [ops]
        assert elsewhere.client.keys("*alerts*") == []
        for name, text in (("a b", "{}"), ("ops", '{"url": "ftp://x"}')):
            store.client.delete(keys.webhooks(POOL))
            store.client.hset(keys.webhooks(POOL), name, VAULT.seal(text))
            with pytest.raises(UnreadableFile, match="line"):
                restore(elsewhere, back_up(store, tmp_path / "f"), replace=True)

    def test_rows_that_were_removed_are_known_to_be(self, store, elsewhere, tmp_path) -> None:
        for _ in range(5):
            use(store)
        store.client.xtrim(keys.ledger(POOL), maxlen=2, approximate=False)
        with_records, without_records = (
            Verification(LedgerRepository(Scripts(store.client)), POOL) for _ in range(2)
        )
        assert with_records.differences() == []

        restore(elsewhere, back_up(store, tmp_path / "f"))

        without_records = Verification(LedgerRepository(Scripts(elsewhere.client)), POOL)
        assert without_records.differences() == []
        assert without_records.skipped == with_records.skipped > 0

    def test_operators_and_their_tokens(self, store, elsewhere, tmp_path) -> None:
        """Operators and the audit log are restored, sessions are not; newer audit entries are retained."""
        root = keys.root(keys.SYSTEM)
        store.client.sadd(root + "operators", "ann")
        operator = {
            "name": "ann",
            "created_ms": 1,
            "password_ms": 1,
            "password": "$argon2id$",
            "role": "viewer",
        }
        store.client.hset(root + "op:ann", mapping=operator | {"totp": VAULT.seal("JBSW")})
        store.client.hset(keys.sign_in_policy(), "second_factor", "required")
        store.client.hset(root + "ses:abc", "operator", "ann")
        store.client.hset(root + "inv:abc", "role", "owner")
        store.client.hset(root + "invitations", "id", "abc")
        store.client.set(root + f"ident:{'a' * 64}", "ann")
        store.client.xadd(keys.audit(), {"entry": '{"action": "pool.change"}'}, id="5-0")
        elsewhere.client.xadd(keys.audit(), {"entry": '{"newer": 1}'}, id="9-0")

        restore(elsewhere, back_up(store, tmp_path / "f", POOL, keys.SYSTEM))

        assert elsewhere.client.smembers(root + "operators") == {"ann"}
        assert OTHER_VAULT.open(elsewhere.client.hget(root + "op:ann", "totp")) == "JBSW"
        assert elsewhere.client.hgetall(keys.sign_in_policy()) == {"second_factor": "required"}
        assert not elsewhere.client.exists(root + "ses:abc", root + "inv:abc", root + "invitations")
        assert elsewhere.client.get(root + f"ident:{'a' * 64}") == "ann"
        assert [entry_id for entry_id, _ in elsewhere.client.xrange(keys.audit())] == ["5-0", "9-0"]
