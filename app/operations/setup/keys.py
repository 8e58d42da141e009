"""The API keys of a document."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from app.errors import InvalidRequest
from app.operations.api_keys import ApiKeyOperations
from app.operations.limits import LimitOperations
from app.operations.setup.changes import KnownAccounts, PlannedChange, planned, skipped
from app.operations.setup.errors import DocumentErrors, errors_at, numbered
from app.operations.setup.limits import limit_changes, limit_texts, parse_limits
from app.stores.api_keys import ApiKeyRepository
from app.stores.records.api_keys import FOREIGN_POOL, ApiKey, KeyState
from app.stores.records.limits import Limit
from app.suggestions import suggestion

EXPIRES = "expires"
OWN = ("name", "limits", "disabled", "expires_at", "sha256")  # fields that are compared in a different form

Entry = Mapping[str, Any]


def key_entry(key: ApiKey, account_names: Mapping[str, str]) -> dict[str, Any]:
    """Return *key* as the entry of a document; *account_names* are those of its pool, by id."""
    public: dict[str, Any] = {**key.public()}
    return public | {
        "models": list(key.models),
        "accounts": [account_names.get(each, each) for each in key.accounts],
        "limits": limit_texts(key.limits),
        EXPIRES: written_date(key.expires_at),
        "on_cut": str(key.on_cut),
        "disabled": key.state is KeyState.DISABLED,
    }


def written_date(seconds: float | None) -> str | None:
    """Return Unix seconds as a date, or a date with time, in UTC; None: never."""
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    text = moment.isoformat().replace("+00:00", "Z")
    return text.removesuffix("T00:00:00Z")


@dataclass(frozen=True, slots=True)
class Known:
    """Names of objects that will exist when the keys are changed."""

    accounts: KnownAccounts
    teams: Collection[str]

    def check(self, entry: Entry, path: str) -> Sequence[str]:
        """Return the accounts of *entry* that are present. Raises DocumentInvalid for unknown names."""
        errors, present = DocumentErrors(), []
        with errors.collect(), errors_at(f"{path}.accounts"):
            present += self.accounts.select(entry.get("accounts", ()))
        team = entry.get("team")
        if team and team not in self.teams:
            similar = suggestion(team, sorted(self.teams))
            message = f"{path}.team: there is no team named '{team[:64]}'{similar}"
            errors.add(InvalidRequest(message, param=f"{path}.team"))
        errors.check()
        return present


class KeyPlanner:
    def __init__(
        self,
        operations: ApiKeyOperations,
        limits: LimitOperations,
        api_keys: ApiKeyRepository,
        account_names: Mapping[str, str],
        pool: str,
    ) -> None:
        """*account_names* are those of the pool, by id."""
        self._operations = operations
        self._limits = limits
        self._api_keys = api_keys
        self._account_names = account_names
        self._pool = pool

    def plan(
        self, entries: Sequence[Entry | None], known: Known, errors: DocumentErrors
    ) -> Iterator[PlannedChange]:
        """Yield the change of each of *entries*, and add to *errors*."""
        stored = {key.name: key for key in self._api_keys.all(self._pool)}
        for path, entry in numbered("keys", entries):
            with errors.collect():
                yield self._plan(path, entry, stored.get(entry["name"]), known)

    def _plan(self, path: str, entry: Entry, key: ApiKey | None, known: Known) -> PlannedChange:
        """Return the change of *key*, None if it is new, to *entry*. Raises DocumentInvalid."""
        errors = DocumentErrors()
        present: list[str] = []
        limits: list[Limit] = []
        with errors.collect():
            present += known.check(entry, path)
        with errors.collect():
            limits += parse_limits(entry.get("limits", ()), f"{path}.limits")
        errors.check()
        absent = set(entry.get("accounts", ())) - set(present)
        if absent and not present:
            return skipped("keys", entry["name"], f"it may use only {_listed(absent)}, not created yet")
        if absent:
            entry = {**entry, "accounts": present}
        after = _shown(entry, limits)
        with errors_at(path):
            plan = self._plan_new(entry, after) if key is None else self._plan_change(entry, after, key)
        return replace(
            plan,
            notes=(f"without {_listed(absent)}, not created yet",) if absent else (),
            result=_changed_key(key or ApiKey("", entry["name"], self._pool), entry, limits),
        )

    def _plan_new(self, entry: Entry, after: Mapping[str, Any]) -> PlannedChange:
        if "sha256" in entry and self._pool != FOREIGN_POOL:
            raise InvalidRequest(f"keys of other gateways work only in the pool '{FOREIGN_POOL}'")
        fields = {name: value for name, value in entry.items() if value is not None and name != "disabled"}

        def apply() -> str:
            _, secret = self._operations.create(self._pool, fields)
            if entry.get("disabled"):
                self._operations.disable(self._pool, entry["name"])
            return secret

        shown = {**after, "sha256": "of a key of another gateway"} if "sha256" in entry else after
        return planned("keys", entry["name"], None, shown, apply)

    def _plan_change(self, entry: Entry, after: Mapping[str, Any], key: ApiKey) -> PlannedChange:
        before = key_entry(key, self._account_names)
        changes = {
            name: value
            for name, value in entry.items()
            if name not in ("name", "limits", "disabled", "sha256") and _differs(before, after, name)
        }
        limits = limit_changes(key.limits, parse_limits(entry.get("limits", ()), "limits"))

        def apply() -> str:
            if changes:
                self._operations.change(self._pool, key.name, changes)
            if "limits" in after and after["limits"] != before["limits"]:
                limits.apply(self._limits, self._pool, key.name)
            if after.get("disabled", before["disabled"]) != before["disabled"]:
                switch = self._operations.disable if after["disabled"] else self._operations.enable
                switch(self._pool, key.name)
            return ""

        return planned("keys", key.name, before, after, apply)


def _changed_key(key: ApiKey, entry: Entry, limits: Sequence[Limit]) -> ApiKey:
    """Return *key* with the fields of *entry*, which has these *limits*, that warnings are about."""
    fields: dict[str, Any] = {name: tuple(entry[name]) for name in ("models", "accounts") if name in entry}
    fields |= {"expires_at": entry["expires_at"]} if "expires_at" in entry else {}
    fields |= {"team": entry["team"] or ""} if "team" in entry else {}
    return replace(key, limits=tuple(limits) if "limits" in entry else key.limits, **fields)


def _shown(entry: Entry, limits: Sequence[Limit]) -> dict[str, Any]:
    """Return *entry*, which has these *limits*, in the form in which keys are compared."""
    shown: dict[str, Any] = {name: entry[name] for name in entry if name not in OWN}
    for name in ("models", "accounts"):
        if name in shown:
            shown[name] = list(dict.fromkeys(shown[name]))
    if "limits" in entry:
        shown["limits"] = limit_texts(limits)
    if "expires_at" in entry:
        shown[EXPIRES] = written_date(entry["expires_at"])
    if "disabled" in entry:
        shown["disabled"] = entry["disabled"]
    if "team" in entry:
        shown["team"] = entry["team"] or ""
    return shown


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names)[:20])


def _differs(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> bool:
    shown = EXPIRES if name == "expires_at" else name
    return bool(before.get(shown) != after.get(shown))
