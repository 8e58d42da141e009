"""`poolgate backup` and `poolgate restore`, on two real stores."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from cryptography.fernet import Fernet

from app.accounts.account import Account
from app.config import Settings
from app.stores import keys
from app.stores.client import make_client
from app.wiring import Services, build
from tests.app.cli.conftest import Run
from tests.support.redis import private_redis
from tests.support.store import POOL, StoreOfTest

PASSPHRASE = "correct horse battery"
THEIR_KEY = Fernet.generate_key().decode()


@pytest.fixture(scope="module")
def other_url() -> Iterator[str]:
    with private_redis() as url:
        yield url


@pytest.fixture
def there(other_url: str, environ: dict[str, str]) -> Services:
    """Another installation: an empty store, and secret keys of its own."""
    client = make_client(other_url, 30.0)
    client.flushall()
    client.close()
    return build(
        Settings.from_environment({**environ, "REDIS_URL": other_url, "POOLGATE_SECRET_KEYS": THEIR_KEY})
    )


@pytest.fixture
def secret(services: Services) -> str:
    """A pool with an account, rows that are months old and a key, which is returned."""
    services.pools.ensure("default")
    services.accounts.add("default", Account("", "main", "openai", "http://x", credential="sk-upstream"))
    store = StoreOfTest(services.scripts.client, pool="default")
    for number in range(3):
        store.settle(f"r{number}", input_tokens=5)
    services.scripts.client.delete(keys.root("default") + "test-clock")
    return services.api_keys.create("default", "ann")[1]


@pytest.fixture
def file(poolgate: Run, secret: str, tmp_path: Path) -> Path:
    path = tmp_path / "all.pgb"
    assert back_up(poolgate, path).exit_code == 0
    return path


def back_up(poolgate: Run, path: Path, *more: str, passphrase: str = PASSPHRASE) -> Result:
    return poolgate("backup", str(path), "--passphrase-env", "SECRET", *more, SECRET=passphrase)


def restore(poolgate: Run, there: Services, path: Path, *more: str, **variables: Any) -> Result:
    variables = {
        "REDIS_URL": there.settings.redis_url,
        "POOLGATE_SECRET_KEYS": THEIR_KEY,
        "SECRET": PASSPHRASE,
        **variables,
    }
    return poolgate("restore", str(path), "--passphrase-env", "SECRET", *more, **variables)


def everything(services: Services) -> dict[str, str]:
    client = services.scripts.client
    return {key: client.type(key) for key in client.scan_iter()}


def test_another_installation_goes_on_from_it(
    poolgate: Run, there: Services, file: Path, secret: str
) -> None:
    result = restore(poolgate, there, file, "--json")

    assert json.loads(result.stdout) == {
        "pools": [{"name": "default", "accounts": 1, "keys": 1, "rows": 3, "open": 0}],
        "again": [],
        "balanced": True,
    }
    assert there.api_keys.authenticate(secret).name == "ann"
    assert there.accounts.find("default", "main").credential == "sk-upstream"
    assert there.pools.names() == ["default"]


def test_for_people(poolgate: Run, secret: str, there: Services, tmp_path: Path) -> None:
    path = tmp_path / "f"
    made = back_up(poolgate, path)
    restored = restore(poolgate, there, path)

    table = [
        "POOL     ACCOUNTS  KEYS  LEDGER ENTRIES  RUNNING REQUESTS",
        "default         1     1               3                 0",
    ]
    assert made.stdout.splitlines() == restored.stdout.splitlines() == table
    assert made.stderr == f"Wrote {path}, 0.0 MB.\n"
    assert restored.stderr == "default: the ledger balances.\n"


def test_both_are_in_the_audit_log(poolgate: Run, services: Services, there: Services, file: Path) -> None:
    restore(poolgate, there, file)

    def noted(here: Services) -> list[tuple[str, str, str]]:
        return [(one["action"], one["pool"], one["object"]) for one in here.audit.page().entries]

    assert noted(services) == [("backup.write", "", file.name)]
    assert noted(there)[:2] == [("backup.restore", "", file.name), ("backup.restore", "default", file.name)]


def test_the_file_is_its_owners_alone(poolgate: Run, file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in file.parent.iterdir()] == [file.name]
    assert b"sk-upstream" not in file.read_bytes()


def test_a_file_that_is_there_is_not_written_over(poolgate: Run, file: Path) -> None:
    before = file.read_bytes()

    result = back_up(poolgate, file)

    assert (result.exit_code, file.read_bytes()) == (2, before)
    assert "already exists" in result.stderr


def test_a_short_passphrase(poolgate: Run, secret: str, tmp_path: Path) -> None:
    result = back_up(poolgate, tmp_path / "f", passphrase="hunter2")

    assert result.exit_code == 2
    assert "12 characters" in result.stderr
    assert "hunter2" not in result.output


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_no_terminal_for_a_passphrase(poolgate: Run, file: Path, command: str) -> None:
    path = file if command == "restore" else file.with_name("new")

    result = poolgate(command, str(path))

    assert result.exit_code == 2
    assert "--passphrase-env" in result.stderr


class TestNothingChanges:
    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda data: data[:-1], "cut off"),
            (lambda data: data[: len(data) // 2], "cut off"),
            (lambda data: data[:-9] + b"\0" + data[-8:], "damaged"),
            (lambda data: b"PK" + data, "not a backup"),
            (lambda _: b"", "not a backup"),
        ],
    )
    def test_a_file_that_is_not_as_it_was(
        self, poolgate: Run, there: Services, file: Path, spoil: Any, message: str
    ) -> None:
        file.write_bytes(spoil(file.read_bytes()))

        result = restore(poolgate, there, file)

        assert (result.exit_code, result.stdout) == (1, "")
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
        assert everything(there) == {}

    def test_another_passphrase(self, poolgate: Run, there: Services, file: Path) -> None:
        result = restore(poolgate, there, file, SECRET="not the passphrase")

        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert "passphrase is not that of this file" in result.stderr
        assert everything(there) == {}

    def test_a_pool_that_is_not_empty(self, poolgate: Run, there: Services, file: Path) -> None:
        there.pools.ensure("default")
        there.api_keys.create("default", "bob")
        before = everything(there)

        result = restore(poolgate, there, file)

        assert result.exit_code == 1
        assert result.stderr.startswith("Error: Not empty: default (1 key); use --replace ")
        assert everything(there) == before

    def test_not_confirmed(self, poolgate: Run, there: Services, file: Path) -> None:
        there.pools.ensure("default")
        there.api_keys.create("default", "bob")
        before = everything(there)

        assert restore(poolgate, there, file, "--replace").exit_code == 1
        assert everything(there) == before

    def test_a_file_that_is_not_there(self, poolgate: Run, there: Services, tmp_path: Path) -> None:
        result = restore(poolgate, there, tmp_path / "none")

        assert (result.exit_code, result.stderr) == (
            1,
            f"Error: {tmp_path / 'none'}: No such file or directory\n",
        )


class TestReplace:
    def test_nothing_of_what_was_there_is_left(
        self, poolgate: Run, there: Services, file: Path, secret: str
    ) -> None:
        there.pools.ensure("default")
        bobs = there.api_keys.create("default", "bob")[1]
        there.accounts.add("default", Account("", "other", "openai", "http://x", credential="sk-2"))
        store = StoreOfTest(there.scripts.client, pool=POOL)
        store.scripts, store.pool = there.scripts, "default"
        store.settle("mine", key="k9", input_tokens=70)

        result = restore(poolgate, there, file, "--replace", "--yes", "--json")

        assert json.loads(result.stdout)["balanced"]
        assert [key.name for key in there.api_keys.all("default")] == ["ann"]
        assert [account.name for account in there.accounts.all("default")] == ["main"]
        root = keys.root("default")
        left = {name.removeprefix(root) for name in everything(there) if name.startswith(root)}
        assert "used:k9" not in left
        assert not any(name.startswith("restore") for name in left)
        assert there.scripts.client.get(keys.secret("default", bobs)) is None
        assert poolgate("ledger verify", REDIS_URL=there.settings.redis_url).exit_code == 0


class TestAgain:
    def test_a_pool_that_is_in_place_stays(self, poolgate: Run, there: Services, file: Path) -> None:
        """So one that broke off between two pools is simply run again."""
        restore(poolgate, there, file)
        there.api_keys.create("default", "made since")
        there.scripts.client.delete(keys.POOLS)  # as if killed before that

        report = json.loads(restore(poolgate, there, file, "--json").stdout)

        assert report["again"] == ["default", "operators and audit log"]
        assert len(there.api_keys.all("default")) == 2
        assert there.pools.names() == ["default"]

    def test_after_one_that_was_killed_in_the_middle(
        self, poolgate: Run, there: Services, file: Path
    ) -> None:
        """Staged data of an interrupted restore does not disturb anything, and is removed."""
        client = there.scripts.client
        client.set(keys.restore_by("default"), "dead")
        client.sadd(keys.staged_names("default", "dead"), "ledger")
        client.xadd(keys.staged("default", "dead", "ledger"), {"row": "{}"})
        assert there.api_keys.all("default") == []

        result = restore(poolgate, there, file, "--json")

        assert json.loads(result.stdout)["balanced"]
        assert [name for name in everything(there) if "restore" in name] == []

    def test_one_pool_of_it(
        self, poolgate: Run, services: Services, there: Services, secret: str, tmp_path: Path
    ) -> None:
        services.pools.ensure("team-b")
        services.api_keys.create("team-b", "eve")
        back_up(poolgate, tmp_path / "f")

        restore(poolgate, there, tmp_path / "f", "--pool", "team-b")

        assert there.pools.names() == ["team-b"]
        assert restore(poolgate, there, tmp_path / "f", "--pool", "none").exit_code == 1
