"""Read an account from its stored hash."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import orjson

from app.accounts.account import POOL_SETTING, Account, RefusedField
from app.accounts.job_results import JobResult
from app.accounts.oauth_tokens import tokens_from
from app.accounts.request_settings import settings_from
from app.stores.records.accounts import FAILURE_PREFIX, REFUSED_PREFIX, AccountState


def account_from(fields: Mapping[str, str], unseal: Callable[[str], str]) -> Account:
    """Return the account that a stored hash describes."""
    integer, names, percent = partial(_integer, fields), partial(_names, fields), partial(_percent, fields)
    sign_in = unseal(fields.get("sign_in", ""))
    return Account(
        id=fields["id"],
        name=fields["name"],
        kind=fields["kind"],
        base_url=fields["base_url"],
        version=integer("version"),
        protocols=tuple(fields["wires"].split(",")),
        models=names("models"),
        listed=names("listed"),
        weight=integer("weight", 1),
        cap=integer("cap", 100),
        group=integer("group"),
        stream_upstream=fields.get("stream_upstream") or POOL_SETTING,
        settings=settings_from(fields.get("settings", ""), unseal(fields.get("secrets", ""))),
        metadata=orjson.loads(fields.get("metadata") or "{}"),
        chatgpt_account_id=fields.get("chatgpt_account_id", ""),
        signed_in="sign_in" in fields,
        expires_at=integer("expires_ms") // 1000,
        rotation=integer("rotation"),
        credential=tokens_from(sign_in).access_token if sign_in else unseal(fields.get("credential", "")),
        created_at=integer("created_ms") // 1000,
        state=_state(fields.get("state", AccountState.ACTIVE)),
        reason=fields.get("reason", ""),
        since_ms=integer("since_ms"),
        until_ms=integer("until_ms"),
        in_flight=integer("in_flight"),
        picked_ms=integer("picked_ms"),
        exceeded=fields.get("exceeded", ""),
        used=(percent("used_1"), percent("used_2")),
        resets_ms=(integer("reset_1"), integer("reset_2")),
        window_seconds=(integer("length_1"), integer("length_2")),
        attempts=integer("attempts"),
        failed_attempts=integer("failed_attempts"),
        rescues=integer("rescues"),
        failures=_failures(fields),
        failures_in_a_row=failures_in_a_row(fields),
        suspicions=0 if fields.get("probe", "0") != "0" else integer("errors"),
        latest_failure=fields.get("streak_of", ""),
        is_unreadable=JobResult.from_json(fields.get("look_models")).is_unreadable,
        has_answered="listed" in fields or integer("attempts") > integer("unanswered"),
        unproven=fields.get("unproven", ""),
        refused=_refused_fields(fields),
        unknown_usage=names("unknown_usage"),
        unknown_usage_at=integer("unknown_usage_at"),
    )


def failures_in_a_row(fields: Mapping[str, str]) -> int:
    """Return how many of its newest attempts failed in a row, as lua/attempts.lua counts them."""
    attempts, unanswered, streak, answered = (
        _integer(fields, name) for name in ("attempts", "unanswered", "streak", "streak_ok")
    )
    return streak if attempts - unanswered == answered else 0


def _integer(fields: Mapping[str, str], name: str, default: int = 0) -> int:
    return int(float(fields.get(name) or default))


def _percent(fields: Mapping[str, str], name: str) -> float | None:
    return float(fields[name]) if fields.get(name) else None


def _names(fields: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(orjson.loads(fields.get(name) or "[]"))


def _state(stored: str) -> AccountState:
    """Return the state as *stored*; one that only a later version knows takes the account out of use, too."""
    try:
        return AccountState(stored)
    except ValueError:
        return AccountState.WINDOW_SPENT


def _failures(fields: Mapping[str, str]) -> dict[str, int]:
    return {
        name.removeprefix(FAILURE_PREFIX): _integer(fields, name)
        for name in fields
        if name.startswith(FAILURE_PREFIX)
    }


def _refused_fields(names: Iterable[str]) -> tuple[RefusedField, ...]:
    return tuple(
        RefusedField(*name.removeprefix(REFUSED_PREFIX).split(":", 2))
        for name in sorted(names)
        if name.startswith(REFUSED_PREFIX) and name.count(":") >= 3
    )
