"""`poolgate import codex-lb`."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import orjson
import pytest
import yaml

from app.stores.records.accounts import AccountState
from tests.support.codex_lb import FILLED, SECRET, account, write_folder
from tests.support.store_contents import everything_in


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "codex-lb")


class TestCodexLb:
    def test_a_filled_folder(self, poolgate, services, folder):
        result = poolgate("import codex-lb", str(folder))

        assert result.exit_code == 0, result.stderr
        assert "sign-in 'Ann-home' imported: plus\n" in result.stdout
        assert result.stdout.endswith("Added 4 and changed 0; 0 unchanged.\n")
        assert result.stderr.startswith("Stop codex-lb before the import and leave it stopped: ")
        assert "not imported: accounts 'eve@example.com': it has to be signed in again" in result.stderr
        assert "token-" not in result.output
        states = {each.name: each.state for each in services.accounts.all("default")}
        assert states.pop("Ann-home-2") is AccountState.PAUSED
        assert states == dict.fromkeys(("Ann-home", "GPU-box"), AccountState.ACTIVE)
        assert services.accounts.find("default", "GPU-box").credential == "token-source"
        tokens = services.credentials.read("default", services.accounts.find("default", "Ann-home"))
        assert tokens.refresh_token == "token-refresh-a"
        assert tokens.refreshed_at == 1795860000

    def test_callers_keep_their_keys(self, poolgate, services, folder):
        poolgate("import codex-lb", str(folder))

        key = services.api_keys.authenticate(SECRET)
        assert (key.name, key.models, key.expires_at) == ("Research", ("gpt-5.2",), 1893456000)
        assert sorted((each.unit, each.period, each.max, each.model) for each in key.limits) == [
            ("cost", "month", 12_500_000, None),
            ("total_tokens", "day", 1_000_000, "gpt-5.2"),
        ]
        scoped = services.api_keys.find("default", "scoped")
        assert scoped.accounts == (services.accounts.find("default", "Ann-home-2").id,)

    def test_again(self, poolgate, services, folder):
        """A second import changes nothing, and takes newer tokens."""
        poolgate("import codex-lb", str(folder))

        result = poolgate("import codex-lb", str(folder))

        assert "sign-in 'Ann-home' unchanged\nsign-in 'Ann-home-2' unchanged\n" in result.stdout
        assert result.stdout.endswith("Added 0 and changed 0; 4 unchanged.\n")
        newer = account("a", "ann@example.com", last_refresh="2026-11-29 10:00:00")
        with closing(sqlite3.connect(folder / "store.db")) as connection:
            columns = ", ".join(f"{name} = :{name}" for name in newer)
            newer["refresh_token_encrypted"] = account("new", "")["refresh_token_encrypted"]
            connection.execute(f"UPDATE accounts SET {columns} WHERE id = 'a'", newer)
            connection.commit()
        assert "sign-in 'Ann-home' updated\n" in poolgate("import codex-lb", str(folder)).stdout

    def test_a_dry_run(self, poolgate, redis_client, folder):
        before = everything_in(redis_client), sorted(each.name for each in folder.iterdir())

        result = poolgate("import codex-lb --dry-run", str(folder))

        assert "sign-in 'Ann-home' would be imported: plus\n" in result.stdout
        assert '  accounts: ["Ann-home-2"]\n' in result.stdout
        assert "Would add 4 and change 0; 0 unchanged. Nothing was changed." in result.stdout
        assert (everything_in(redis_client), sorted(each.name for each in folder.iterdir())) == before

    def test_the_document(self, poolgate, tmp_path, folder):
        """It can be applied once the accounts are signed in, and has no secrets."""
        result = poolgate("import codex-lb --print", str(folder))

        assert "token-" not in result.output
        accounts = yaml.safe_load(result.stdout)["accounts"]
        assert [each["name"] for each in accounts] == ["Ann-home", "Ann-home-2", "GPU-box"]
        (tmp_path / "setup.yaml").write_text(result.stdout)
        applied = poolgate("apply", str(tmp_path / "setup.yaml"), CODEX_LB_GPU_BOX_API_KEY="sk-1")
        assert "Added 3 and changed 0; 0 unchanged, 3 skipped.\n" in applied.stdout

    def test_as_json(self, poolgate, folder):
        report = orjson.loads(poolgate("import codex-lb --json", str(folder)).stdout)

        assert len(report["data"]) == 4
        assert [each["outcome"] for each in report["sign_ins"]] == ["imported", "imported"]
        assert {remark["imported"] for remark in report["remarks"]} == {True, False}

    def test_another_pool(self, poolgate, services, folder):
        """Keys of other gateways are in the pool default alone, and a sign-in is in one pool."""
        result = poolgate("import codex-lb --pool team", str(folder))

        assert "not imported: api_keys: they work only in the pool default: create new ones" in result.stderr
        assert services.api_keys.all("team") == []
        assert len(services.accounts.all("team")) == 3
        again = poolgate("import codex-lb", str(folder))
        assert again.exit_code == 1
        assert "sign-in 'Ann-home' failed: it is an account of pool 'team' already" in again.stderr
        assert "api_keys 'scoped': none of the accounts that it may use is imported" in again.stderr

    def test_the_default_folder(self, poolgate, folder):
        result = poolgate("import codex-lb --dry-run", CODEX_LB_DATA_DIR=str(folder))

        assert result.exit_code == 0, result.stderr

    def test_while_codex_lb_runs(self, poolgate, folder):
        """What it has committed is read, although it is not in store.db yet."""
        with closing(sqlite3.connect(folder / "store.db")) as running:
            running.execute("PRAGMA journal_mode=WAL")
            running.execute("UPDATE accounts SET alias = 'renamed' WHERE id = 'a'")
            running.commit()

            result = poolgate("import codex-lb --dry-run", str(folder))

        assert "codex-lb is running, or was not stopped cleanly" in result.stderr
        assert "sign-in 'renamed' would be imported" in result.stdout

    def test_hostile_names(self, poolgate, tmp_path):
        rows = {
            "accounts": [account("a", "\x1b[31m\n", alias="\x00\x1b]0;x\x07")],
            "api_keys": [{"id": "k", "name": "\x1b[2J" * 9000, "key_hash": "\x1b" * 64}],
        }
        result = poolgate("import codex-lb", str(write_folder(tmp_path / "hostile", rows)))

        assert result.exit_code == 0, result.stderr
        assert all(line.isprintable() for line in result.output.splitlines())
        assert "not imported: api_keys '2J-2J" in result.stderr


def replace(name, content):
    def change(folder):
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)

    return change


def directory(name):
    def change(folder):
        (folder / name).unlink()
        (folder / name).mkdir()

    return change


def link(name, target):
    def change(folder):
        (folder / name).unlink()
        (folder / name).symlink_to(target)

    return change


def damaged(folder):
    path = folder / "store.db"
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS id FROM n"
MANY = (
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x <= 10000) SELECT 'x' || x FROM n"
)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (replace("store.db", None), "store.db: No such file"),
        (
            replace("store.db", b"no database, but long enough" * 40),
            "store.db: cannot be read: file is not a da",
        ),
        (replace("store.db", b""), "store.db: there is no table accounts"),
        (damaged, "store.db: cannot be read: "),
        (directory("store.db"), "store.db: not a file"),
        (link("store.db", "/dev/zero"), "store.db: not a file"),
        (link("store.db", "gone"), "store.db: No such file"),
        (replace("encryption.key", None), "encryption.key: No such file"),
        (replace("encryption.key", b"x" * 44), "encryption.key: not a Fernet key"),
        (replace("encryption.key", b"\xff" * 44), "encryption.key: not a Fernet key"),
        (replace("encryption.key", b"x" * 5000), "encryption.key: larger than 1024 bytes"),
        (
            replace("encryption.key", b"A" * 43 + b"="),
            "encryption.key: it decrypts none of the secrets in store.db",
        ),
        (directory("encryption.key"), "encryption.key: not a file"),
        (link("encryption.key", "/dev/zero"), "encryption.key: not a file"),
        ("DROP TABLE api_key_limits", "store.db: there is no table api_key_limits"),
        ("ALTER TABLE accounts DROP COLUMN status", "store.db: table accounts has no column status"),
        (f"DROP TABLE api_keys; CREATE VIEW api_keys AS {ENDLESS}", "store.db: there is no table api_keys"),
        (f"INSERT INTO api_keys (id) {MANY}", "store.db: table api_keys: more than 10000 rows"),
        ("UPDATE api_keys SET name = zeroblob(2000000)", "store.db: cannot be read: "),
        (
            f"INSERT INTO api_keys (id) {MANY} LIMIT 100; UPDATE api_keys SET name = zeroblob(900000)",
            "store.db: table api_keys: more than 67108864 bytes",
        ),
    ],
)
def test_faults(poolgate, redis_client, tmp_path, change, problem):
    """Each fault is one line that names the file, and nothing is changed."""
    script = change if isinstance(change, str) else ""
    folder = write_folder(tmp_path / "codex-lb", FILLED, script)
    if not script:
        change(folder)
    before = everything_in(redis_client)

    result = poolgate("import codex-lb", str(folder))

    assert result.exit_code == 1
    assert problem in result.stderr
    assert result.stderr.count("\n") == 1
    assert everything_in(redis_client) == before


def test_a_slow_database(poolgate, tmp_path, monkeypatch):
    """Reading ends after a while, whatever the database has in it."""
    monkeypatch.setattr("app.cli.codex_lb_files.MAX_SECONDS", 0)
    folder = write_folder(tmp_path / "slow", {}, f"INSERT INTO api_keys (id) {MANY} LIMIT 9000")

    assert "store.db: cannot be read: interrupted" in poolgate("import codex-lb", str(folder)).stderr


def test_an_older_database(poolgate, tmp_path):
    """Columns and tables that came later may be missing."""
    drop = "DROP TABLE model_sources; DROP TABLE dashboard_settings; ALTER TABLE accounts DROP COLUMN alias"
    folder = write_folder(tmp_path / "old", FILLED, drop)

    result = poolgate("import codex-lb", str(folder))

    assert result.exit_code == 0, result.stderr
    assert "sign-in 'ann@example.com' imported" in result.stdout
