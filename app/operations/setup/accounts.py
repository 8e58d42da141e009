"""The accounts of a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.kinds import KINDS, kind_of
from app.accounts.new_account import changed_account, checked_credential, new_account
from app.accounts.own_proxy import proxy_of
from app.config import Settings
from app.errors import CredentialUnreadable, InvalidRequest
from app.operations.accounts import AccountOperations, check_limits_hold
from app.operations.setup.changes import HIDDEN, PlannedChange, planned, skipped
from app.operations.setup.errors import DocumentErrors, errors_at, numbered
from app.operations.setup.secrets import Variables
from app.stores.records.accounts import AccountState
from schemas.accounts import ProxyUrl

FIXED = ("kind", "base_url", "wires")  # cannot be changed once the account exists
OWN = ("name", "api_key_env", "secret_headers_env", "proxy_env", "paused")  # fields that only documents have
API_KEY, PAUSED, SECRET_HEADERS = "api_key", "paused", "secret_headers"

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Secrets:
    """The secrets of an entry that differ from the stored ones and whose variables are set."""

    credential: str
    headers: Mapping[str, str | None]  # None: removed
    proxy: str  # its URL
    notes: tuple[str, ...] = ()


class _SecretReader:
    """Reads the secrets of an entry for a stored account; `unset` names the variables whose secret stays."""

    def __init__(self, path: str, variables: Variables, is_readable: bool) -> None:
        self._path = path
        self._variables = variables
        self._is_readable = is_readable
        self.unset: list[str] = []

    def read(self, variable: str, field: str, *, is_stored: bool) -> str:
        """
        Return the value of *variable*, which *field* names; '' if it is not set, or *variable* is ''.

        It is required where no secret is stored. One that cannot be read counts as stored.
        """
        if not variable:
            return ""
        if self._is_readable and not is_stored:
            return self._variables.require(variable, f"{self._path}.{field}")
        value = self._variables.find(variable)
        if not value:
            self.unset.append(variable)
        return value


class AccountPlanner:
    def __init__(
        self, operations: AccountOperations, accounts: AccountRepository, settings: Settings, pool: str
    ) -> None:
        self._operations = operations
        self._accounts = accounts
        self._settings = settings
        self._pool = pool

    def plan(
        self, entries: Sequence[Entry | None], variables: Variables, errors: DocumentErrors
    ) -> Iterator[PlannedChange]:
        """Yield the change of each of *entries*, and add to *errors*."""
        stored = {account.name: account for account in self._accounts.all(self._pool)}
        for path, entry in numbered("accounts", entries):
            with errors.collect(), errors_at(path):
                account = stored.get(entry["name"])
                if account is None:
                    yield self._plan_new(entry, path, variables)
                else:
                    yield self._plan_change(entry, account, path, variables)

    def _plan_new(self, entry: Entry, path: str, variables: Variables) -> PlannedChange:
        kind = KINDS[entry["kind"]]
        if kind.is_simulated:
            return skipped("accounts", entry["name"], "a simulated account, which poolgate up --demo adds")
        if kind.has_sign_in:
            command = f"poolgate account login --name {entry['name']}"
            note = f"it has to be signed in first ({command}); then apply the document again"
            return skipped("accounts", entry["name"], note)
        name = entry.get("api_key_env", "")
        credential = variables.require(name, f"{path}.api_key_env") if name else ""
        headers = {
            header: variables.require(variable, f"{path}.secret_headers_env.{header}")
            for header, variable in entry.get("secret_headers_env", {}).items()
        }
        fields = {key: value for key, value in entry.items() if key not in OWN}
        fields["name"] = entry["name"]
        proxy_name = entry.get("proxy_env", "")
        if proxy_name and (proxy := variables.require(proxy_name, f"{path}.proxy_env")):
            fields["proxy"] = _checked_proxy(proxy)
        is_complete = all([credential or not name, *headers.values()])
        if headers and is_complete:
            fields["secret_headers"] = headers
        check_limits_hold(fields)
        stand_in = HIDDEN if name and not credential else ""  # missing secrets are reported together later
        account = new_account(fields, self._settings, credential=credential or stand_in)

        def apply() -> str:
            self._operations.add(self._pool, fields, credential=credential)
            if entry.get("paused"):
                self._operations.pause(self._pool, entry["name"])
            return ""

        shown = {key: value for key, value in entry.items() if key != "name"}
        remarks = self._operations.find_addition_remarks(self._pool, entry["name"])
        return planned("accounts", entry["name"], None, shown, apply, notes=remarks, result=account)

    def _plan_change(self, entry: Entry, account: Account, path: str, variables: Variables) -> PlannedChange:
        is_readable = False  # then all of its secrets are replaced
        with suppress(CredentialUnreadable):
            account = self._accounts.find(self._pool, account.name)
            is_readable = True
        before = {**account.public(), PAUSED: account.state is AccountState.PAUSED}
        after: dict[str, Any] = {key: _normal(entry[key]) for key in entry if key not in OWN}
        before = {key: _normal(before.get(key)) for key in (*after, PAUSED, "proxy")}
        for name in FIXED:
            if name in after and after[name] != before[name]:
                raise InvalidRequest(
                    f"{name} of '{account.name}' cannot be changed: remove the account first", param=name
                )
        changes = {
            key: _merge_patch(before[key], value) for key, value in after.items() if value != before[key]
        }
        secrets = self._changed_secrets(entry, account, _SecretReader(path, variables, is_readable))
        if secrets.headers:
            changes["secret_headers"] = secrets.headers
            after[SECRET_HEADERS] = {
                name: HIDDEN if value else "removed" for name, value in secrets.headers.items()
            }
        if secrets.credential:
            after[API_KEY] = HIDDEN
        if secrets.proxy:
            changes["proxy"] = secrets.proxy
            after["proxy"] = f"{proxy_of(secrets.proxy).url} {HIDDEN}"
        if "paused" in entry:
            after[PAUSED] = entry["paused"]
        check_limits_hold(changes)
        changed = changed_account(account, changes)

        def apply() -> str:
            if changes or secrets.credential:
                self._operations.change(self._pool, account.name, changes, credential=secrets.credential)
            if after.get(PAUSED, before[PAUSED]) != before[PAUSED]:
                switch = self._operations.pause if after[PAUSED] else self._operations.resume
                switch(self._pool, account.name)
            return ""

        return planned("accounts", account.name, before, after, apply, notes=secrets.notes, result=changed)

    def _changed_secrets(self, entry: Entry, account: Account, reader: _SecretReader) -> _Secrets:
        """Return the secrets of *entry* that differ from the stored ones; unset variables change nothing."""
        names = entry.get("secret_headers_env", {})
        key_name = entry.get("api_key_env", "")
        if key_name and account.signed_in:
            raise InvalidRequest(
                f"'{account.name}' of kind {kind_of(account).name} has a sign-in, and no API key",
                param="api_key_env",
            )
        credential = reader.read(key_name, "api_key_env", is_stored=bool(account.credential))
        stored = account.settings.secret_headers
        headers: dict[str, str | None] = {}
        if "secret_headers_env" in entry:
            headers = dict.fromkeys(name for name in stored if name not in names)
        for header, variable in names.items():
            value = reader.read(variable, f"secret_headers_env.{header}", is_stored=header in stored)
            if value and stored.get(header) != value:
                headers[header] = checked_credential(value)
        if credential:
            checked_credential(credential)
        has_proxy = account.settings.proxy != proxy_of("")
        proxy = reader.read(entry.get("proxy_env", ""), "proxy_env", is_stored=has_proxy)
        if proxy:
            proxy = _checked_proxy(proxy)
        return _Secrets(
            credential if credential != account.credential else "",
            headers,
            proxy if proxy_of(proxy) != account.settings.proxy else "",
            tuple(f"{variable} is not set, so the stored secret stays" for variable in reader.unset),
        )


def _checked_proxy(url: str) -> str:
    """Return the *url* of a proxy. Raises InvalidRequest, without the URL in the message."""
    try:
        checked: str = ProxyUrl().deserialize(url)
    except ValidationError as error:
        raise InvalidRequest(f"the variable of proxy_env {error.messages[0]}", param="proxy_env") from None
    return checked


def _normal(value: Any) -> Any:
    """Return *value* with lists in the form of documents, without repeated entries."""
    return list(dict.fromkeys(value)) if isinstance(value, list | tuple) else value


def _merge_patch(before: Any, after: Any) -> Any:
    """Return the patch from *before* to *after*: objects are merged, and None removes a member."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return after
    return {**dict.fromkeys(name for name in before if name not in after), **after}
