"""
Why a request went where it went: what the scripts noted at each choice, with names for ids.

A choice is explained by the numbers that were compared when it was made, not by those of now.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import orjson

from app.errors import NotFound
from app.ledger import sentences
from app.stores import keys
from app.stores.client import store_errors

PAGE = 500  # ledger entries read at a time
FIGURES = (
    *("source", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"),
    *("cost", "waste_cost", "first_ms", "total_ms", "counted_by", "unreported"),
    *("unreported_input_tokens", "unreported_output_tokens", "unreported_cost"),
)

Json = dict[str, Any]
AHEAD_OF_ITS_GROUP, GROUP_WIDTH = 1e11, 1e12  # of scores; see policy.lua


def explain(client: Any, pool: str, request_id: str, *, entry_id: str = "", most: int | None = None) -> Json:
    """
    Return why *request_id*, open or settled, went where it went.

    {id, state: open | expired | settled | refused, at (Unix seconds), key, model, endpoint, status, error,
    outcome, charged, usage, choices}; a refused one has message, param, limit and accounts as well. outcome
    is a sentence; charged one about usage that was not reported, or empty; usage has the figures of the
    ledger, none while it is open. A choice is {attempt, at, by:
    policy | affinity | asked again | None, policy, account (None: none was available), in_flight, cap,
    spare, why, candidates: [{account, score, why}], out: [{account, state, reason, until}], tries: [{wire,
    failure, error, action, outcome, …}]}; each why and outcome is a sentence. An account is {id, name}; its
    name is None once it is removed, its score is None where it was not compared.

    *entry_id* is its place in the ledger, where that is known; *most* is how many entries are looked
    through, from the newest, where it is not. Raises NotFound.
    """
    found = (
        _open(client, pool, request_id)
        or _refused(client, pool, request_id)
        or _settled(client, pool, request_id, entry_id, most)
    )
    if found is None:
        raise NotFound(f"There is no request '{request_id[:64]}' in pool '{pool}'", param="id")
    row, notes = found
    with store_errors():
        ids = client.hgetall(keys.account_names(pool))
        key_name = client.hget(keys.api_key(pool, row["key"]), "name")
    names = {account_id: name for name, account_id in ids.items()}
    tries = row.pop("attempts", [])
    return {
        **row,
        "key": {"id": row["key"], "name": key_name},
        "outcome": sentences.outcome(row),
        "charged": sentences.charged(row["usage"]),
        "choices": _choices(notes, tries, names),
    }


def _refused(client: Any, pool: str, request_id: str) -> tuple[Json, list[Json]] | None:
    """A refusal that is retained in full; its one choice found no account."""
    with store_errors():
        entries = client.xrevrange(keys.refusals(pool))
    for _, fields in entries:
        if request_id not in fields["row"]:
            continue
        stored = orjson.loads(fields["row"])
        if stored["id"] == request_id:
            row = {
                "id": request_id,
                "state": "refused",
                "at": stored["at_ms"] / 1000,
                "key": fields["key"],
                **{name: stored[name] for name in ("model", "endpoint", "status", "error", "message")},
                **{name: stored.get(name) for name in ("param", "limit", "accounts")},
                "usage": {},
            }
            note = {"attempt": 1, "now": stored["at_ms"], "chosen": "", "seen": stored.get("seen")}
            note["out"] = orjson.loads(fields["out"])
            return row, [note] if stored.get("accounts") else []
    return None


def _open(client: Any, pool: str, request_id: str) -> tuple[Json, list[Json]] | None:
    with store_errors():
        stored = client.hgetall(keys.request(pool, request_id))
    if not stored:
        return None
    row = {
        "id": request_id,
        "state": "expired" if "expired" in stored else "open",
        "at": int(stored["started_ms"]) / 1000,
        **{name: stored[name] for name in ("key", "model", "endpoint")},
        "status": None,
        "error": None,
        "usage": {},
    }
    return row, orjson.loads(f"[{stored['why']}]")


def _settled(
    client: Any, pool: str, request_id: str, entry_id: str, most: int | None
) -> tuple[Json, list[Json]] | None:
    for entry in _entries(client, pool, request_id, entry_id, most):
        told = orjson.loads(entry["row"])
        if told["id"] == request_id:
            row = {
                "id": request_id,
                "state": "settled",
                "at": told["at_ms"] / 1000,
                **{name: told[name] for name in ("key", "model", "endpoint", "status")},
                "error": told.get("error"),
                "usage": {name: told[name] for name in FIGURES if name in told},
                "attempts": told.get("attempts", []),
            }
            return row, orjson.loads(entry["why"])
    return None


def _entries(
    client: Any, pool: str, request_id: str, entry_id: str, most: int | None
) -> Iterator[dict[str, str]]:
    """The ledger entry of *request_id*, if it is known which one it is; else *most* or all, newest first."""
    with store_errors():
        known = entry_id or client.get(keys.settled(pool, request_id))
        if known and (entries := client.xrange(keys.ledger(pool), known, known)):
            yield entries[0][1]
            return
    last, read = "+", 0
    while most is None or read < most:
        with store_errors():
            entries = client.xrevrange(keys.ledger(pool), last, count=PAGE)
        yield from (fields for _, fields in entries if request_id in fields["row"])
        if len(entries) < PAGE:
            return
        read += PAGE
        last = f"({entries[-1][0]}"


def _shared_out(notes: list[Json], tries: list[Json]) -> Iterator[list[Json]]:
    """
    Yield what was tried for each choice, in order.

    A choice is tried once, or twice where its refused credential was renewed in between.
    """
    left = list(tries)
    for note in notes:
        mine: list[Json] = []
        while left and left[0]["account"] == note["chosen"] and (not mine or _renewed(mine[-1])):
            mine.append(left.pop(0))
        yield mine


def _renewed(tried: Json) -> bool:
    return tried.get("failure") == "credential"


def _choices(notes: list[Json], tries: list[Json], names: dict[str, str]) -> list[Json]:
    choices = [
        _choice(note, mine, names) for note, mine in zip(notes, _shared_out(notes, tries), strict=True)
    ]
    for choice, following in zip_longest(choices, choices[1:]):
        next_account = _name(following["account"]) if following and following["account"] else ""
        for tried, more in zip_longest(choice["tries"], choice["tries"][1:]):
            then = sentences.after_failure(
                tried, again=more is not None, next_account=next_account, last=following is None
            )
            tried["outcome"] = sentences.attempt(tried, _name(choice["account"]), then)
    return choices


def _name(account: Json) -> str:
    return account["name"] or f"{account['id']} (removed)"


def _choice(note: Json, tries: list[Json], names: dict[str, str]) -> Json:
    def account(account_id: str) -> Json:
        return {"id": account_id, "name": names.get(account_id)}

    seen = [(one, *_shown(score, why, note), score) for one, score, why in note.get("seen") or ()]
    chosen_score = next((score for one, *_, score in seen if one == note["chosen"]), None)
    tested = chosen_score is not None and _is_test(chosen_score, note)
    choice = {
        "attempt": note["attempt"],
        "at": note["now"] / 1000,
        "by": note.get("by"),
        "policy": note.get("policy"),
        "account": account(note["chosen"]) if note["chosen"] else None,
        **{name: note.get(name) for name in ("in_flight", "cap", "spare")},
        "candidates": [
            {
                "account": account(one),
                "score": shown,
                "why": sentences.candidate(one == note["chosen"], why, score or None, chosen_score),
            }
            for one, shown, why, score in seen
        ],
        "out": [
            {
                "account": account(one),
                "state": state or "removed",
                "reason": reason or "",
                "until": until_ms / 1000 if until_ms else None,
            }
            for one, state, reason, until_ms in note.get("out") or ()
        ],
        "tries": [{name: value for name, value in one.items() if name != "account"} for one in tries],
    }
    if not choice["account"]:
        return choice | {"why": "no account was available"}
    return choice | {"why": sentences.selection(choice, tested=tested)}


def _shown(score: Any, why: str, note: Json) -> tuple[float | None, str]:
    """Return a candidate's score, None where it was not compared, and why it was not chosen."""
    if score is False:
        return None, why
    return (None, why or "being tested") if _is_test(score, note) else (score, why)


def _is_test(score: float, note: Json) -> bool:
    """Return whether *score* is that of an account whose test was due. Source: `score` in policy.lua."""
    group = score + AHEAD_OF_ITS_GROUP
    return group == 0 or (note.get("policy") == "ordered" and group % GROUP_WIDTH == 0)
