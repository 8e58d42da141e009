"""
Cases about the admin API: every endpoint and every field of its API document, with values that do not fit.

`@POOL@`, `@LIMIT@` and `@UPSTREAM@` in addresses and bodies are put in when a case is played.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from app.limits.limit_syntax import parse_limit
from app.stores import keys
from tests.fuzz.afterwards import Operator
from tests.fuzz.case import Call, Json, Played, Shown
from tests.fuzz.judge import envelope, late, logged
from tests.fuzz.stage import Heard, Stage, send
from tests.fuzz.values import WORDS, odd, text_of, written
from tests.support.gateway import PoolOfTest

API = "/admin/api"
ACCOUNT = {"name": "new", "kind": "compatible", "base_url": "@UPSTREAM@", "models": ["m", "m2"]}
KEY = {
    "models": ["m", "gpt-*"],
    "accounts": ["a"],
    "expires": "2030-01-31",
    "raw": True,
    "owner": "Ann",
    "labels": {"a": "b"},
}
TOKENS = {"access_token": "t", "refresh_token": "r", "id_token": "i", "account_id": "acc-1"}
BODIES: dict[str, Json] = {
    "POST /pools": {"name": "@POOL@-x", "policy": "ordered", "zone": "UTC"},
    "PATCH /pools/{pool}": {
        **{"policy": "balanced", "zone": "Europe/Rome", "names_accounts": False, "tells_windows": False},
        **{"holders_rotate": False},
        **{"stream_upstream": "always", "affinity_minutes": 5, "keep_days": 9, "assumed_output_tokens": 100},
        **{
            "assumed_context_tokens": 1000,
            "queue_seconds": 20,
            "queue_length": 50,
            "time_limits": {"m*": {"total": 30, "idle": None}},
        },
    },
    "POST /keys/{name}/limits": {"limit": "1000000 total_tokens/day", "model": "m*", "mode": "balanced"},
    "PATCH /keys/{name}/limits/{limit_id}": {"limit": "1000 requests/day", "mode": "balanced"},
    "POST /pools/{pool}/limits": {"limit": "90 usd/month", "model": "gpt-*", "mode": "strict"},
    "PATCH /pools/{pool}/limits/{limit_id}": {"limit": "1000 requests/day"},
    "POST /accounts": ACCOUNT
    | {"weight": 2, "cap": 5, "group": 1, "wires": ["chat"], "credential": "sk-new", "must_answer": False},
    "POST /accounts/import": {"name": "new", "auth_json": {"tokens": TOKENS, "last_refresh": "2026-01-31"}},
    "PATCH /accounts/{name}": {"models": ["m"], "weight": 2, "cap": 5, "group": 1, "credential": "sk-other"},
    "POST /accounts/{name}/test": {"model": "m"},
    "POST /accounts/sign-ins/device": {"name": "new"},
    "POST /accounts/sign-ins/browser": {"name": "new"},
    "POST /accounts/sign-ins/browser/{flow}": {
        "address": "http://localhost:1455/auth/callback?code=a&state=b"
    },
    "POST /keys": {
        "name": "new",
        **KEY,
        "limits": ["5 requests/minute"],
        "output_tokens": 9,
        "on_cut": "fail",
        "queue_seconds": 5,
        "weight": 2,
    },
    "PATCH /keys/{name}": {**KEY, "output_tokens": 9, "on_cut": "restart", "queue_seconds": 6, "weight": 3},
    "POST /accounts/bulk": {"names": ["a", "gone"], "do": "change", "fields": {"weight": 2}, "force": False},
    "POST /keys/bulk": {"names": ["a", "gone"], "do": "change", "fields": {"weight": 2}},
    "POST /teams/bulk": {"names": ["a"], "do": "change", "fields": {"key_limits": ["5 requests/minute"]}},
    "POST /keys/{name}/rotate": {"overlap_seconds": 60},
    "PUT /prices/{model}": {
        **{"input": 1.25, "output": 10, "cached_input": 0.125},
        **{"context": 128000, "max_output": 16000, "image": 1000},
    },
    "POST /webhooks": {"name": "ops", "url": "http://127.0.0.1:1/", "on": ["pool"], "secret": "s" * 16},
    "PATCH /webhooks/{name}": {"format": "slack", "private": True, "remind_hours": 3},
    "PUT /model-routes/{name}": {
        "steps": [[{"model": "m", "accounts": [], "weight": 2}, {"model": "n"}], [{"model": "o"}]],
        "defaults": {"temperature": 0.5},
        "overrides": {"max_tokens": 9},
    },
    "POST /teams": {"name": "new", "limits": ["90 usd/month"], "key_limits": ["5 requests/minute"]},
    "PATCH /teams/{name}": {"key_limits": ["5 requests/minute"]},
    "POST /teams/{name}/limits": {"limit": "90 usd/month", "model": "gpt-*", "mode": "strict"},
    "PATCH /teams/{name}/limits/{limit_id}": {"limit": "1000 requests/day", "mode": "balanced"},
    "PATCH /operators/{name}": {"role": "viewer"},
    "POST /invitations": {"role": "viewer", "expires": "1h", "label": "bea"},
    "POST /apply": {"document": {"teams": [{"name": "new"}]}, "secrets": {"VARIABLE": "value"}},
    "POST /import/accounts": {"content": {"tokens": TOKENS, "last_refresh": "2026-01-31"}, "name": "new"},
    "POST /import/litellm": {
        "config": {"model_list": [{"model_name": "m", "litellm_params": {"model": "openai/gpt-5"}}]},
        "keys": {"keys": []},
        "teams": [],
        "secrets": {"OPENAI_API_KEY": "sk-other"},
    },
}
QUERIES = {
    **{"pool": "@POOL@", "force": "true", "model": "m", "span": "24h", "by": "key", "top": "5", "key": "k"},
    **{"account": "a", "status": "200", "refused": "true", "since": "2026-01-31", "until": "2030-01-31"},
    **{"limit": "10", "who": "ann", "action": "key.create", "team": "a", "owner": "Ann", "label": "a=b"},
    **{"dry_run": "true", "format": "yaml", "from": "2026-01-31", "to": "2026-02-28"},
}
DOCUMENT = "document"  # errors name the place in it
PLACES = {
    "pool": "@POOL@",
    "limit_id": "@LIMIT@",
    "model": "gpt-x",
    "request_id": "r",
    "flow": "f",
    "invitation_id": "i",
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE")
SAFE = ("GET", "HEAD", "OPTIONS")
# indexes and sums that a reader of the ledger leaves for the next reader, and when a token was last used
DERIVED = ("}:rolls:", "}:sum:", "}:breakdown:", "}:measured:", "}:adm:")
NEEDS_UPSTREAM = ("/test", "/sign-ins/")  # what answers with an upstream's failure
SHOWN = {  # what a change is read back at, and the fields that are shown as they were sent
    "POST /keys": ("/keys/{name}", ("models", "raw", "output_tokens", "on_cut", "weight")),
    "PATCH /keys/{name}": ("/keys/{name}", ("models", "raw", "output_tokens", "on_cut", "weight")),
    "POST /accounts": ("/accounts/{name}", ("kind", "models", "weight", "cap", "group", "wires")),
    "PATCH /accounts/{name}": ("/accounts/{name}", ("models", "weight", "cap", "group")),
    "PATCH /pools/{pool}": (
        "/pools/{name}",
        ("policy", "zone", "names_accounts", "tells_windows", "affinity_minutes", "keep_days"),
    ),
}


@dataclass(frozen=True, slots=True)
class Operation:
    """*template*: method and address below the API, as the document has them. *fields*: of its body."""

    template: str
    fields: tuple[str, ...]
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AdminCall:
    """*token*: full, read, or what is presented instead. *field*: the only thing that is odd, if one is."""

    template: str
    call: Call
    token: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class AdminCase(Shown):
    calls: tuple[AdminCall, ...]


def operations_of(document: Json) -> list[Operation]:
    found = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            schema = next(iter(content.values()), {}).get("schema", {})
            parameters = tuple(one["name"] for one in operation["parameters"] if one["in"] == "query")
            template = f"{method.upper()} {path.removeprefix(API)}"
            fields = tuple(schema.get("properties", {}))
            assert not fields or template in BODIES, template
            found.append(Operation(template, fields, parameters))
    return found


def admin_case(name: str, chance: Random, known: list[Operation]) -> AdminCase:
    changing = [one for one in known if not one.template.startswith("GET ")]
    chosen = (chance.choice(changing if chance.random() < 0.75 else known) for _ in range(3))
    return AdminCase(name, tuple(_call(chance, one) for one in chosen))


def _call(chance: Random, operation: Operation) -> AdminCall:
    method, _, template = operation.template.partition(" ")
    body, field = b"", ""
    if operation.fields:
        body, field = _body(chance, operation)
    elif chance.random() < 0.1:
        body, field = odd(chance).encode("utf-8", "surrogatepass"), "?"
    path, odd_place = _path(chance, template)
    query, odd_query = _query(chance, operation)
    if chance.random() < 0.04:
        method, field = chance.choice(METHODS), "?"
    if odd_place or odd_query:
        field = "?"
    token = "full" if chance.random() < 0.9 else chance.choice(("read", "read", "", "pgadm-x", "\xff" * 50))
    headers = {"content-type": "application/json"} if chance.random() < 0.95 else {}
    call = Call(method, f"{API}{path}{query}", headers, body)
    return AdminCall(operation.template, call, token, field)


def _body(chance: Random, operation: Operation) -> tuple[bytes, str]:
    """Return a body, and which field alone is odd: `?` for more than one, empty for none."""
    body, kind = dict(BODIES.get(operation.template, {})), chance.random()
    if kind < 0.15:
        return json.dumps(body).encode(), ""
    if kind < 0.65:
        field = chance.choice(operation.fields)
        body.pop(field, None)
        value = odd(chance, strict=True)
        text = json.dumps(body)
        text = f"{text[:-1]}{', ' if body else ''}{json.dumps(field)}: {value}}}"
        return text.encode("utf-8", "surrogatepass"), "?" if field == DOCUMENT else field
    if kind < 0.9:
        return written(body, chance, chance.randrange(1, 3)).encode("utf-8", "surrogatepass"), "?"
    if kind < 0.95:
        name, text = chance.choice((*operation.fields, *WORDS)), json.dumps(body)
        return f"{text[:-1]}, {json.dumps(name)}: {odd(chance)}}}".encode("utf-8", "surrogatepass"), "?"
    return odd(chance).encode("utf-8", "surrogatepass"), "?"


def _path(chance: Random, template: str) -> tuple[str, bool]:
    """Return the address, and whether something in it is odd."""
    name = "k" if template.startswith("/keys") else "a"
    path, is_odd = template, False
    for place, usual in {**PLACES, "name": chance.choice((name, name, name, "new"))}.items():
        if f"{{{place}}}" not in path:
            continue
        value = usual
        if chance.random() < 0.1:
            is_odd = True
            value = quote((text_of(odd(chance)) or "x")[:1500], safe="") or "%00"
        path = path.replace(f"{{{place}}}", value)
    return path, is_odd


def _query(chance: Random, operation: Operation) -> tuple[str, bool]:
    pairs, is_odd = [], False
    for name in operation.parameters:
        if name != "pool" and chance.random() < 0.5:
            continue
        value = QUERIES.get(name, "x")
        if chance.random() < 0.08:
            is_odd = True
            value = (text_of(odd(chance)) or "")[:1500]
            value += "!" if name == "pool" else ""  # no pool that other cases would share
        pairs += [(name, value)] * (2 if chance.random() < 0.02 else 1)
    if chance.random() < 0.03:
        pairs.append((chance.choice(WORDS), "1"))
    is_odd = (
        is_odd or len(pairs) != len({name for name, _ in pairs}) or any(name in WORDS for name, _ in pairs)
    )
    text = urlencode(pairs, safe="@", errors="surrogatepass")
    return (f"?{text}" if text else ""), is_odd


class AdminFuzzer:
    def __init__(self, stage: Stage, operator: Operator) -> None:
        self._stage = stage
        self._operator = operator
        self._operations = operations_of(self._operator.document())
        self.met: set[tuple[str, str, int]] = set()  # what was answered to which field of which operation
        self._lock = threading.Lock()

    def case(self, name: str, chance: Random) -> Shown:
        return admin_case(name, chance, self._operations)

    def play(self, case: Shown) -> Played:
        assert isinstance(case, AdminCase)
        watch, pool = self._stage.watch(), self._stage.gateway.pool()
        upstream = self._stage.upstream.scoped(pool.name)
        pool.account("a", upstream.base_url("a"))
        limit = parse_limit("100000 requests/day")
        pool.key("k", limits=(limit,))
        secret = pool.key("untouched")
        there = {"@POOL@": pool.name, "@LIMIT@": limit.id, "@UPSTREAM@": upstream.base_url("b")}
        found, statuses = [], []
        for number, each in enumerate(case.calls):
            heard, faults = self._made(pool, _placed(each, there))
            statuses.append(heard.status)
            found += [f"call {number}: {fault}" for fault in faults]
        found += self._operator.faults(case.name, pool, secret)
        found += [*logged(watch.log()), *late(watch.turns())]
        upstream.reset()
        self._stage.forget(PoolOfTest(self._stage.gateway, f"{pool.name}-x"))
        return Played(pool, statuses, found)

    def _made(self, pool: PoolOfTest, each: AdminCall) -> tuple[Heard, list[str]]:
        before = self._stored(pool)
        token = {"full": self._operator.full, "read": self._operator.read}.get(each.token, each.token)
        heard = send(self._stage.gateway.url, each.call, token)
        faults = list(_response(each, heard))
        if heard.status >= 400 and heard.call.method not in SAFE and (after := self._stored(pool)) != before:
            changed = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
            faults.append(f"{each.template} was refused, and yet changed {changed}: {heard.body[:200]!r}")
        method = each.template.partition(" ")[0]
        if 200 <= heard.status < 300 and each.template in SHOWN and heard.call.method == method:
            faults += self._read_back(pool, each)
        return heard, faults

    def _stored(self, pool: PoolOfTest) -> dict[str, bytes]:
        """Return all that is stored of *pool* and of the one that a case may create."""
        client = self._stage.client
        roots = (keys.root(pool.name), keys.root(f"{pool.name}-x"))
        names = [name for root in roots for name in client.scan_iter(root + "*", count=10_000)]
        return {
            name: _content(client, name)
            for name in sorted(names)
            if not any(part in name for part in DERIVED)
        }

    def _read_back(self, pool: PoolOfTest, each: AdminCall) -> Iterator[str]:
        try:
            sent = orjson.loads(each.call.body or b"{}")
        except ValueError:
            yield f"accepted, and is not JSON: {each.call.body[:200]!r}"
            return
        template, fields = SHOWN[each.template]
        path = each.call.path.partition("?")[0].removeprefix(API)
        name = sent["name"] if each.template.startswith("POST") else path.rpartition("/")[2]
        address = f"{API}{template.replace('{name}', name)}"
        address += "" if template.startswith("/pools") else f"?pool={pool.name}"
        heard = send(self._stage.gateway.url, Call("GET", address), self._operator.full)
        if heard.status != 200:
            yield f"accepted, and cannot be read at {address}: {heard.status} {heard.body[:200]!r}"
            return
        shown = orjson.loads(heard.body)
        shown |= shown.get("settings", {})
        for field in fields:
            if field in sent and field in shown and not _is_same(shown[field], sent[field]):
                yield f"{field} was sent as {sent[field]!r} and reads {shown[field]!r}"


def _placed(each: AdminCall, there: dict[str, str]) -> AdminCall:
    path, body = each.call.path, each.call.body
    for mark, value in there.items():
        path, body = path.replace(mark, value), body.replace(mark.encode(), value.encode())
    return replace(each, call=replace(each.call, path=path, body=body))


def _is_same(shown: Any, sent: Any) -> bool:
    if isinstance(sent, list) and isinstance(shown, list):
        return set(map(str, shown)) == set(map(str, sent))
    return bool(shown == sent)


def _content(client: Any, name: str) -> Any:
    """Return what is stored at *name*, in an order that does not depend on how it came there."""
    kind = client.type(name)
    read = {"string": client.get, "hash": client.hgetall, "set": client.smembers, "stream": client.xrange}
    return (
        client.zrange(name, 0, -1, withscores=True)
        if kind == "zset"
        else read[kind](name)
        if kind in read
        else None
    )


def _response(each: AdminCall, heard: Heard) -> Iterator[str]:
    """No failure of ours; a refusal names the field; nothing is changed by who may only read."""
    if heard.broken or not heard.status:
        yield f"the answer broke: {heard.status} {heard.broken}"
        return
    if heard.call.method == "HEAD":
        return
    if heard.status >= 400:
        yield from envelope(heard)
        yield from _named(each, heard)
    elif each.token != "full" and (each.token != "read" or heard.call.method not in SAFE):
        yield f"{each.call.method} {each.call.path}: {heard.status} for the token {each.token!r}"
    if heard.status >= 500 and not any(part in each.call.path for part in NEEDS_UPSTREAM):
        yield f"{heard.status} {heard.body[:300]!r}"


def _named(each: AdminCall, heard: Heard) -> Iterator[str]:
    if heard.status != 400 or each.field in ("", "?") or each.token != "full":
        return
    try:
        error = orjson.loads(heard.body)["error"]
    except (ValueError, KeyError, TypeError):
        return
    sent_text = f"{error.get('param')} {error['message']}"
    if each.field not in sent_text and "not valid JSON" not in sent_text:
        yield f"{each.field} is not named: {error} {each.call.body[:300]!r}"
