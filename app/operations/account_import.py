"""Import the accounts in files of other programs, one by one; a second import changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

from app.accounts.accounts import AccountRepository
from app.accounts.oauth_tokens import Tokens
from app.accounts.sign_in_files import FoundAccount, Item, RejectedItem, clean_name
from app.errors import GatewayError, InvalidRequest, StoreRefused, StoreUnavailable
from app.operations.account_rules import KIND_RULES
from app.operations.accounts import AccountOperations
from app.operations.sign_ins import SameSignIn, SignInOperations
from app.stores.records.accounts import AccountState
from app.stores.records.sign_in_flows import SignInMethod
from schemas.accounts import AccountInput

API_KEY_KIND = "openai"
MAX_NUMBER = 1000  # of accounts whose names differ by a number alone


class ImportOutcome(StrEnum):
    IMPORTED = "imported"
    UPDATED = "updated"  # an account with this sign-in has newer tokens now
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
    """What became of one account in a file: its *name* here, '' if it has none, and a *detail*."""

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
        Import *item* into *pool* and return the result, which a faulty one has as well.

        *fallback_name* is for an account whose file names none. Raises StoreUnavailable, StoreRefused.
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

    def _import_sign_in(self, pool: str, item: FoundAccount, tokens: Tokens, name: str) -> ImportResult:
        same = self._sign_ins.find_same(tokens)
        if same is not None:
            return self._renew(pool, same, tokens)
        name = self._free_name(pool, name)
        self._sign_ins.sign_in(pool, name, tokens, way=SignInMethod.IMPORT)
        self._apply_settings(pool, name, item)
        return ImportResult(ImportOutcome.IMPORTED, name, _describe(item, tokens.plan))

    def _renew(self, pool: str, same: SameSignIn, tokens: Tokens) -> ImportResult:
        name = same.account.name
        if same.pool != pool:
            return ImportResult(ImportOutcome.FAILED, name, f"it is an account of pool '{same.pool}' already")
        if tokens.refresh_token == same.tokens.refresh_token:
            return ImportResult(ImportOutcome.UNCHANGED, name)
        is_dead = same.account.state is AccountState.CREDENTIAL_DEAD
        if not is_dead and is_older(tokens, same.tokens):
            return ImportResult(ImportOutcome.UNCHANGED, name, "the stored sign-in is newer")
        self._sign_ins.sign_in(pool, name, tokens, way=SignInMethod.IMPORT)
        return ImportResult(ImportOutcome.UPDATED, name)

    def _import_api_key(self, pool: str, item: FoundAccount, name: str) -> ImportResult:
        for account in self._stored.all(pool):
            if account.kind == API_KEY_KIND and not account.signed_in:
                stored = self._stored.find(pool, account.name)
                if stored.credential == item.api_key:
                    return ImportResult(ImportOutcome.UNCHANGED, account.name)
        name = self._free_name(pool, name)
        fields = AccountInput(KIND_RULES).load({"kind": API_KEY_KIND, "name": name})
        self._accounts.add(pool, fields, credential=item.api_key)
        self._apply_settings(pool, name, item)
        return ImportResult(ImportOutcome.IMPORTED, name, _describe(item, "an API key"))

    def _apply_settings(self, pool: str, name: str, item: FoundAccount) -> None:
        if item.weight != 1:
            self._accounts.change(pool, name, {"weight": item.weight})
        if item.is_disabled:
            self._accounts.pause(pool, name)

    def _free_name(self, pool: str, name: str) -> str:
        """Return *name*, with a number where an account of *pool* has it already."""
        taken = set(self._stored.names_by_id(pool).values())
        for number in range(1, MAX_NUMBER):
            numbered = name if number == 1 else f"{name[:60]}-{number}"
            if numbered not in taken:
                return numbered
        raise InvalidRequest(f"There are {MAX_NUMBER} accounts named like '{name}' already", param="name")


def is_older(tokens: Tokens, than: Tokens) -> bool:
    """Return whether *tokens* were issued before *than*; False where that is unknown."""
    if tokens.refreshed_at and than.refreshed_at:
        return tokens.refreshed_at < than.refreshed_at
    return bool(tokens.expires_at and than.expires_at) and tokens.expires_at < than.expires_at


def _describe(item: FoundAccount, what: str) -> str:
    parts = [what, "paused, as it is disabled in the file" if item.is_disabled else ""]
    parts.append(f"not applied: {', '.join(item.unused)}" if item.unused else "")
    return "; ".join(filter(None, parts))
