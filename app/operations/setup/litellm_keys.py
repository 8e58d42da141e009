"""
API keys and teams from LiteLLM's database, in the form of its admin API.

`GET /key/list?return_full_object=true` has the SHA-256 of each key, so callers can continue to use their
keys; `GET /team/list` has the teams. Source: https://docs.litellm.ai/docs/proxy/virtual_keys
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import ValidationError

from app.errors import InvalidRequest
from app.limits.limit_syntax import format_limit, parse_limit
from app.operations.setup.litellm_periods import period_of
from app.operations.setup.names import free_name, name_in
from app.operations.setup.remarks import Remarks
from schemas.api_keys import seconds_at
from schemas.bounds import MAX_KEY_MODELS, MAX_LIMITS, name_error

MAX_ENTRIES = 5000  # keys, or teams
ALL_MODELS, TEAM_MODELS, NO_MODELS = "all-proxy-models", "all-team-models", "no-default-models"
RATES = {  # the text of a limit, by LiteLLM's name for its number
    "rpm_limit": "{} requests/minute",
    "tpm_limit": "{} total_tokens/minute",
    "tpd_limit": "{} total_tokens/day",
    "max_parallel_requests": "{} parallel_requests",
}
MODEL_RATES = {
    "model_rpm_limit": "{} requests/minute for {}",
    "model_tpm_limit": "{} total_tokens/minute for {}",
}
# Fields without a counterpart that restrict a key, or change its requests.
LOST = (
    *("aliases", "model_aliases", "soft_budget", "allowed_routes", "permissions", "router_settings"),
    *("budget_fallbacks", "object_permission_id", "allowed_cache_controls", "user_id", "organization_id"),
)
DEFAULT_USER = "default_user_id"  # of the administrator
_DIGEST = re.compile(r"[0-9a-f]{64}")

Item = Mapping[str, Any]


class KeyConverter:
    """Converts *teams* and *keys*, in the form of the admin API, to entries of a document."""

    def __init__(self, remarks: Remarks) -> None:
        self._remarks = remarks
        self._teams: dict[str, tuple[str, Item]] = {}  # name in the document, and the team, by id
        self._open_teams: set[str] = set()  # teams that are left out, because they would be allowed more
        self._has_spent = False

    def teams(self, listed: Any) -> list[dict[str, Any]]:
        """Return the entries of the teams in *listed*. Raises InvalidRequest if it is no such list."""
        names: set[str] = set()
        entries = []
        for index, team in enumerate(_items(listed, "teams")):
            path = f"teams[{index}]"
            name = free_name(name_in(team.get("team_alias")) or name_in(team.get("team_id")) or "team", names)
            names.add(name)
            self._teams[str(team.get("team_id"))] = name, team
            limits = self._limits(team, path)
            if limits is None:
                self._open_teams.add(name)
            entry = {
                "name": name,
                "limits": limits,
                "disabled": team.get("blocked") is True,
            }
            self._report_lost(team, path)
            entries.append({field: value for field, value in entry.items() if value})
        return entries

    def keys(self, listed: Any) -> list[dict[str, Any]]:
        """Return the entries of the keys in *listed*. Raises InvalidRequest if it is no such list."""
        names: set[str] = set()
        entries = []
        for index, key in enumerate(_items(listed, "keys")):
            token = key.get("token")
            name = name_in(key.get("key_alias")) or f"litellm-{str(token)[:8]}"
            path = f"keys[{index}] ({name})"
            if not isinstance(token, str) or _DIGEST.fullmatch(token) is None:
                self._remarks.skipped(path, "its token is no SHA-256")
                continue
            name = free_name(name, names)
            entry = self._entry(key, path)
            if entry is not None:
                names.add(name)
                entries.append({"name": name, "sha256": token, **entry})
        if self._has_spent:
            self._remarks.skipped("keys", "spend so far: limits count from now on")
        return entries

    def _entry(self, key: Item, path: str) -> dict[str, Any] | None:
        """Return the fields of a key except its name; None, with a remark, if it would be allowed more."""
        team_name, team = self._teams.get(str(key.get("team_id")), ("", {}))
        if key.get("team_id") and not team_name:
            self._remarks.skipped(path, "the key: its team is not in the list of teams")
            return None
        if team_name in self._open_teams:
            self._remarks.skipped(path, "the key: a limit of its team is not imported")
            return None
        models = self._models(key, team, path)
        if models is None:
            return None
        expires = key.get("expires")
        if expires is not None and not _is_date(expires):
            self._remarks.skipped(path, "the key: its expiry is no date")
            return None
        limits = self._limits(key, path)
        if limits is None:
            self._remarks.skipped(path, "the key: one of its limits is not imported")
            return None
        self._report_lost(key, path)
        entry = {
            "team": team_name,
            "models": models,
            "limits": limits,
            "expires": expires,
            "disabled": key.get("blocked") is True,
        }
        return {field: value for field, value in entry.items() if value}

    def _models(self, key: Item, team: Item, path: str) -> list[str] | None:
        """Return the models that a key may use, [] for all; None if they are not known."""
        names = _texts(key.get("models"))
        if not names or TEAM_MODELS in names:
            names = [name for name in names if name != TEAM_MODELS] + _texts(team.get("models"))
        if not names or ALL_MODELS in names:
            return []
        valid = [name for name in dict.fromkeys(names) if not name_error(name) and name != NO_MODELS]
        if not valid or len(valid) > MAX_KEY_MODELS:
            self._remarks.skipped(path, "the key: none of its models can be named, or too many")
            return None
        return valid

    def _limits(self, item: Item, path: str) -> list[str] | None:
        """Return the limits of a key or a team; None, with a remark, if one cannot be imported."""
        self._has_spent = self._has_spent or item.get("spend") not in (None, 0)
        limits: dict[str, None] = {}
        is_complete = True
        for source, text in _limit_texts(item):
            try:
                if text is None:
                    raise InvalidRequest("there is no such period, or name of a model")
                limits[format_limit(parse_limit(text))] = None
            except InvalidRequest as error:
                self._remarks.skipped(path, f"{source}: {error.message}")
                is_complete = False
        if len(limits) > MAX_LIMITS:
            self._remarks.skipped(path, f"limits after the first {MAX_LIMITS}")
            is_complete = False
        return list(limits) if is_complete else None

    def _report_lost(self, item: Item, path: str) -> None:
        lost = [name for name in LOST if item.get(name) and item[name] != DEFAULT_USER]
        if lost:
            self._remarks.skipped(path, ", ".join(lost))


def _limit_texts(item: Item) -> Iterator[tuple[str, str | None]]:
    """
    Yield the source and the text of each limit of a key or a team.

    The text is None if its period, or its model name, is not known here. LiteLLM stores the rates of models
    in `metadata`.
    """
    if item.get("max_budget") is not None:
        yield "max_budget", _budget(item["max_budget"], item.get("budget_duration"))
    windows = item.get("budget_limits")
    for window in windows if isinstance(windows, list) else ():
        if isinstance(window, dict):
            yield "budget_limits", _budget(window.get("max_budget"), window.get("budget_duration"))
    for source, form in RATES.items():
        if item.get(source) is not None:
            yield source, form.format(_short(item[source]))
    metadata = item.get("metadata")
    for holder in (item, metadata if isinstance(metadata, dict) else {}):
        for source, form in MODEL_RATES.items():
            for model, number in _pairs(holder.get(source)):
                yield source, form.format(_short(number), model) if _is_model(model) else None
    for model, budget in _pairs(item.get("model_max_budget")):
        values = budget if isinstance(budget, dict) else {"budget_limit": budget}
        period = values.get("time_period") or values.get("budget_duration")
        text = _budget(values.get("budget_limit", values.get("max_budget")), period)
        yield "model_max_budget", f"{text} for {model}" if text and _is_model(model) else None


def _budget(amount: Any, duration: Any) -> str | None:
    period = period_of(duration)
    return f"{_short(amount)} usd/{period}" if period else None


def _short(value: Any) -> str:
    """Return *value* as one short word, which a number is."""
    return "".join(str(value)[:40].split()) or "-"


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    for model, inner in value.items() if isinstance(value, dict) else ():
        if inner is not None:
            yield model, inner


def _is_model(name: str) -> bool:
    """Return whether *name* can be a model name in the text of a limit."""
    return not name_error(name) and " " not in name


def _items(listed: Any, what: str) -> list[Item]:
    entries = listed.get(what) if isinstance(listed, dict) else listed
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        hint = " as /key/list?return_full_object=true returns them" if what == "keys" else ""
        raise InvalidRequest(f"{what} must be a list of objects{hint}", param=what)
    if len(entries) > MAX_ENTRIES:
        raise InvalidRequest(f"{what} must have at most {MAX_ENTRIES} entries", param=what)
    return entries


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _is_date(value: Any) -> bool:
    try:
        seconds_at(str(value)[:64])
    except ValidationError:
        return False
    return isinstance(value, str)
