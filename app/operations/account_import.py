"""Import the accounts in files of other programs, one by one; a second import changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypedDict

from marshmallow import ValidationError

from app.accounts.accounts import AccountRepository
from app.accounts.new_account import changed_account
from app.accounts.oauth_tokens import Tokens
from app.accounts.sign_in_files import FoundAccount, Item, RejectedItem, clean_name
from app.errors import GatewayError, InvalidRequest, StoreRefused, StoreUnavailable
from app.operations.account_rules import KIND_RULES
from app.operations.accounts import AccountOperations, check_limits_hold
from app.operations.sign_ins import SameSignIn, SignInOperations
from app.stores.records.accounts import AccountState
from app.stores.records.sign_in_flows import SignInMethod
from schemas.accounts import AccountInput
from schemas.validation_errors import first_error_path

_SECRET_HEADER = re.compile(r"auth|cookie|key|password|secret|token", re.IGNORECASE)
API_KEY_KIND = "openai"
MAX_NUMBER = 1000  # of accounts whose names differ only by a number


class ImportOutcome(StrEnum):
    IMPORTED = "imported"
    UPDATED = "updated"  # an account that has this sign-in got newer tokens
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"  # an account of another provider
    FAILED = "failed"


class ImportJson(TypedDict):
    """An ImportResult, as data."""

    outcome: ImportOutcome
    name: str
    detail: str


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result for one account in a file: its *name* here, '' if it has none, and a *detail*."""

    outcome: ImportOutcome
    name: str = ""
    detail: str = ""

    def public(self) -> ImportJson:
        return {"outcome": self.outcome, "name": self.name, "detail": self.detail}


class AccountImport:
    def __init__(
        self, accounts: AccountOperations, sign_ins: SignInOperations, stored: AccountRepository
    ) -> None:
        self._accounts = accounts
        self._sign_ins = sign_ins
        self._stored = stored

    def import_item(self, pool: str, item: Item, fallback_name: str) -> ImportResult:
        """
        Import *item* into *pool* and return the result; a faulty item has the result `failed`.

        *fallback_name* is for an account that has no name in the file. Raises StoreUnavailable, StoreRefused.
        """
        if isinstance(item, RejectedItem):
            outcome = ImportOutcome.FAILED if item.is_fault else ImportOutcome.SKIPPED
            return ImportResult(outcome, item.name, item.reason)
        name = item.name or clean_name(fallback_name) or "account"
        try:
            if item.tokens is not None:
                return self._import_sign_in(pool, item, item.tokens, name)
            return self._import_api_key(pool, item, name)
        except (StoreUnavailable, StoreRefused):
            raise
        except GatewayError as error:
            return ImportResult(ImportOutcome.FAILED, name, error.message)

    def preview_sign_in(
        self, pool: str, name: str, tokens: Tokens, promised: Container[str] = ()
    ) -> ImportResult:
        """Return the result that importing *tokens* as *name* would have; *promised* names count as taken."""
        same = self._sign_ins.find_same(tokens)
        if same is not None:
            return _renewal(pool, same, tokens)
        name = self._free_name(pool, name, promised)
        remarks = self._accounts.find_addition_remarks(pool, name)
        return ImportResult(ImportOutcome.IMPORTED, name, "; ".join(filter(None, (tokens.plan, *remarks))))

    def _import_sign_in(self, pool: str, item: FoundAccount, tokens: Tokens, name: str) -> ImportResult:
        same = self._sign_ins.find_same(tokens)
        if same is not None:
            renewal = _renewal(pool, same, tokens)
            if renewal.outcome is ImportOutcome.UPDATED:
                self._sign_ins.sign_in(pool, renewal.name, tokens, way=SignInMethod.IMPORT)
            return renewal
        name = self._free_name(pool, name)
        added = self._sign_ins.sign_in(pool, name, tokens, way=SignInMethod.IMPORT)
        refused = self._apply_settings(pool, name, item)
        detail = _describe(item, tokens.plan, refused, added.remarks)
        return ImportResult(ImportOutcome.IMPORTED, name, detail)

    def _import_api_key(self, pool: str, item: FoundAccount, name: str) -> ImportResult:
        for account in self._stored.all(pool):
            if account.kind == API_KEY_KIND and not account.signed_in:
                stored = self._stored.find(pool, account.name)
                if stored.credential == item.api_key:
                    return ImportResult(ImportOutcome.UNCHANGED, account.name)
        name = self._free_name(pool, name)
        fields = AccountInput(KIND_RULES).load({"kind": API_KEY_KIND, "name": name})
        added = self._accounts.add(pool, fields, credential=item.api_key)
        refused = self._apply_settings(pool, name, item)
        detail = _describe(item, "an API key", refused, added.remarks)
        return ImportResult(ImportOutcome.IMPORTED, name, detail)

    def _apply_settings(self, pool: str, name: str, item: FoundAccount) -> list[str]:
        """Apply the settings in *item*; return those that cannot be applied, with the reason."""
        changes: dict[str, Any] = {} if item.weight == 1 else {"weight": item.weight}
        refused = []
        for setting, value in item.settings.items():
            try:
                fields = SETTINGS[setting](value)
                loaded = AccountInput(KIND_RULES).load(fields, partial=True)
                check_limits_hold(loaded)
                changed_account(self._stored.find(pool, name), loaded)
            except (ValidationError, InvalidRequest) as error:
                refused.append(f"{setting} ({_reason(error)})")
            else:
                changes |= loaded
        if changes:
            self._accounts.change(pool, name, changes)
        if item.is_disabled:
            self._accounts.pause(pool, name)
        return refused

    def _free_name(self, pool: str, name: str, promised: Container[str] = ()) -> str:
        """Return *name*, with a number added if an account of *pool* has it, or it is *promised*."""
        taken = set(self._stored.names_by_id(pool).values())
        for number in range(1, MAX_NUMBER):
            numbered = name if number == 1 else f"{name[:60]}-{number}"
            if numbered not in taken and numbered not in promised:
                return numbered
        raise InvalidRequest(f"There are {MAX_NUMBER} accounts named like '{name}' already", param="name")


def _renewal(pool: str, same: SameSignIn, tokens: Tokens) -> ImportResult:
    """Return the result for *tokens* of a person whose sign-in *same* is stored already."""
    name = same.account.name
    if same.pool != pool:
        return ImportResult(ImportOutcome.FAILED, name, f"it is an account of pool '{same.pool}' already")
    if tokens.refresh_token == same.tokens.refresh_token:
        return ImportResult(ImportOutcome.UNCHANGED, name)
    is_dead = same.account.state is AccountState.CREDENTIAL_DEAD
    if not is_dead and is_older(tokens, same.tokens):
        return ImportResult(ImportOutcome.UNCHANGED, name, "the stored sign-in is newer")
    return ImportResult(ImportOutcome.UPDATED, name)


def is_older(tokens: Tokens, than: Tokens) -> bool:
    """Return whether *tokens* were issued before *than*; False if that is unknown."""
    if tokens.refreshed_at and than.refreshed_at:
        return tokens.refreshed_at < than.refreshed_at
    return bool(tokens.expires_at and than.expires_at) and tokens.expires_at < than.expires_at


def _describe(item: FoundAccount, what: str, refused: Sequence[str], remarks: Sequence[str]) -> str:
    parts = [what, "paused, as it is disabled in the file" if item.is_disabled else ""]
    not_applied = ", ".join((*item.unused, *refused))
    parts.append(f"not applied: {not_applied}" if not_applied else "")
    return "; ".join(filter(None, (*parts, *remarks)))


def _reason(error: ValidationError | InvalidRequest) -> str:
    return error.message if isinstance(error, InvalidRequest) else " ".join(first_error_path(error)).strip()


def _headers(value: Any) -> dict[str, Any]:
    """
    Return the account's fields for the headers of a file; values that may be secret become secret headers.
    """
    if not isinstance(value, dict):
        raise InvalidRequest("must be an object")
    if any(isinstance(text, str) and text.startswith("$") for text in value.values()):
        raise InvalidRequest("a value of the caller's request cannot be sent on")
    is_secret = {name: _SECRET_HEADER.search(name) is not None for name in value}
    return {
        "headers": {name: text for name, text in value.items() if not is_secret[name]},
        "secret_headers": {name: text for name, text in value.items() if is_secret[name]},
    }


def _aliases(value: Any) -> dict[str, Any]:
    """Return the field of an account for `{alias: model}`, or a list of `{"alias": …, "name": model}`."""
    if isinstance(value, list):
        if not all(isinstance(each, dict) and isinstance(each.get("alias"), str) for each in value):
            raise InvalidRequest("must be a list of objects with alias and name")
        value = {each["alias"]: each.get("name") for each in value}
    return {"model_names": value}


SETTINGS: Mapping[str, Callable[[Any], dict[str, Any]]] = {  # by the names in sign_in_files.SETTINGS
    "proxy_url": lambda value: {"proxy": value},
    "headers": _headers,
    "model_aliases": _aliases,
}
