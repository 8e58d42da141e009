"""A script with invalid arguments either accepts them, or refuses and leaves the store unchanged."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import StoreError
from app.stores import keys
from app.stores.scripts import PARTS, source
from tests.support.store import CLOCK, START_MS, StoreOfTest, limit

READING = {"authenticate", "unsettled", "snapshot", "usage_report"}
WITHOUT_ARGUMENTS = {"ensure_pool"}
NAMES_ALONE = {
    "leave_queue",
    "remove_key",
    "remove_team",
    "remove_operator",
    "remove_account",
    "end_sessions",
    "use_code",
    "set_role",
    "revoke_invitation",
    "link_identity",
    "unlink_identity",
}
MARKS: list[dict[str, Any]] = [
    {"ok": True, "windows": [[5, START_MS + 60_000, 300], None]},
    {"state": "window_spent", "reason": "r", "wait_ms": 5000, "windows": [None, [100, START_MS + 5000]]},
    {"state": "credential_dead", "reason": "r", "wait_ms": 0, "retest_wait_ms": 0},
    {"state": "credential_dead", "reason": "r", "wait_ms": 0, "base_ms": 1000, "most_ms": 20_000},
    {"soft": True, "reason": "cut", "base_ms": 1000, "most_ms": 20_000},
    {"model": "m", "wait_ms": 5000},
]
FIELDS = {"offer": "c:openai:any", "weight": 1, "cap": 5, "group": 0, "name": "b", "kind": "openai"}


def _session(store: StoreOfTest) -> None:
    store.scripts.run_raw("put_operator", keys.SYSTEM, _OPERATOR)
    store.scripts.run_raw("open_session", keys.SYSTEM, _OPEN_SESSION)


_OPERATOR = {"name": "ann", "role": "owner", "password": "hash", "start": "", "invitation": ""}
_OPERATOR |= {"identity": "", "method": "password", "by_rules": False, "facts": "", "rules": ""}
_INVITATION = {"digest": "i", "id": "i", "role": "viewer", "label": "", "by": "ann", "operator": "ann"}
_INVITATION |= {"life_ms": 3_600_000, "most": 3}
_OPEN_SESSION = {
    "digest": "d",
    "id": "s",
    "operator": "ann",
    "address": "::1",
    "agent": "x",
    "method": "oidc",
    "identity": "",
}
_OPEN_SESSION |= {"idle_ms": 3_600_000, "life_ms": 7_200_000, "most": 3}


_REFUSALS = {
    "key": "k",
    "digest": "",
    "code": "c",
    "count": 2,
    "age_ms": 5,
    "latest": [[5, 1], [1000, 1]],
    "out": True,
    "entries": ["{}", "{}"],
}

_RECORDING = {"key": "k", "digest": "claimed", "run": "1", "lease_ms": 30_000, "retention_ms": 600_000}
_RECORDING_STATES = ("running", "stored", "too_large", "released")


def _arguments(store: StoreOfTest, index: int) -> dict[str, list[Any]]:
    """The arguments of each script; those that are not strings are sent as JSON."""
    admission, mark = store.admission("new", affinity="aff"), MARKS[index % len(MARKS)]
    failed = {"account": "a", "failure": "overloaded", "upstream_status": 503, "upstream_code": "busy"}
    figures = {"output_tokens": 5, "cost": 7, "cached_tokens": 1, "reasoning_tokens": 2, "total_ms": 3}
    row = store.row("open", **figures, attempts=[failed] if index % 2 else [])
    sign_in = {"account": "a", "sign_in": "sealed", "expires_ms": START_MS + 1000}
    return {
        "admit": [admission],
        "report": [store.admission("open") | {"attempt": 1, "mark": mark, "tried": ["a"], "never": []}],
        "withdraw": [
            {
                "id": "open",
                "conversation": "c",
                "calendar": store.calendar(),
                "counted": [["requests", "day"]],
            }
        ],
        "settle": [
            {"id": "open", "mark": mark, "row": row, "calendar": store.calendar(), "ownership": "own"}
        ],
        "store_response": [
            {"key": "k", "digest": "d", "ttl_ms": 5000, "max_responses": 2, "max_bytes": 100}
            | {"max_pool_bytes": 1000},
            "sealed",
        ],
        "claim_recording": [
            _RECORDING | {"digest": "new", "fingerprint": "f", "max_recordings": 1 + index % 2}
        ],
        "record_response": [
            _RECORDING
            | {
                "at": 0,
                "state": _RECORDING_STATES[index % 4],
                "ended": index % 2 == 0,
                "max_bytes": index * 5,
                "max_pool_bytes": index * 2000,
            },
            "sealed" if index else "",
        ],
        "cancel_admission": [("open", "unknown")[index % 2], "c"],
        "renew_leases": ["30000", "open", "other"],
        "set_limits": [
            {"key": "", "team": "red", "was": "[]", "list": "[]", "days": []}
            | {"added": limit("new", "output_tokens", "day", 50), "calendar": store.calendar()}
            if index % 2
            else {"key": "k", "was": store.client.hget(keys.api_key(store.pool, "k"), "limits"), "list": "[]"}
            | {"added": limit("new", "output_tokens", "day", 50), "removed": "day"}
            | {"days": [START_MS - 3_600_000], "calendar": store.calendar()}
        ],
        "change_key": ["k", {"name": "k", "raw": 1, "team": ("red", "blue")[index % 2]}],
        "create_key": ["k2", "k2", "digest", {"id": "k2", "limits": "[]", "team": "red"}],
        "create_team": ["blue", {"name": "blue", "state": "active", "limits": "[]"}],
        "change_team": ["red", {"state": "disabled"}],
        "rotate_key": ["k", "new-digest", "5000"],
        "record_refusals": [
            {"writer": "w", "number": 1, "groups": [_REFUSALS, _REFUSALS | {"key": "unknown"}]}
        ],
        "close_audit": ["entry", "done", "{}"],
        "set_pool": [{"fields": {"policy": "ordered", "zone": "UTC", "settings": "{}"}, "was": ""}],
        "restore_swap": [{"run": "run", "backup": "b", "last_id": "0-0", "replace": True}],
        "add_index_block": [
            {"block": "b", "first": "1-1", "last": "2-1", "count": 2, "after": "", "restored": ""}
        ],
        "store_summary": ["h", "1774742400", "token", {"all": "{}"}],
        "put_account": ["b", "b", FIELDS, ["m"]],
        "set_account_state": ["a", ("active", "paused")[index % 2], "why"],
        "observe_account": [{"account": "a", "fields": {"plan": "x"}, "mark": mark, "room": index % 2 == 0}],
        "lease_refresh": [{"account": "s", "rotation": 0, "refused": index % 2 == 0, "ttl_ms": 5000}],
        "fail_refresh": [
            {"account": "s", "fence": 1, "reason": "r", "dead": index % 2 == 0, "answered": True}
            | {"refused": True, "cool_ms": 1000}
        ],
        "store_tokens": [sign_in | {"account": "s", "fence": 1, "rotation": 0}],
        "replace_tokens": [sign_in],
        "open_session": [_OPEN_SESSION],
        "open_key_session": ["k", "secret-digest", "session", "5000", "3"],
        "put_operator": [_OPERATOR | {"name": "bea", "identity": "d" * (index % 2)}],
        "put_invitation": [_INVITATION],
        "touch_session": ["d", "5000", "rules"],
        "assign_role": [{"name": "ann", "role": "owner", "rules": "r", "facts": "f" * (index % 2)}],
        "set_operator": [{"name": "ann", "fields": {"password": "x", "recovery": ""}}],
        "put_admin_token": [
            {"name": "t", "digest": "d", "by": "ann", "expires_ms": index % 2 * (START_MS + 1000)}
            | {"scope": "read", "operator": "ann"}
        ],
        "touch_admin_token": ["d", "rules"],
        "change_alerts": [
            {"webhook": "ops", "id": "m", "kinds": ["pool", "limit"], "remind_ms": 1000}
            | {"alerts": [{"key": "pool:", "step": "", "begins": True, "alert": "{}"}]}
        ],
        "record_delivery": [
            {"webhook": "ops", "id": "m0", "outcome": ("delivered", "retry")[index % 2]}
            | {"error": "e", "wait_ms": 1000}
        ],
        "reseal": [{"name": "a:s", "field": "sign_in", "old": "x", "new": "y" * 9000}],
        "throttle_sign_in": [
            {"id": "x", "limits": [{"what": "name:x", "most": 3, "window_ms": 1000, "unless": "known"}]}
        ],
    }


OPERATIONS = sorted(set(PARTS) - READING - WITHOUT_ARGUMENTS - NAMES_ALONE)
SYSTEM = {
    "touch_admin_token",
    "open_session",
    "touch_session",
    "set_operator",
    "assign_role",
    "put_operator",
    "put_invitation",
    "put_admin_token",
    "throttle_sign_in",
    "close_audit",
}


def _filled(client: Any) -> StoreOfTest:
    """A pool that contains data of every kind."""
    client.flushall()
    store = StoreOfTest(client)
    client.set(keys.root(keys.SYSTEM) + "test-clock", START_MS)
    store.account("a", cap=5)
    store.account("s", cap=5)
    client.hset(keys.account(store.pool, "s"), mapping={"sign_in": "x", "rotation": 0, "expires_ms": 0})
    store.team("red")
    store.key(
        "k",
        limit("minute", "output_tokens", "minute", 1000),
        limit("day", "cost", "day", 1000),
        limit("parallel", "parallel_requests", "none", 9),
        team="red",
    )
    client.set(keys.secret(store.pool, "secret-digest"), "k")
    store.admit("open", output_tokens=10, cost=10, affinity="aff")
    _session(store)
    for digest in ("ended", "claimed"):
        recording = _RECORDING | {"digest": digest}
        claim = recording | {"fingerprint": "f", "max_recordings": 5}
        store.scripts.run("claim_recording", store.pool, orjson.dumps(claim))
        if digest == "ended":
            stored = recording | {"at": 0, "state": "stored", "ended": True, "max_bytes": 100}
            stored["max_pool_bytes"] = 10_000
            store.scripts.run("record_response", store.pool, orjson.dumps(stored), "sealed")
    root = keys.root(store.pool)
    client.hset(keys.webhooks(store.pool), "ops", "sealed")
    open_alert = {"step": "80", "since_ms": START_MS, "sent_ms": START_MS, "alert": "{}"}
    client.hset(keys.alerts(store.pool, "ops"), "limit:day", orjson.dumps(open_alert))
    client.rpush(keys.alert_messages(store.pool, "ops"), '{"id": "m0"}')
    client.hset(keys.root(keys.SYSTEM) + "audit-open", "entry", "{}")
    client.hset(keys.summary(store.pool, "h", 1774742400), "begun", "token")
    client.set(root + "restore-by", "run")
    client.sadd(root + "restore:run", "k:zz")
    client.hset(root + "restore:run:k:zz", "id", "zz")
    return store


def _state(client: Any) -> dict[str, Any]:
    """Return every key with its value, in stored order, and its expiry."""
    read = {
        "string": client.get,
        "hash": client.hgetall,
        "zset": lambda name: client.zrange(name, 0, -1, withscores=True),
        "set": lambda name: sorted(client.smembers(name)),
        "stream": client.xrange,
        "list": lambda name: client.lrange(name, 0, -1),
    }
    names = sorted(client.scan_iter(count=1000))
    return {name: (read[client.type(name)](name), client.pexpiretime(name)) for name in names}


TEXTS = ["", "x", "12", "nan", "inf", "9" * 400, "x" * 5000]
NUMBERS = [0, -1, 1.5, 2**31, 2**53, 2**53 + 1, 2**63, 2**64 - 1, 1e15, 1e18, 1e30, 1e300, -1e300, 1e308]
JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, *TEXTS, *NUMBERS, [], {}, [1], [[]], {"a": 1}, [None]]
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps: list[Any] = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    return [path] * bool(path) + [place for step in steps for place in _places(value[step], (*path, step))]


def _with(value: Any, place: tuple[Any, ...], junk: Any, *, remove: bool) -> Any:
    changed = copy.deepcopy(value)
    holder = changed
    for step in place[:-1]:
        holder = holder[step]
    if remove:
        del holder[place[-1]]
    else:
        holder[place[-1]] = junk
    return changed


def _encoded(argument: Any) -> Any:
    return argument if isinstance(argument, str) else orjson.dumps(argument)


@pytest.mark.parametrize("operation", OPERATIONS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_all_or_nothing(redis_client: Any, operation: str, data: st.DataObject) -> None:
    store = _filled(redis_client)
    arguments = _arguments(store, data.draw(st.integers(0, 9)))[operation]
    for _ in range(data.draw(st.integers(0, 2))):
        place = data.draw(st.sampled_from(_places(arguments)))
        remove = data.draw(st.booleans()) and len(place) > 1
        arguments = _with(arguments, place, data.draw(JUNK), remove=remove)
    pool = keys.SYSTEM if operation in SYSTEM else store.pool
    before = _state(redis_client)
    error = _error(redis_client, operation, pool, arguments)
    if error:
        assert "user_script" in error
        assert _state(redis_client) == before, error


def _error(client: Any, operation: str, pool: str, arguments: list[Any]) -> str:
    names = (2, keys.root(pool), keys.pool(pool))
    try:
        client.eval(source(operation, CLOCK), *names, *map(_encoded, arguments))
    except StoreError as error:
        return str(error.__cause__)
    return ""


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("index", range(10))
def test_what_is_right_is_taken(redis_client: Any, operation: str, index: int) -> None:
    """Valid arguments are accepted: otherwise the test above would prove nothing."""
    store = _filled(redis_client)
    pool = keys.SYSTEM if operation in SYSTEM else store.pool
    store.scripts.run(operation, pool, *map(_encoded, _arguments(store, index)[operation]))
