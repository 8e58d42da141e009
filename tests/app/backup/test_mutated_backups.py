"""A backup that somebody who knows the passphrase has changed: one clear error, or a sound restore."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from cryptography.fernet import Fernet

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.kinds import SCRIPT_KINDS
from app.accounts.pools import PoolRepository
from app.backup.checked_lines import CheckedLines
from app.backup.encrypted_file import UnreadableFile
from app.backup.export import Backup
from app.backup.restore import BackupFile, Progress, Restore
from app.errors import StoreRefused
from app.ledger.index import LedgerIndex
from app.ledger.query import LedgerQuery
from app.ledger.search import LedgerSearch
from app.limits.limit_syntax import parse_limit
from app.stores import keys
from app.stores.admin_tokens import AdminTokenRepository
from app.stores.api_keys import ApiKeyRepository
from app.stores.audit import AuditLog
from app.stores.ledger import LedgerRepository
from app.stores.ledger_index import LedgerIndexRepository
from app.stores.limits import LimitRepository
from app.stores.operators import OperatorRepository
from app.stores.prices import PriceRepository
from app.stores.records.operators import NewAdminToken, NewOperator
from app.stores.records.webhooks import Webhook
from app.stores.refusals import RefusalRepository
from app.stores.scripts import Scripts
from app.stores.secrets import Vault
from app.stores.teams import TeamRepository
from app.stores.webhooks import WebhookRepository
from schemas.bounds import MAX_CREDENTIAL_CHARS
from tests.support.store import POOL, StoreOfTest

VAULT = Vault((Fernet.generate_key().decode(),))
MUTATIONS = 160
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 1e300, -(2**63), 2**53, 2**63, 2**64 - 1),
    *(
        "",
        "x",
        "0",
        "-1",
        "1e30",
        "NaN",
        "inf",
        "1e999",
        "\0",
        "\n",
        "\ud7ff",
        "../x",
        "a}b{",
        "é" * 300,
        "x" * 5000,
    ),
    *("[]", "{}", "null", "[1]", '{"a":1}', '[{"id":1}]', "5-5", "0-0", "99999999999999999999-1"),
    *([], {}, [1], [[]], {"a": 1}, [{"id": "x"}], {"": ""}),
)

Lines = list[Any]


class _File(BackupFile):
    """A backup in memory, already decrypted."""

    def __init__(self, lines: list[bytes]) -> None:
        super().__init__(Path("unused"), "")
        self._lines = lines

    def lines(self, progress: Progress = lambda _: None) -> Iterator[list[Any]]:
        yield from CheckedLines(self._lines)


@pytest.fixture
def store(redis_client: Any) -> StoreOfTest:
    """A pool on the clock of the server."""
    store = StoreOfTest(redis_client)
    redis_client.delete(keys.root(POOL) + "test-clock")
    store.scripts = Scripts(redis_client, kinds=SCRIPT_KINDS)
    store.now = int(time.time() * 1000)
    return store


@pytest.fixture
def lines(store: StoreOfTest) -> list[bytes]:
    """A backup with something of everything; the store is empty afterwards."""
    scripts, client = store.scripts, store.client
    accounts, api_keys = AccountRepository(scripts, VAULT), ApiKeyRepository(scripts)
    pools = PoolRepository(scripts)
    pools.ensure(POOL)
    pools.change(
        POOL, policy="ordered", zone="Asia/Tokyo", settings=lambda _: '{"time_limits":{"*":{"idle":30}}}'
    )
    one = accounts.add(POOL, Account("", "one", "openai", "http://x", credential="sk-1", models=("m",)))
    accounts.add(POOL, Account("", "two", "compatible", "http://y/v1"))
    limits = [
        parse_limit(text)
        for text in ("1000 requests/minute", "90000 total_tokens/day", "9 usd/month", "9 parallel_requests")
    ]
    TeamRepository(scripts).create(POOL, "red", [parse_limit("99 usd/month")], ["9 requests/day"])
    key, _ = api_keys.create(
        POOL,
        "ann",
        models=("m",),
        accounts=(one.id,),
        limits=limits,
        expires_at=1.8e9,
        team="red",
        owner="Ann",
        labels={"env": "prod"},
    )
    LimitRepository(scripts).add(POOL, parse_limit("5000 output_tokens/week for m* balanced"))
    PriceRepository(scripts).put(POOL, "m", {"standard": {"input": 1, "output": 2}, "context": 1000})
    WebhookRepository(scripts, VAULT).add(POOL, Webhook("ops", "https://hooks.example/x", secret="s" * 32))
    store.client.hset(keys.routes(POOL), "fast", '{"steps":[[{"model":"m"}]]}')
    for number in range(3):
        admitted = store.admit(key=key.id, output_tokens=5)
        failed = {"account": one.id, "failure": "overloaded", "upstream_status": 503, "upstream_code": "busy"}
        attempts = [failed, {"account": one.id}] if number == 2 else []
        row = {"owner": "Ann", "labels": {"env": "prod"}, "attempts": attempts}
        store.settle(admitted["id"], key=key.id, account=one.id, input_tokens=5, cost=3, **row)
    store.admit("open", key=key.id, output_tokens=5)
    refusal = orjson.dumps(
        {"id": "no", "at_ms": 1, "account": "", "model": "m", "status": 429, "refused": True}
    ).decode()
    group = {"key": key.id, "digest": "", "code": "x", "count": 1, "age_ms": 0, "entries": [refusal]}
    group["latest"] = [[0, 1]]
    scripts.run("record_refusals", POOL, orjson.dumps({"writer": "w", "number": 1, "groups": [group]}))
    client.set(keys.root(POOL) + "own:conversation", one.id, px=60_000)
    client.set(keys.upstream_metadata(POOL, one.id, "usage"), "{}")
    operators, tokens = OperatorRepository(scripts, VAULT), AdminTokenRepository(scripts)
    operators.create(NewOperator("root", password_hash="$argon2id$"))
    operators.put_pending_secret("root", "JBSW")
    tokens.create(NewAdminToken("ci", "root"))
    client.xadd(keys.audit(), {"entry": '{"action": "pool.change", "pool": "t", "object": "t"}'}, id="5-0")
    written = list(Backup(scripts, VAULT, "b1").lines([POOL, keys.SYSTEM], "a test"))
    client.flushall()
    return written


def restore(store: StoreOfTest, lines: list[bytes]) -> None:
    file = _File(lines)
    contents = file.contents()
    Restore(store.scripts, VAULT).run(file, contents, list(contents.pools), replace=True)


def read_everything(store: StoreOfTest) -> None:
    """Read what operators and requests read."""
    scripts = store.scripts
    ledger, refusals = LedgerRepository(scripts), RefusalRepository(scripts)
    for pool in (each.name for each in PoolRepository(scripts).all()):
        assert PoolRepository(scripts).settings(pool).limits_for
        AccountRepository(scripts, VAULT).snapshot(pool)
        for account in AccountRepository(scripts, VAULT).all(pool):
            AccountRepository(scripts, VAULT).find(pool, account.name)
        for key in ApiKeyRepository(scripts).all(pool):
            LimitRepository(scripts).all(pool, key.id)
            store.admit(key=key.id, model=(key.models or ("m",))[0])
        LimitRepository(scripts).all(pool)
        TeamRepository(scripts).all(pool)
        WebhookRepository(scripts, VAULT).all(pool)
        PriceRepository(scripts).read(pool)
        index = LedgerIndex(ledger, LedgerIndexRepository(scripts))
        index.extend(pool, block_entries=1)
        search = LedgerSearch(ledger, refusals, index)
        search.search(pool, LedgerQuery())
        search.search(pool, LedgerQuery(labels={"env": "prod"}))
    OperatorRepository(scripts, VAULT).all()
    AdminTokenRepository(scripts).all()
    AuditLog(scripts).page()


def test_unchanged(store: StoreOfTest, lines: list[bytes]) -> None:
    restore(store, lines)

    read_everything(store)
    assert [key.name for key in ApiKeyRepository(store.scripts).all(POOL)] == ["ann"]


@pytest.mark.parametrize("seed", range(4))
def test_mutated(store: StoreOfTest, lines: list[bytes], seed: int) -> None:
    chance = Random(seed)
    refused = 0
    for _ in range(MUTATIONS // 4):
        mutated = _mutate([orjson.loads(line) for line in lines], chance)
        before = _digest(store)
        message = _refusal(store, mutated)
        if message is None:
            read_everything(store)
            continue
        refused += 1
        assert "\n" not in message
        assert _digest(store) == before, "written before the file was checked"

    assert refused > MUTATIONS // 8, "most changes make a backup that Poolgate does not write"


@pytest.mark.parametrize(
    ("name", "field", "value", "message"),
    [
        ("k:", "name", "two words", "name must be 1 to 64 letters"),
        ("k:", "models", "[1]", "the name of a model must be a text"),
        ("k:", "models", '[""]', "the name of a model must be a text"),
        ("k:", "expires_ms", "253402300800000", "expires_ms must be a whole number"),
        (
            "k:",
            "limits",
            '[{"id":"l","what":"requests","per":"day","max":0,"mode":"strict"}]',
            "must be above zero",
        ),
        ("a:", "name", "", "name must be 1 to 64 letters"),
        ("a:", "base_url", "file:///etc/passwd", "base_url must be an http or https URL"),
        ("a:", "base_url", "http://169.254.169.254", "base_url must not be a link-local"),
        ("a:", "weight", "0", "weight must be an integer from 1"),
        ("a:", "stream_upstream", "sometimes", "stream_upstream must be"),
        ("a:", "settings", '{"headers":{"Host":"x"}}', "headers.Host is set by the gateway"),
        ("a:", "settings", '{"secret_headers":["X-S"]}', "secret_headers must be the names"),
        ("a:", "settings", '{"model_names":{"m*":"x"}}', "must be a name, not a pattern"),
        ("a:", "settings", '{"response_model":"x"}', "response_model must be requested or upstream"),
        ("a:", "settings", '{"websocket":"maybe"}', "websocket must be off or on"),
        ("a:", "settings", '{"set_fields":{"n":2}}', "'n' cannot be set: it chooses the number"),
        ("a:", "settings", '{"drop_fields":["input"]}', "'input' cannot be left out: it is the input"),
        ("a:", "settings", '{"model_names":{"m":"m:online"}}', "'m:online' searches"),
        ("a:", "settings", '{"timeout_seconds":-1}', "timeout_seconds must be 0.1 to 86400"),
        ("a:", "settings", '{"ca_certificates":"x"}', "ca_certificates must be certificates in PEM"),
        ("a:", "settings", '{"proxy":"ftp://h"}', "proxy must be a URL with a host"),
        ("a:", "settings", '{"proxy_has_password":true}', "proxy_has_password must be whether"),
        ("a:", "settings", '{"other":1}', "other is not a field"),
        ("a:", "cap", "1e300", "cap must be a number"),
        ("a:", "kind", "module", "kind must be"),
        ("a:", "id", "other", "has the id of another account"),
        ("k:", "team", "a b", "team must be 1 to 64 letters"),
        ("k:", "owner", "x" * 257, "owner must have at most 256 characters"),
        ("k:", "labels", '{"env":""}', "env must be a string of 1 to 128 characters"),
        ("k:", "labels", "[1]", "is not as Poolgate writes it"),
        ("t:", "name", "blue", "has the name of another team"),
        ("t:", "state", "off", "is not as Poolgate writes it"),
        ("t:", "limits", '[{"max":0}]', "is not as Poolgate writes it"),
        ("t:", "key_limits", '["9 apples/day"]', "apples"),
        ("pool", "policy", "fastest", "is no policy"),
        ("pool", "zone", "../../etc/passwd", "is not an IANA time zone"),
        (
            "pool",
            "settings",
            '{"time_limits":{"*":{"idle":0}}}',
            "idle must be more than 0 and at most 86400",
        ),
        ("pool", "settings", '{"keep_days":0}', "keep_days must be a whole number"),
        ("pool", "settings", '{"queue_seconds":601}', "queue_seconds must be a whole number"),
        ("prices", "m", '{"standard":{"input":-1,"output":2}}', "input must be a whole number"),
        ("prices", "m", '{"standard":{"input":1,"output":2},"context":1e30}', "context must be an integer"),
        ("routes", "fast", '{"steps":[]}', "steps must have 1 to 16 steps"),
        ("routes", "fast", '{"steps":[[{"model":" m"}]]}', "must not begin or end with a space"),
        ("routes", "fast", '{"steps":[[{"model":"m"}]],"defaults":{"n":2}}', "n is not a field"),
    ],
)
def test_a_value_that_no_command_takes(
    store: StoreOfTest, lines: list[bytes], name: str, field: str, value: str, message: str
) -> None:
    parsed = [orjson.loads(line) for line in lines]
    line = next(line for line in parsed if line[0] == "key" and line[1].startswith(name) and field in line[3])
    line[3][field] = value

    with pytest.raises(UnreadableFile, match=r"^The backup cannot be restored: line ") as raised:
        restore(store, [orjson.dumps(line) for line in parsed])

    assert line[1] in raised.value.message
    assert message in raised.value.message


def test_each_field_that_is_missing(store: StoreOfTest, lines: list[bytes]) -> None:
    """It is refused, or not needed by those who read."""
    hashes = [
        (number, field)
        for number, (what, *rest) in enumerate(map(orjson.loads, lines))
        if what == "key" and isinstance(rest[2], dict)
        for field in rest[2]
    ]
    assert len(hashes) > 50

    faults = []
    for number, field in hashes:
        changed = [orjson.loads(line) for line in lines]
        del changed[number][3][field]
        try:
            if _refusal(store, changed) is None:
                read_everything(store)
        except (LookupError, TypeError, ValueError, StoreRefused) as error:
            faults.append(f"{changed[number][1]} without {field}: {error!r}")

    assert faults == []


MANY_LIMITS = [
    {"id": f"l{number}", "what": "requests", "per": "day", "max": 9, "mode": "strict"} for number in range(65)
]
LIMIT = {"id": "l", "what": "requests", "per": "day", "max": 9, "mode": "strict"}


@pytest.mark.parametrize(
    ("name", "field", "value", "warning"),
    [
        ("k:", "limits", orjson.dumps(MANY_LIMITS).decode(), "has 65 limits"),
        ("pool", "limits", orjson.dumps(MANY_LIMITS).decode(), "has 65 limits"),
        ("k:", "limits", orjson.dumps([{**LIMIT, "model": " m"}]).decode(), "' m' must not begin or end"),
        ("k:", "limits", orjson.dumps([{**LIMIT, "model": "a b"}]).decode(), ""),
        ("k:", "models", '["m "]', "'m ' must not begin or end with a space"),
        ("k:", "models", '["a\\nb"]', "'a?b' must not have unprintable characters"),
        ("k:", "models", orjson.dumps([f"m{number}" for number in range(1001)]).decode(), ""),
        ("a:", "models", '[" m"]', "' m' must not begin or end with a space"),
        ("k:", "expires_ms", "99000000000000", ""),
        ("used:", "cost", str(2**63 - 1), ""),
        ("k:", "expires_ms", "253402300799000", ""),
        ("pool", "settings", '{"time_limits":{"*":{"total":200000}," m":{"idle":5}}}', ""),
        (
            "pool",
            "settings",
            orjson.dumps({"time_limits": {f"m{number}": {"idle": 5} for number in range(65)}}).decode(),
            "",
        ),
    ],
)
def test_a_value_of_an_earlier_version(
    store: StoreOfTest, lines: list[bytes], name: str, field: str, value: str, warning: str
) -> None:
    """What a command took once is restored; what has an effect that nobody expects is reported."""
    parsed = [orjson.loads(line) for line in lines]
    line = next(line for line in parsed if line[0] == "key" and line[1].startswith(name))
    line[3][field] = value
    changed = [orjson.dumps(line) for line in parsed]

    checked = CheckedLines(changed)
    list(checked)
    restore(store, changed)

    assert store.client.hget(keys.root(POOL) + line[1], field) == value
    read_everything(store)
    assert len(checked.warnings) == (1 if warning else 0)
    assert all(line[1] in each and warning in each for each in checked.warnings)


def test_a_credential_of_an_earlier_version(store: StoreOfTest, lines: list[bytes]) -> None:
    parsed = [orjson.loads(line) for line in lines]
    account = next(line for line in parsed if line[0] == "key" and line[1].startswith("a:") and line[4])
    account[4]["credential"] = "x" * (MAX_CREDENTIAL_CHARS + 1)

    restore(store, [orjson.dumps(line) for line in parsed])

    sealed = store.client.hget(keys.root(POOL) + account[1], "credential")
    assert VAULT.open(sealed) == account[4]["credential"]


def test_a_team_that_is_missing(store: StoreOfTest, lines: list[bytes]) -> None:
    parsed = [orjson.loads(line) for line in lines]
    key = next(line for line in parsed if line[0] == "key" and line[1].startswith("k:"))
    key[3]["team"] = "blue"

    with pytest.raises(UnreadableFile, match="there is no team 'blue', which an API key has"):
        restore(store, [orjson.dumps(line) for line in parsed])


def test_a_key_that_this_version_does_not_know(store: StoreOfTest, lines: list[bytes]) -> None:
    """No command reads it, so it is left out and reported; everything else is restored."""
    parsed = [orjson.loads(line) for line in lines]
    at = next(at for at, line in enumerate(parsed) if line[0] == "key")
    parsed.insert(at, ["key", "former:x", "hash", {"a": "b"}, {}, 0])
    changed = [orjson.dumps(line) for line in parsed]

    checked = CheckedLines(changed)
    list(checked)
    restore(store, changed)

    assert [each.partition(": ")[2] for each in checked.warnings] == [
        "is left out: this version has no such key"
    ]
    assert "'former:x'" in checked.warnings[0]
    assert not store.client.exists(keys.root(POOL) + "former:x")
    read_everything(store)


def _refusal(store: StoreOfTest, lines: Lines) -> str | None:
    try:
        restore(store, [orjson.dumps(line) for line in lines])
    except UnreadableFile as error:
        return error.message
    return None


def _digest(store: StoreOfTest) -> list[str]:
    return sorted(store.client.scan_iter())


def _mutate(lines: Lines, chance: Random) -> Lines:
    at = chance.randrange(len(lines))
    change = chance.randrange(10)
    if change == 0:
        del lines[at]
    elif change == 1:
        lines.insert(chance.randrange(len(lines) + 1), copy.deepcopy(lines[at]))
    elif change == 2:
        lines.insert(chance.randrange(len(lines)), lines.pop(at))
    else:
        lines[at] = _changed(lines[at], chance)
    return lines


def _changed(value: Any, chance: Random) -> Any:
    """Return *value* with an odd value somewhere in it, also inside of JSON that is stored as text."""
    inner = _json_in(value)
    if inner is not None and chance.random() < 0.7:
        return orjson.dumps(_changed(inner, chance)).decode()
    if not isinstance(value, list | dict) or not value or chance.random() < 0.1:
        return copy.deepcopy(chance.choice(ODD))
    place: Any = chance.choice(list(value)) if isinstance(value, dict) else chance.randrange(len(value))

    if chance.random() < 0.1:
        del value[place]
    elif isinstance(value, dict) and chance.random() < 0.2:
        odd_name = chance.choice([odd for odd in ODD if isinstance(odd, str)])
        value[odd_name] = value.pop(place)
    else:
        value[place] = _changed(value[place], chance)
    return value


def _json_in(value: Any) -> Any:
    try:
        parsed = orjson.loads(value) if isinstance(value, str) else None
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, list | dict) and parsed else None
