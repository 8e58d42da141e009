"""Checks of the stored accounts in a backup."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from app.accounts.account_reading import account_from
from app.accounts.accounts import MAX_UNKNOWN_NAMES
from app.accounts.kinds import KINDS
from app.accounts.new_account import checked_credential
from app.accounts.oauth_tokens import tokens_from
from app.accounts.own_proxy import OwnProxy
from app.backup.pool_contents import PoolContents, check_names
from app.backup.value_checks import (
    LARGEST,
    LATEST_MS,
    Unfit,
    check_finite,
    check_id,
    check_integer,
    check_plain,
    check_present,
    check_text,
    is_clear,
)
from app.limits.own_fields import check_model_names, check_own_fields
from schemas.accounts import AccountInput
from schemas.bounds import MAX_CREDENTIAL_CHARS

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
_OFFER = re.compile(r"[cr]{1,2}:[^:\s]{1,64}:\S{1,512}")


def check_account_names(pool: PoolContents, _suffix: str, names: Mapping[str, str]) -> None:
    for account_id in names.values():
        check_id(account_id, "the id of an account")
    pool.names["accounts"] = dict(names)


def check_account(pool: PoolContents, account_id: str, fields: Mapping[str, str]) -> None:
    if fields["id"] != account_id:
        raise Unfit("has the id of another account")
    if fields["kind"] not in KINDS:
        raise Unfit(f"kind must be {' or '.join(KINDS)}")
    check_present(fields, "weight", "cap")
    check_finite(fields, (*ACCOUNT_NUMBERS, "used_1", "used_2", "weight", "cap", "group"))
    account = account_from(fields, lambda _: "")
    check_names(pool, list(account.models))
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
    for name in ("reason", "chatgpt_account_id", "exceeded", "limited_model", "probe", "unproven"):
        check_text(fields.get(name, ""), name, min_chars=0)
    if is_clear(fields.get("credential", "")):
        checked_credential(fields["credential"][:MAX_CREDENTIAL_CHARS])  # earlier versions took longer ones
    if is_clear(fields.get("sign_in", "")):
        tokens = tokens_from(fields["sign_in"])
        for token in (tokens.access_token, tokens.refresh_token, tokens.id_token, tokens.account_id):
            check_plain(token, "a token")
        check_integer(tokens.expires_at, "expires_at", 0, LARGEST)
        check_integer(tokens.refreshed_at, "refreshed_at", 0, LATEST_MS // 1000)
    pool.records.setdefault("accounts", {})[account_id] = account.name


def _settings_fields(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the readable settings of an account's requests, for the schema to check."""
    if not fields.get("settings"):
        return {}
    stored = orjson.loads(fields["settings"])
    if not isinstance(stored, dict):
        raise Unfit("settings must be an object")
    names = stored.pop("secret_headers", [])
    secrets = fields.get("secrets", "")
    clear = orjson.loads(secrets) if is_clear(secrets) else None
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
