"""
Checks of the content of each kind of stored key: those that it passed when it was created.

A family is a name, or a prefix that ends with ':', as in `app.stores.keys`. Indexes that a pool can rebuild
are not restored (`dump.EXCLUDED`), so they have no check.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from app.accounts.pools import checked_policy, checked_zone
from app.accounts.settings import check_settings
from app.backup.account_values import check_account, check_account_names
from app.backup.key_values import (
    check_api_key,
    check_counters,
    check_key_names,
    check_secret,
    check_team,
    check_team_names,
)
from app.backup.operator_values import (
    check_admin_token,
    check_admin_tokens,
    check_audit,
    check_identity,
    check_operator,
    check_operators,
    check_sign_in_policy,
)
from app.backup.pool_contents import PoolContents, check_limits
from app.backup.request_values import (
    check_figures,
    check_leases,
    check_measured,
    check_refusals,
    check_refused,
    check_request,
    check_rollup,
)
from app.backup.value_checks import (
    LATEST_MS,
    MAX_TEXT,
    Unfit,
    check_finite,
    check_hash,
    check_id,
    check_integer,
    check_json,
    check_plain,
    check_text,
    is_clear,
    number,
)
from app.limits.prices import FLEX, PRIORITY, STANDARD, Price
from app.patterns import pattern_error
from app.stores import dump
from app.stores.dump import Record
from schemas.admin import MAX_DOLLARS, MAX_MODEL_TOKENS, PriceInput
from schemas.model_routes import ROUTE_INPUT
from schemas.webhooks import STORED_WEBHOOK, WEBHOOK_NAME

Check = Callable[[PoolContents, str, Any], None]


MILLION = 1_000_000


def check_record(pool: PoolContents, record: Record, clear: Any) -> None:
    """Check one key, with its decrypted secrets in *clear*, by field. Raises Unfit or a schema's error."""
    name, kind, value, expires_ms = record
    check_text(name, "the name of a key")
    check_integer(expires_ms, "the expiry", 0, LATEST_MS)
    if not isinstance(clear, dict) or (clear and kind != "hash"):
        raise Unfit("only a hash has secrets")
    for secret_name, secret in clear.items():
        check_text(secret_name, "the name of a secret")
        check_plain(secret, "a secret")
    if dump.is_one_of(name, dump.EXCLUDED):
        return  # not restored
    if (family := _family_of(name)) is None:
        pool.warnings.append("is left out: this version has no such key")
        return
    if name != family and not _is_suffix(name[len(family) :]):
        raise Unfit("is no key of a pool")
    expected, check = FAMILIES[family]
    if kind != expected:
        raise Unfit(f"must be a {expected}")
    if kind != "stream" and family not in dump.MARKERS:
        if name in pool.seen:
            raise Unfit("occurs twice")
        pool.seen.add(name)
    _check_shape(pool, record)
    if clear:
        value = value | clear  # in the form in which they are restored
    check(pool, name[len(family) :], value)


def is_restored(name: str) -> bool:
    """Return whether a restore writes the key *name*: it is known, and not derived from others."""
    return not dump.is_one_of(name, dump.EXCLUDED) and _family_of(name) is not None


def _family_of(name: str) -> str | None:
    return next((family for family in FAMILIES if dump.is_one_of(name, (family,))), None)


def _is_suffix(text: str) -> bool:
    return 0 < len(text) <= MAX_TEXT and text.isprintable()


def _check_shape(pool: PoolContents, record: Record) -> None:
    name, kind, value, _ = record
    if kind == "stream":
        pool.check_stream(name, value)
    elif kind == "hash":
        check_hash(value)
    elif kind == "string":
        check_plain(value, "its value")
    elif kind == "set":
        if not isinstance(value, list) or not value:
            raise Unfit("must have members")
        for member in value:
            check_text(member, "a member")
    else:
        check_hash(value)
        for score in value.values():
            if math.isnan(number(score)):
                raise Unfit("a score must be a number")


def _check_pool(pool: PoolContents, _suffix: str, fields: Mapping[str, str]) -> None:
    if fields.get("policy"):
        checked_policy(fields["policy"])
    if fields.get("zone"):
        checked_zone(fields["zone"])
    check_settings(fields.get("settings", ""))
    check_limits(pool, fields.get("limits") or "[]")
    check_finite(fields, ("prices", "routes", "created_ms"))
    for name in ("restored", "restored_by"):
        check_text(fields.get(name, ""), name, min_chars=0)


def _check_prices(_pool: PoolContents, _suffix: str, rows: Mapping[str, str]) -> None:
    for text in rows.values():
        row = check_json(text, "a price", dict)
        sizes = {name: row[name] for name in ("context", "max_output") if row.get(name) is not None}
        PriceInput().load({"input": 0, "output": 0, **sizes})
        for tier in (STANDARD, FLEX, PRIORITY):
            for name, rate in row.get(tier, {}).items():
                check_integer(rate, name, 0, MAX_DOLLARS * MILLION)
        for tokens in row.get("image", ()):
            if tokens is not None:
                check_integer(tokens, "image", 1, MAX_MODEL_TOKENS)
        Price.from_row(row, "")


def _check_routes(_pool: PoolContents, _suffix: str, routes: Mapping[str, str]) -> None:
    for name, text in routes.items():
        if error := pattern_error(name):
            raise Unfit(f"the name of a model route {error}")
        ROUTE_INPUT.load(check_json(text, "a model route", dict))


def _check_webhooks(_pool: PoolContents, _suffix: str, webhooks: Mapping[str, str]) -> None:
    for name, text in webhooks.items():
        if is_clear(text):
            WEBHOOK_NAME.deserialize(name)
            STORED_WEBHOOK.load(check_json(text, "a webhook", dict))


def _check_metadata(_pool: PoolContents, _suffix: str, text: str) -> None:
    check_json(text, "its value", dict)


def _check_id_value(_pool: PoolContents, _suffix: str, text: str) -> None:
    check_id(text, "its value")


def _check_words(_pool: PoolContents, _suffix: str, text: str) -> None:
    check_text(text, "its value")


def _check_former_names(_pool: PoolContents, _suffix: str, members: Mapping[str, float]) -> None:
    for member in members:
        object_id, _, name = member.partition(" ")
        check_id(object_id, "the id of a removed object")
        check_text(name, "the name of a removed object")


def _check_nothing(_pool: PoolContents, _suffix: str, _value: Any) -> None:
    """Accept any content: only the type of the key is checked."""


class Family(NamedTuple):
    kind: str
    check: Check


FAMILIES: dict[str, Family] = {
    "pool": Family("hash", _check_pool),
    "accounts": Family("hash", check_account_names),
    "a:": Family("hash", check_account),
    "keys": Family("hash", check_key_names),
    "k:": Family("hash", check_api_key),
    "teams": Family("set", check_team_names),
    "t:": Family("hash", check_team),
    "s:": Family("string", check_secret),
    "lim:": Family("hash", check_counters),
    "used:": Family("hash", check_figures),
    "lastused": Family("hash", check_figures),
    "former": Family("zset", _check_former_names),
    "prices": Family("hash", _check_prices),
    "routes": Family("hash", _check_routes),
    "webhooks": Family("hash", _check_webhooks),
    "leases": Family("zset", check_leases),
    "r:": Family("hash", check_request),
    "out": Family("zset", _check_nothing),
    "own:": Family("string", _check_id_value),
    "conv:": Family("string", _check_id_value),
    "refused-at:": Family("string", _check_words),
    "told:": Family("string", _check_metadata),
    "refusals": Family("stream", check_refusals),
    "refused:": Family("hash", check_refused),
    "roll:": Family("hash", check_rollup),
    "teamroll:": Family("hash", check_rollup),
    "measured:d:": Family("hash", check_measured),
    "audit": Family("stream", check_audit),
    "operators": Family("set", check_operators),
    "sign-in-policy": Family("hash", check_sign_in_policy),
    "op:": Family("hash", check_operator),
    "ident:": Family("string", check_identity),
    "adm:": Family("hash", check_admin_token),
    "admin-tokens": Family("hash", check_admin_tokens),
    "virtual-clock": Family("string", _check_words),
}
