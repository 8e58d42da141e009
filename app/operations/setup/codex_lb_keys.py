"""The API keys in codex-lb's database. A key that would be allowed more than before is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from app.errors import InvalidRequest
from app.formatting import plain_dollars
from app.limits.limit_syntax import format_limit, limit_of_parts
from app.operations.setup.codex_lb_tables import Row, Tables, is_valid
from app.operations.setup.names import free_name, name_in
from app.operations.setup.remarks import Remarks
from app.patterns import STAR
from schemas.bounds import name_error
from schemas.setup_document import KeyEntry

UNITS = {  # by `limit_type`
    "total_tokens": "total_tokens",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cost_usd": "usd",
}
PERIODS = {"daily": "day", "weekly": "week", "7d": "week", "monthly": "month"}  # by `limit_window`
LOST = ("enforced_reasoning_effort", "enforced_service_tier", "allowed_reasoning_efforts")


def keys_of(
    tables: Tables, accounts: Mapping[Any, str], sources: Mapping[Any, str], remarks: Remarks
) -> list[dict[str, Any]]:
    """Return the entries of the keys; *accounts* and *sources* are names by the ids of their rows."""
    scopes = _Scopes(tables, accounts, sources)
    limits = _by_key(tables["api_key_limits"])
    entries: list[dict[str, Any]] = []
    names: set[str] = set()
    digests: set[Any] = set()
    schema = KeyEntry()
    for row in tables["api_keys"]:
        name = free_name(name_in(row["name"]) or "key", names)
        path = f"api_keys '{name}'"
        try:
            entry = {"name": name, **_entry(row, scopes, limits.get(row["id"], []))}
        except InvalidRequest as error:
            remarks.skipped(path, error.message)
            continue
        if row["key_hash"] in digests:
            remarks.skipped(path, "another key has its key_hash")
        elif is_valid(schema, entry, path, remarks):
            entries.append(entry)
            names.add(name)
            digests.add(row["key_hash"])
            _report(row, path, remarks)
    if any("limits" in entry for entry in entries):
        remarks.changed("api_key_limits", "they count from now on, in days, weeks and months of the calendar")
    return entries


class _Scopes:
    """The accounts that keys may use; *accounts* and *sources* are names by the ids of their rows."""

    def __init__(self, tables: Tables, accounts: Mapping[Any, str], sources: Mapping[Any, str]) -> None:
        self._scopes = (
            ("account_assignment_scope_enabled", "account_id", _by_key(tables["api_key_accounts"]), accounts),
            (
                "source_assignment_scope_enabled",
                "source_id",
                _by_key(tables["api_key_model_sources"]),
                sources,
            ),
        )

    def names_of(self, row: Row) -> list[str]:
        """
        Return the accounts that the key of *row* may use, [] for all. Raises InvalidRequest if none is left.
        """
        names: list[str] = []
        is_scoped = False
        for switch, column, assigned, known in self._scopes:
            rows = assigned.get(row["id"], [])
            if rows or row[switch] not in (None, 0):
                is_scoped = True
                names += [known[each[column]] for each in rows if each[column] in known]
            else:
                names += known.values()
        if is_scoped and not names:
            raise InvalidRequest("none of the accounts that it may use is imported")
        return list(dict.fromkeys(names)) if is_scoped else []


def _entry(row: Row, scopes: _Scopes, limits: list[Row]) -> dict[str, Any]:
    """Return the fields of a key except its name. Raises InvalidRequest if it would be allowed more."""
    optional = {
        "models": _models(row),
        "accounts": scopes.names_of(row),
        "limits": list(dict.fromkeys(_limits(limits))),
        "expires": row["expires_at"],
        "disabled": row["is_active"] != 1,
    }
    given = {name: value for name, value in optional.items() if value not in (None, [], False)}
    return {"sha256": row["key_hash"], **given}


def _models(row: Row) -> list[str]:
    """Return the models that a key may use, [] for all. Raises InvalidRequest if they are not known."""
    listed, enforced = row["allowed_models"], row["enforced_model"]
    try:
        models = orjson.loads(listed) if enforced is None and listed is not None else [enforced]
    except (orjson.JSONDecodeError, TypeError):
        raise InvalidRequest("allowed_models is not JSON") from None
    if listed is None and enforced is None:
        return []
    if not isinstance(models, list) or not all(isinstance(model, str) for model in models):
        raise InvalidRequest("allowed_models is no list of names")
    if any(STAR in model for model in models):
        raise InvalidRequest("a name of a model has a *, which is a pattern here")
    return models


def _limits(rows: list[Row]) -> Iterator[str]:
    """Yield the text of each limit of a key. Raises InvalidRequest for one without a counterpart."""
    for row in rows:
        unit, period = UNITS.get(row["limit_type"]), PERIODS.get(row["limit_window"])
        amount = row["max_value"]
        if unit is None or period is None or type(amount) is not int:
            what = f"{row['limit_type']} per {row['limit_window']}"[:64]
            raise InvalidRequest(f"its limit of {what} has no counterpart")
        text = plain_dollars(amount) if unit == "usd" else str(amount)
        model = row["model_filter"]
        if model is not None and not _is_model(model):
            raise InvalidRequest("the model_filter of a limit is no name of a model")
        yield format_limit(limit_of_parts(text, unit, period, model))


def _is_model(value: Any) -> bool:
    """Return whether *value* is a model name that the text of a limit can have."""
    return isinstance(value, str) and not name_error(value) and not {" ", STAR} & {*value}


def _report(row: Row, path: str, remarks: Remarks) -> None:
    """Report the settings that an imported key has lost."""
    if row["enforced_model"] is not None:
        remarks.changed(path, "enforced_model: requests for other models are refused, not changed")
    lost = [name for name in LOST if row[name] is not None]
    if row["traffic_class"] not in (None, "foreground"):
        lost.append("traffic_class")
    if lost:
        remarks.skipped(path, f"{', '.join(lost)}: no counterpart")


def _by_key(rows: Any) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(row["api_key_id"], []).append(row)
    return found
