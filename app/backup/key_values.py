"""Checks of the stored API keys, teams and counters of limits in a backup."""

from __future__ import annotations

from collections.abc import Mapping

from app.backup.pool_contents import PoolContents, check_limits, check_names
from app.backup.request_values import check_figures
from app.backup.value_checks import DIGEST, LATEST_MS, Unfit, check_finite, check_id, check_integer
from app.limits.limit_syntax import parse_limit
from app.stores.records.api_keys import read_stored_key
from app.stores.records.teams import read_stored_team
from schemas.api_keys import KeyInput
from schemas.teams import TeamInput


def check_key_names(pool: PoolContents, _suffix: str, names: Mapping[str, str]) -> None:
    for key_id in names.values():
        check_id(key_id, "the id of an API key")
    pool.names["keys"] = dict(names)


def check_api_key(pool: PoolContents, key_id: str, fields: Mapping[str, str]) -> None:
    if fields["id"] != key_id:
        raise Unfit("has the id of another API key")
    check_limits(pool, fields.get("limits") or "[]")
    key = read_stored_key(fields, pool.name)
    check_names(pool, list(key["models"]))
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
        check_id(account_id, "the id of an account")
    for name in ("expires_ms", "created_ms", "former_until_ms"):
        check_integer(int(fields.get(name) or 0), name, 0, LATEST_MS)
    for name in ("digest", "former"):
        if fields.get(name) and DIGEST.fullmatch(fields[name]) is None:
            raise Unfit(f"{name} must be a SHA-256")
    pool.records.setdefault("keys", {})[key_id] = key["name"]
    if key["team"]:
        pool.teams_of_keys.add(key["team"])


def check_team_names(pool: PoolContents, _suffix: str, names: list[str]) -> None:
    for name in names:
        TeamInput(only=("name",)).load({"name": name})
    pool.teams.update(names)


def check_team(pool: PoolContents, name: str, fields: Mapping[str, str]) -> None:
    if fields["name"] != name:
        raise Unfit("has the name of another team")
    check_limits(pool, fields.get("limits") or "[]")
    team = read_stored_team(fields, pool.name)
    TeamInput(only=("name", "key_limits")).load({"name": name, "key_limits": list(team.key_limits)})
    for text in team.key_limits:
        parse_limit(text)
    check_integer(int(fields.get("created_ms") or 0), "created_ms", 0, LATEST_MS)
    pool.team_records.add(name)


def check_secret(_pool: PoolContents, digest: str, key_id: str) -> None:
    if DIGEST.fullmatch(digest) is None:
        raise Unfit("must be named by a SHA-256")
    check_id(key_id, "the id of an API key")


def check_counters(_pool: PoolContents, _suffix: str, fields: Mapping[str, str]) -> None:
    amounts = {name: text for name, text in fields.items() if name in ("h", "ph", "s", "ps")}
    check_finite(fields, tuple(fields.keys() - amounts.keys()))
    check_figures(_pool, _suffix, amounts)  # the scripts add to them
