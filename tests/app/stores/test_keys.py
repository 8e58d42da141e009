"""Key names are the same in Python and in scripts, and each is in the slot of its pool."""

from __future__ import annotations

import inspect
from importlib import resources
from typing import Any

import pytest
from redis.crc import key_slot

from app.stores import keys

LUA = resources.files("app.stores") / "lua"
POOL = "p"
START_SECONDS = 1_774_742_400

# what a script writes -> what Python reads
SAME = {
    "POOL": keys.pool(POOL),
    "LEASES": keys.leases(POOL),
    "LEDGER": keys.ledger(POOL),
    "REFUSALS": keys.refusals(POOL),
    "LATEST_REFUSALS": keys.latest_refusals(POOL),
    "NAMES": keys.account_names(POOL),
    "KEY_NAMES": keys.key_names(POOL),
    "LAST_USED": keys.last_used(POOL),
    "account_key('x')": keys.account(POOL, "x"),
    "api_key_key('x')": keys.api_key(POOL, "x"),
    "TEAMS": keys.team_names(POOL),
    "team_key('x')": keys.team(POOL, "x"),
    "secret_key('x')": keys.secret(POOL, "x"),
    "request_key('x')": keys.request(POOL, "x"),
    "settled_key('x')": keys.settled(POOL, "x"),
    "limit_key('x')": keys.limit(POOL, "x"),
    "used_key('x')": keys.used(POOL, "x"),
    f"rollup_key('h', {START_SECONDS * 1000})": keys.rollup(POOL, "h", START_SECONDS),
    f"team_rollup_key('h', {START_SECONDS * 1000})": keys.team_rollup(POOL, "h", START_SECONDS),
    f"rollup_names_key({START_SECONDS * 1000})": keys.rollup_names(POOL, START_SECONDS),
    "rollup_starts_key('d')": keys.rollup_starts(POOL, "d"),
    f"summary_key('m', {START_SECONDS * 1000})": keys.summary(POOL, "m", START_SECONDS),
    "refusal_batches_key('x')": keys.refusal_batches(POOL, "x"),
    f"refused_key({START_SECONDS * 1000})": keys.refused(POOL, START_SECONDS),
    "answer_key('x')": keys.cached_response(POOL, "x"),
    "answers_key('x')": keys.cached_responses(POOL, "x"),
    "recording_key('x')": keys.recording(POOL, "x"),
    "recorded_pieces_key('x', 'y')": keys.recorded_pieces(POOL, "x", "y"),
    "recordings_key('x')": keys.recordings(POOL, "x"),
    "recorded_sizes_key('x')": keys.recorded_sizes(POOL, "x"),
}
SAME_OF_SYSTEM = {
    "AUDIT": keys.audit(),
    "AUDIT_OPEN": keys.audit_open(),
    "START": keys.start_token(),
    "POLICY": keys.sign_in_policy(),
    "OPERATORS": keys.operators(),
    "TOKENS": keys.admin_tokens(),
    "operator_key('x')": keys.operator("x"),
    "session_key('x')": keys.session("x"),
    "sessions_key('x')": keys.sessions("x"),
    "token_key('x')": keys.admin_token("x"),
    "attempts_key('x')": keys.sign_in_attempts("x"),
}


@pytest.mark.parametrize(
    ("pool", "parts", "names"),
    [(POOL, ["keys"], SAME), (keys.SYSTEM, ["keys", "operators"], SAME_OF_SYSTEM)],
    ids=["pool", "system"],
)
def test_scripts_use_the_same_names(
    redis_client: Any, pool: str, parts: list[str], names: dict[str, str]
) -> None:
    text = "\n".join((LUA / f"{part}.lua").read_text() for part in parts)
    script = f"{text}\nreturn {{ {', '.join(names)} }}"

    assert redis_client.eval(script, 1, keys.root(pool)) == list(names.values())


def test_all_keys_of_a_pool_are_in_one_slot() -> None:
    slots = set()
    for name, function in inspect.getmembers(keys, inspect.isfunction):
        parameters = inspect.signature(function).parameters
        if name != "root" and "name" in parameters and name != "operator":
            arguments = [POOL, *("1" for _ in list(parameters)[1:])]
            slots.add(key_slot(function(*arguments).encode()))

    assert slots == {key_slot(keys.root(POOL).encode())}


def test_no_pool_can_have_the_name_of_the_system_keys() -> None:
    assert keys.POOL_NAME.fullmatch(keys.SYSTEM) is None
