"""
What each kind of stored key may hold: the checks that its text passed when it was created.

A family is a name, or the beginning of one that ends with ':', as in `app.stores.keys`. Indexes that a
pool can rebuild are left out of a restore (`dump.EXCLUDED`), so they have no check.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import orjson

from app.accounts.account import account_from
from app.accounts.accounts import MAX_UNKNOWN_NAMES
from app.accounts.kinds import KINDS
from app.accounts.new_account import checked_credential
from app.accounts.oauth_tokens import tokens_from
from app.accounts.own_proxy import OwnProxy
from app.accounts.pools import checked_policy, checked_zone
from app.accounts.settings import check_settings
from app.limits.limit_syntax import format_limit, parse_limit
from app.limits.own_fields import check_model_names, check_own_fields
from app.limits.prices import FLEX, PRIORITY, STANDARD, Price
from app.patterns import MAX_STARS, STAR, pattern_error
from app.stores import dump
from app.stores.dump import Record
from app.stores.records.api_keys import read_stored_key
from app.stores.records.ledger import FIGURES, UNREPORTED, AttemptEntry, UsageSource, position_of
from app.stores.records.limits import LimitUnit, Period, limits_from_json
from app.stores.records.operators import TokenScope, is_name
from app.stores.records.teams import read_stored_team
from app.stores.sealed_values import FERNET_BEGINS
from schemas.accounts import AccountInput
from schemas.admin import MAX_DOLLARS, MAX_MODEL_TOKENS, PriceInput
from schemas.api_keys import KeyInput
from schemas.bounds import MAX_CREDENTIAL_CHARS, MAX_LIMITS, name_error
from schemas.model_routes import ROUTE_INPUT
from schemas.teams import TeamInput
from schemas.webhooks import STORED_WEBHOOK, WEBHOOK_NAME

LARGEST = 2**53  # as far as the doubles of the scripts are exact
LARGEST_TOTAL = 2**63 - 1  # Redis itself adds to totals
LATEST_MS = 253_402_300_799_999  # the end of the year 9999: earlier versions took any date
MAX_TEXT = 4096  # bytes, as for a text argument of a script (lua/check.lua)
ACCOUNT_NUMBERS = (
    *("version", "created_ms", "expires_ms", "rotation", "since_ms", "until_ms", "in_flight", "attempts"),
    *("failed_attempts", "rescues", "errors", "reset_1", "reset_2", "length_1", "length_2", "limited_ms"),
    *(
        "picked_ms",
        "refresh_until_ms",
        "refresh_fence",
        "unanswered",
        "streak",
        "streak_ok",
        "pass",
        "unknown_usage_at",
    ),
)
MILLION = 1_000_000
_ENTRY_ID = re.compile(r"\d{1,15}-\d{1,15}", re.ASCII)
_ID = re.compile(r"[!-~]{1,256}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_OFFER = re.compile(r"[cr]{1,2}:[^:\s]{1,64}:\S{1,512}")

Check = Callable[["PoolContents", str, Any], None]


class Unfit(Exception):
    """A value that Poolgate would not store; *message* is the predicate of a sentence about it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(slots=True)
class PoolContents:
    """What has been read of one pool, to check records against each other. Entries are not held."""

    name: str
    last_id: str  # of the ledger
    deleted: str  # newest id that was removed from it; '' if unknown
    names: dict[str, dict[str, str]] = field(default_factory=dict)  # hash: {name: id}
    records: dict[str, dict[str, str]] = field(default_factory=dict)  # hash: {id: name}
    newest: dict[str, tuple[int, int]] = field(default_factory=dict)  # stream: position of its last entry
    seen: set[str] = field(default_factory=set)  # keys other than streams and markers
    leases: set[str] = field(default_factory=set)
    teams: set[str] = field(default_factory=set)  # that are listed
    team_records: set[str] = field(default_factory=set)
    teams_of_keys: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)  # of the record that was checked last

    def check_entries(self, entries: Any) -> None:
        """Check a page of the ledger."""
        self.check_stream(dump.LEDGER, entries)
        last = position_of(self.last_id) if self.last_id else (0, 0)
        for entry_id, fields in entries:
            if position_of(entry_id) > last:
                raise Unfit(f"entry {entry_id} is newer than the last one of the ledger")
            check_entry(orjson.loads(fields["row"]))
            if "why" in fields:
                _check_json(fields["why"], "why", list)

    def check_stream(self, name: str, entries: Any) -> None:
        """Check that a page of a stream goes on in order, with texts alone."""
        if not isinstance(entries, list) or not entries:
            raise Unfit("must be a list of entries")
        for entry_id, fields in entries:
            if not is_position(entry_id):
                raise Unfit("has an entry without a proper id")
            position = position_of(entry_id)
            if position <= self.newest.get(name, (0, 0)):
                raise Unfit(f"entry {entry_id} is not newer than the one before it")
            self.newest[name] = position
            _check_hash(fields)

    def check_complete(self) -> None:
        """Check that the lists of names match the records, once all are read."""
        for names, what in (("accounts", "account"), ("keys", "API key")):
            listed = {of_id: name for name, of_id in self.names.get(names, {}).items()}
            if len(listed) != len(self.names.get(names, {})):
                raise Unfit(f"two names of one {what} are listed")
            if listed != self.records.get(names, {}):
                raise Unfit(f"the names of '{names}' are not those of the records")
        if self.teams != self.team_records:
            raise Unfit("the names of 'teams' are not those of the records")
        if missing := sorted(self.teams_of_keys - self.teams):
            raise Unfit(f"there is no team '{missing[0]}', which an API key has")
        if self.deleted and self.last_id and position_of(self.deleted) > position_of(self.last_id):
            raise Unfit("deleted is newer than the ledger's last entry")


def check_record(pool: PoolContents, record: Record, clear: Any) -> None:
    """Check one key, with the secrets in *clear* by their fields. Raises Unfit or a schema's error."""
    name, kind, value, expires_ms = record
    check_text(name, "the name of a key")
    check_integer(expires_ms, "the expiry", 0, LATEST_MS)
    if not isinstance(clear, dict) or (clear and kind != "hash"):
        raise Unfit("only a hash has secrets")
    for secret_name, secret in clear.items():
        check_text(secret_name, "the name of a secret")
        _check_plain(secret, "a secret")
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
        value = value | clear  # as they are restored
    check(pool, name[len(family) :], value)


def is_restored(name: str) -> bool:
    """Return whether a restore writes the key *name*: one that is not derived, and that is known."""
    return not dump.is_one_of(name, dump.EXCLUDED) and _family_of(name) is not None


def _family_of(name: str) -> str | None:
    return next((family for family in FAMILIES if dump.is_one_of(name, (family,))), None)


def check_text(value: Any, what: str, min_chars: int = 1) -> None:
    """Raise Unfit unless *value* is a short text; models and reasons may have any characters."""
    if not isinstance(value, str) or not min_chars <= len(value.encode()) <= MAX_TEXT:
        raise Unfit(f"{what} must be a text of {min_chars} to {MAX_TEXT} bytes")


def check_integer(value: Any, what: str, minimum: int, maximum: int) -> None:
    """Raise Unfit unless *value* is an integer from *minimum* to *maximum*."""
    if type(value) is not int or not minimum <= value <= maximum:
        raise Unfit(f"{what} must be a whole number from {minimum} to {maximum}")


def integer_in(text: Any) -> int | None:
    """Return the integer that *text* is, None for any other text."""
    is_number = isinstance(text, str) and len(text) <= 20 and re.fullmatch(r"-?\d+", text, re.ASCII)
    return int(text) if is_number else None


def is_position(text: Any) -> bool:
    """Return whether *text* is the id of an entry, or 0-0."""
    return isinstance(text, str) and _ENTRY_ID.fullmatch(text) is not None


def check_entry(row: Any) -> None:
    """Check one entry of the ledger as lua/requests.lua does when it is written, and as it is read."""
    for name in ("id", "key", "account", "model"):
        check_text(row[name], name, min_chars=0)
    UsageSource(row["source"])
    for name in ("at_ms", "day_ms", "status"):
        check_integer(_integral(row[name]), name, 0, 10**14)
    for name in (*FIGURES, *UNREPORTED, "ceiling_cost"):
        _check_figure(row, name)
    for name in ("endpoint", "error", "counted_as", "affinity", "service_tier", "team"):
        if row.get(name) is not None:
            check_text(row[name], name, min_chars=0)
    for listed in ("attempts", "charges"):
        for attempt in row.get(listed) or ():
            parsed = AttemptEntry.from_json(attempt)
            for text in (parsed.account, parsed.failure, parsed.scope, parsed.error):
                check_text(text, listed, min_chars=0)
            for name in (*FIGURES, *UNREPORTED, "ceiling_cost"):
                _check_figure(attempt, name)
    if row.get("attempts_counted") and not row["attempts"]:
        raise Unfit("counts attempts that it does not have")


def _integral(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check_figure(row: Mapping[str, Any], name: str) -> None:
    if row.get(name) is not None:
        check_integer(_integral(row[name]), name, -LARGEST, LARGEST)


def _is_suffix(text: str) -> bool:
    return 0 < len(text) <= MAX_TEXT and text.isprintable()


def _check_plain(value: Any, what: str) -> None:
    if not isinstance(value, str):
        raise Unfit(f"{what} must be a text")


def _check_hash(value: Any) -> None:
    if not isinstance(value, dict) or not value:
        raise Unfit("must have fields")
    for name, text in value.items():
        check_text(name, "the name of a field")
        _check_plain(text, "a field")


def _check_shape(pool: PoolContents, record: Record) -> None:
    name, kind, value, _ = record
    if kind == "stream":
        pool.check_stream(name, value)
    elif kind == "hash":
        _check_hash(value)
    elif kind == "string":
        _check_plain(value, "its value")
    elif kind == "set":
        if not isinstance(value, list) or not value:
            raise Unfit("must have members")
        for member in value:
            check_text(member, "a member")
    else:
        _check_hash(value)
        for score in value.values():
            if math.isnan(_number(score)):
                raise Unfit("a score must be a number")


def _number(text: Any, what: str = "a score") -> float:
    try:
        return float(text) if len(text) <= 64 else math.nan
    except (TypeError, ValueError):
        raise Unfit(f"{what} must be a number") from None


def _check_finite(fields: Mapping[str, str], names: tuple[str, ...]) -> None:
    for name in names:
        if fields.get(name) and not -LARGEST <= _number(fields[name], name) <= LARGEST:
            raise Unfit(f"{name} must be a number up to 2^53")


def _check_json(text: Any, what: str, kind: type) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, kind):
        raise Unfit(f"{what} must be JSON, {'a list' if kind is list else 'an object'}")
    return value


def _check_limits(pool: PoolContents, text: str) -> None:
    limits = limits_from_json(_check_json(text, "limits", list))
    if len({limit.id for limit in limits}) != len(limits):
        raise Unfit("two limits have the same id")
    for limit in limits:
        _check_id(limit.id, "the id of a limit")
        parse_limit(format_limit(replace(limit, model=None)))
    _check_names(pool, [limit.model for limit in limits if limit.model is not None])
    if any(limit.model and limit.model.count(STAR) > MAX_STARS for limit in limits):
        raise Unfit(f"a pattern of models must have at most {MAX_STARS} times '{STAR}'")
    if len(limits) > MAX_LIMITS:
        pool.warnings.append(
            f"has {len(limits)} limits, all of which every request checks; {MAX_LIMITS} can be set now: "
            "remove some with poolgate limit remove"
        )


def _check_names(pool: PoolContents, names: Any) -> None:
    """Check names of models as earlier versions took them; warn of those that no request can have."""
    if not isinstance(names, list):
        raise Unfit("models must be a list")
    for name in names:
        check_text(name, "the name of a model")
        if error := name_error(name):
            pool.warnings.append(
                f"the model '{name[:80]}' {error}, so no request can name it: give it again without"
            )


def _check_id(text: Any, what: str) -> None:
    if not isinstance(text, str) or _ID.fullmatch(text) is None:
        raise Unfit(f"{what} must be 1 to 256 printable ASCII characters without spaces")


def _check_pool(pool: PoolContents, _suffix: str, fields: Mapping[str, str]) -> None:
    if fields.get("policy"):
        checked_policy(fields["policy"])
    if fields.get("zone"):
        checked_zone(fields["zone"])
    check_settings(fields.get("settings", ""))
    _check_limits(pool, fields.get("limits") or "[]")
    _check_finite(fields, ("prices", "routes", "created_ms"))
    for name in ("restored", "restored_by"):
        check_text(fields.get(name, ""), name, min_chars=0)


def _check_account_names(pool: PoolContents, _suffix: str, names: Mapping[str, str]) -> None:
    for account_id in names.values():
        _check_id(account_id, "the id of an account")
    pool.names["accounts"] = dict(names)


def _check_key_names(pool: PoolContents, _suffix: str, names: Mapping[str, str]) -> None:
    for key_id in names.values():
        _check_id(key_id, "the id of an API key")
    pool.names["keys"] = dict(names)


def _check_account(pool: PoolContents, account_id: str, fields: Mapping[str, str]) -> None:
    if fields["id"] != account_id:
        raise Unfit("has the id of another account")
    if fields["kind"] not in KINDS:
        raise Unfit(f"kind must be {' or '.join(KINDS)}")
    _check_finite(fields, (*ACCOUNT_NUMBERS, "used_1", "used_2", "weight", "cap", "group"))
    account = account_from(fields, lambda _: "")
    _check_names(pool, list(account.models))
    AccountInput(exclude=("models",)).load(
        {
            "name": account.name,
            "kind": account.kind,
            "base_url": account.base_url,
            "weight": account.weight,
            "cap": account.cap,
            "group": account.group,
            "wires": list(account.protocols),
            "stream_upstream": account.stream_upstream,
            **_settings_fields(fields),
        }
    )
    check_own_fields(account.settings.drop_fields, account.settings.set_fields)
    check_model_names(account.settings.model_names)
    if not all(isinstance(name, str) for name in account.listed):
        raise Unfit("listed must be names")
    if not all(isinstance(name, str) for name in account.unknown_usage):
        raise Unfit("unknown_usage must be names")
    if len(account.unknown_usage) > MAX_UNKNOWN_NAMES:
        raise Unfit(f"unknown_usage has more than {MAX_UNKNOWN_NAMES} names")
    if not isinstance(account.metadata, dict):
        raise Unfit("metadata must be an object")
    if _OFFER.fullmatch(fields["offer"]) is None:
        raise Unfit("offer must be protocols, a kind and models")
    for name in ("reason", "chatgpt_account_id", "exceeded", "limited_model", "probe"):
        check_text(fields.get(name, ""), name, min_chars=0)
    if _is_clear(fields.get("credential", "")):
        checked_credential(fields["credential"][:MAX_CREDENTIAL_CHARS])  # earlier versions took longer ones
    if _is_clear(fields.get("sign_in", "")):
        tokens = tokens_from(fields["sign_in"])
        for token in (tokens.access_token, tokens.refresh_token, tokens.id_token, tokens.account_id):
            _check_plain(token, "a token")
        check_integer(tokens.expires_at, "expires_at", 0, LARGEST)
        check_integer(tokens.refreshed_at, "refreshed_at", 0, LATEST_MS // 1000)
    pool.records.setdefault("accounts", {})[account_id] = account.name


def _settings_fields(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of an account's requests, as far as they can be read, for the schema to check."""
    if not fields.get("settings"):
        return {}
    stored = orjson.loads(fields["settings"])
    if not isinstance(stored, dict):
        raise Unfit("settings must be an object")
    names = stored.pop("secret_headers", [])
    secrets = fields.get("secrets", "")
    clear = orjson.loads(secrets) if _is_clear(secrets) else None
    values = dict.fromkeys(names) if clear is None else clear["headers"]
    if not isinstance(names, list) or values.keys() != set(names) or (names and not secrets):
        raise Unfit("secret_headers must be the names of the secret headers")
    has_password = stored.pop("proxy_has_password", False)
    password = "" if clear is None else clear.get("proxy_password", "")
    if type(has_password) is not bool or (has_password and not secrets) or not isinstance(password, str):
        raise Unfit("proxy_has_password must be whether there is a password")
    if clear is not None and has_password != bool(password):
        raise Unfit("proxy_has_password must be whether there is a password")
    if "proxy" in stored:
        stored["proxy"] = OwnProxy(stored["proxy"], has_password, password).full_url
    return {**stored, "secret_headers": values}


def _is_clear(secret: str) -> bool:
    """Return whether *secret* can be read here; otherwise it was copied as another key encrypted it."""
    return secret != "" and not secret.startswith(FERNET_BEGINS)


def _check_api_key(pool: PoolContents, key_id: str, fields: Mapping[str, str]) -> None:
    if fields["id"] != key_id:
        raise Unfit("has the id of another API key")
    _check_limits(pool, fields.get("limits") or "[]")
    key = read_stored_key(fields, pool.name)
    _check_names(pool, list(key["models"]))
    KeyInput(exclude=("limits", "expires_at", "accounts", "models")).load(
        {
            "name": key["name"],
            "raw": key["raw"],
            "on_cut": key["on_cut"].value,
            **({"team": key["team"]} if key["team"] else {}),
            "owner": key.get("owner", ""),
            "labels": dict(key.get("labels", ())),
            **({"output_tokens": key["output_tokens"]} if key["output_tokens"] else {}),
            **({} if key["queue_seconds"] is None else {"queue_seconds": key["queue_seconds"]}),
            "weight": key["weight"],
        }
    )
    for account_id in key["accounts"]:
        _check_id(account_id, "the id of an account")
    for name in ("expires_ms", "created_ms", "former_until_ms"):
        check_integer(int(fields.get(name) or 0), name, 0, LATEST_MS)
    for name in ("digest", "former"):
        if fields.get(name) and _DIGEST.fullmatch(fields[name]) is None:
            raise Unfit(f"{name} must be a SHA-256")
    pool.records.setdefault("keys", {})[key_id] = key["name"]
    if key["team"]:
        pool.teams_of_keys.add(key["team"])


def _check_team_names(pool: PoolContents, _suffix: str, names: list[str]) -> None:
    for name in names:
        TeamInput(only=("name",)).load({"name": name})
    pool.teams.update(names)


def _check_team(pool: PoolContents, name: str, fields: Mapping[str, str]) -> None:
    if fields["name"] != name:
        raise Unfit("has the name of another team")
    _check_limits(pool, fields.get("limits") or "[]")
    team = read_stored_team(fields, pool.name)
    TeamInput(only=("name", "key_limits")).load({"name": name, "key_limits": list(team.key_limits)})
    for text in team.key_limits:
        parse_limit(text)
    check_integer(int(fields.get("created_ms") or 0), "created_ms", 0, LATEST_MS)
    pool.team_records.add(name)


def _check_secret(_pool: PoolContents, digest: str, key_id: str) -> None:
    if _DIGEST.fullmatch(digest) is None:
        raise Unfit("must be named by a SHA-256")
    _check_id(key_id, "the id of an API key")


def _check_counters(_pool: PoolContents, _suffix: str, fields: Mapping[str, str]) -> None:
    amounts = {name: text for name, text in fields.items() if name in ("h", "ph", "s", "ps")}
    _check_finite(fields, tuple(fields.keys() - amounts.keys()))
    _check_figures(_pool, _suffix, amounts)  # the scripts add to them


def _check_figures(_pool: PoolContents, _suffix: str, fields: Mapping[str, str]) -> None:
    for name, text in fields.items():
        if (amount := integer_in(text)) is None or not -LARGEST_TOTAL <= amount <= LARGEST_TOTAL:
            raise Unfit(f"'{name[:80]}' must be a whole number up to 2^63")


def _check_rollup(pool: PoolContents, suffix: str, fields: Mapping[str, str]) -> None:
    span, _, start = suffix.partition(":")
    if span not in ("h", "d") or integer_in(start) is None:
        raise Unfit("must be named by an hour or a day")
    if any(name.count("|") < 3 for name in fields):
        raise Unfit("must have figures of keys, accounts and models")
    _check_figures(pool, suffix, fields)


def _check_prices(_pool: PoolContents, _suffix: str, rows: Mapping[str, str]) -> None:
    for text in rows.values():
        row = _check_json(text, "a price", dict)
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
        ROUTE_INPUT.load(_check_json(text, "a model route", dict))


def _check_webhooks(_pool: PoolContents, _suffix: str, webhooks: Mapping[str, str]) -> None:
    for name, text in webhooks.items():
        if _is_clear(text):
            WEBHOOK_NAME.deserialize(name)
            STORED_WEBHOOK.load(_check_json(text, "a webhook", dict))


def _check_leases(pool: PoolContents, _suffix: str, leases: Mapping[str, str]) -> None:
    pool.leases = set(leases)


def _check_request(_pool: PoolContents, _suffix: str, fields: Mapping[str, str]) -> None:
    for name in ("key", "account", "model", "endpoint"):
        check_text(fields[name], name, min_chars=0)
    for name in ("team", "requested"):
        check_text(fields.get(name, ""), name, min_chars=0)
    for name in ("started_ms", "day_ms"):
        check_integer(integer_in(fields[name]), name, 0, LATEST_MS)
    _check_finite(fields, ("attempt", "expired"))
    for hold in _check_json(fields["holds"], "holds", list):
        limit_id, amount, unit, period, start = hold[:5]
        _check_id(limit_id, "the id of a limit")
        LimitUnit(unit), Period(period)
        check_integer(_integral(amount), "a hold", 0, LARGEST)
        check_integer(_integral(start), "a hold", 0, LATEST_MS)
    bounds = _check_json(fields["bounds"], "bounds", dict) if fields.get("bounds") else {}
    for charge in (bounds, *_check_json(fields.get("charges") or "[]", "charges", list)):
        for name in (*FIGURES, *UNREPORTED, "ceiling_cost"):
            _check_figure(charge, name)
        if charge is not bounds:
            check_text(charge["account"], "charges", min_chars=0)
    _check_json(f"[{fields['why']}]", "why", list)


def _check_refusals(_pool: PoolContents, _suffix: str, entries: Any) -> None:
    for _, fields in entries:
        check_text(fields["key"], "key")
        row = _check_json(fields["row"], "row", dict)
        for name in ("id", "model", "account"):
            check_text(row[name], name, min_chars=0)
        for name in ("at_ms", "status"):
            check_integer(_integral(row[name]), name, 0, 10**14)
        _check_json(fields["out"], "out", list)


def _check_audit(_pool: PoolContents, _suffix: str, entries: Any) -> None:
    for _, fields in entries:
        entry = _check_json(fields["entry"], "entry", dict)
        check_text(entry["action"], "action")


def _check_operators(_pool: PoolContents, _suffix: str, names: list[str]) -> None:
    if not all(map(is_name, names)):
        raise Unfit("must be names of operators")


def _check_operator(_pool: PoolContents, name: str, fields: Mapping[str, str]) -> None:
    if fields["name"] != name or not is_name(name):
        raise Unfit("must have the name of its operator")
    for moment in ("created_ms", "password_ms"):
        check_integer(int(fields[moment]), moment, 0, LATEST_MS)
    check_text(fields["password"], "password")


def _check_admin_token(_pool: PoolContents, digest: str, fields: Mapping[str, str]) -> None:
    if _DIGEST.fullmatch(digest) is None or not is_name(fields["name"]):
        raise Unfit("must have a name, and be named by a SHA-256")
    TokenScope(fields.get("scope", TokenScope.FULL))
    for moment in ("created_ms", "expires_ms"):
        check_integer(int(fields[moment]), moment, 0, LATEST_MS)
    for name in ("by", "operator"):
        check_text(fields.get(name, ""), name, min_chars=0)


def _check_admin_tokens(_pool: PoolContents, _suffix: str, names: Mapping[str, str]) -> None:
    for name, digest in names.items():
        if not is_name(name) or _DIGEST.fullmatch(digest) is None:
            raise Unfit("must be names of admin tokens")


def _check_refused(pool: PoolContents, suffix: str, fields: Mapping[str, str]) -> None:
    if integer_in(suffix) is None:
        raise Unfit("must be named by an hour")
    _check_figures(pool, suffix, fields)


def _check_metadata(_pool: PoolContents, _suffix: str, text: str) -> None:
    _check_json(text, "its value", dict)


def _check_id_value(_pool: PoolContents, _suffix: str, text: str) -> None:
    _check_id(text, "its value")


def _check_words(_pool: PoolContents, _suffix: str, text: str) -> None:
    check_text(text, "its value")


def _check_nothing(_pool: PoolContents, _suffix: str, _value: Any) -> None:
    """The shape is all there is to check."""


class Family(NamedTuple):
    kind: str
    check: Check


FAMILIES: dict[str, Family] = {
    "pool": Family("hash", _check_pool),
    "accounts": Family("hash", _check_account_names),
    "a:": Family("hash", _check_account),
    "keys": Family("hash", _check_key_names),
    "k:": Family("hash", _check_api_key),
    "teams": Family("set", _check_team_names),
    "t:": Family("hash", _check_team),
    "s:": Family("string", _check_secret),
    "lim:": Family("hash", _check_counters),
    "used:": Family("hash", _check_figures),
    "prices": Family("hash", _check_prices),
    "routes": Family("hash", _check_routes),
    "webhooks": Family("hash", _check_webhooks),
    "leases": Family("zset", _check_leases),
    "r:": Family("hash", _check_request),
    "out": Family("zset", _check_nothing),
    "own:": Family("string", _check_id_value),
    "conv:": Family("string", _check_id_value),
    "refused-at:": Family("string", _check_words),
    "told:": Family("string", _check_metadata),
    "refusals": Family("stream", _check_refusals),
    "refused:": Family("hash", _check_refused),
    "roll:": Family("hash", _check_rollup),
    "teamroll:": Family("hash", _check_rollup),
    "audit": Family("stream", _check_audit),
    "operators": Family("set", _check_operators),
    "op:": Family("hash", _check_operator),
    "adm:": Family("hash", _check_admin_token),
    "admin-tokens": Family("hash", _check_admin_tokens),
    "virtual-clock": Family("string", _check_words),
}
