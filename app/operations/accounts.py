"""Change the accounts of a pool. Every change takes effect immediately, in every process."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.job_results import SHOWS_NO_ANSWER
from app.accounts.new_account import changed_account, checked_credential, new_account
from app.accounts.oauth_tokens import Tokens
from app.accounts.own_proxy import proxy_of
from app.config import Settings
from app.errors import CredentialUnreadable, InvalidRequest
from app.limits.own_fields import check_model_names, check_own_fields
from app.operations.account_check import SECONDS, AccountCheck, AccountChecker, knows_model
from app.operations.account_references import ReferenceReader
from app.operations.audit_trail import AuditedOperations, AuditTrail
from app.operations.first_listing import AccountLister, FirstListing
from app.stores.records.accounts import AccountState
from schemas.bounds import name_error

# not in the audit log, because they change with every request
_VOLATILE_FIELDS = ("in_flight", "since_ms")


class AuditedState(TypedDict):
    """The fields of an account's state that the audit log records when the state changes."""

    state: str
    reason: str
    until_ms: int


class AccountOperations(AuditedOperations):
    def __init__(
        self,
        audit: AuditTrail,
        accounts: AccountRepository,
        settings: Settings,
        lister: AccountLister,
        checker: AccountChecker,
        references: ReferenceReader,
    ) -> None:
        super().__init__(audit)
        self._accounts = accounts
        self._settings = settings
        self._lister = lister
        self._checker = checker
        self._references = references

    def add(
        self, pool: str, fields: Mapping[str, Any], *, credential: str = "", chatgpt_account_id: str = ""
    ) -> Account:
        """
        Add an account with *fields*, those of a valid AccountInput, and return it.

        Raises InvalidRequest if the name is taken, or a credential is missing or malformed.
        """
        check_limits_hold(fields)
        account = new_account(
            fields, self._settings, credential=credential, chatgpt_account_id=chatgpt_account_id
        )
        return self.put(pool, account)

    def fetch_listing(self, pool: str, account: Account) -> FirstListing:
        """
        List the models and the usage of *account*, which was just added or signed in; takes up to 5 s.

        Returns the result, which may be an error; the account stays in both cases.
        """
        return self._lister.fetch(pool, self._accounts.read(pool, account.id))

    def list_models(self, pool: str, name: str) -> FirstListing:
        """List the current models and usage of the account *name*, as `fetch_listing` does."""
        listing = self.fetch_listing(pool, self._accounts.find(pool, name))
        self._audit.note("account.list_models", pool, name, ok=listing.ok)
        return listing

    def add_if_reachable(
        self, pool: str, fields: Mapping[str, Any], *, credential: str = "", chatgpt_account_id: str = ""
    ) -> tuple[Account, FirstListing]:
        """
        Add an account as `add` does, unless its server does not answer or refuses it.

        Raises InvalidRequest with the reason when the account was not added.
        """
        added = self.add(pool, fields, credential=credential, chatgpt_account_id=chatgpt_account_id)
        listing = self.fetch_listing(pool, added)
        if not listing.ok:
            self.remove(pool, added.name, although_bound=True)
            raise InvalidRequest(f"The account was not added: {listing.sentence()}", param="base_url")
        return added, listing

    def change(self, pool: str, name: str, changes: Mapping[str, Any], *, credential: str = "") -> Account:
        """
        Change the account *name*; *changes* are fields of an AccountInput loaded with `partial=True`.

        An empty list of models allows all. Headers are merged, and None removes one. A *credential* replaces
        the account's API key or token. Raises NotFound; InvalidRequest for a credential if the account has a
        sign-in.
        """
        check_limits_hold(changes)
        account = changed_account(self._read_for_change(pool, name, credential), changes)
        if credential:
            if account.signed_in:
                raise InvalidRequest(
                    f"Account '{name}' has a sign-in, which refreshes itself; sign in again instead",
                    param="credential",
                )
            account = replace(account, credential=checked_credential(credential))
        return self.put(
            pool,
            account,
            credential="replaced" if credential else "",
            proxy_password="replaced" if proxy_of(changes.get("proxy", "")).password else "",
            secret_headers=", ".join(
                name for name, text in changes.get("secret_headers", {}).items() if text
            ),
        )

    def _read_for_change(self, pool: str, name: str, credential: str) -> Account:
        """Return the account *name*; a new *credential* may replace one that cannot be decrypted here."""
        try:
            return self._accounts.find(pool, name)
        except CredentialUnreadable:
            if not credential:
                raise
            return self._accounts.find_without_credential(pool, name)

    def put(self, pool: str, account: Account, **extra: str) -> Account:
        """
        Add *account*, or replace the stored account if it has an id; return it as stored.

        *extra* is recorded with the change.
        """
        if not account.id:
            return self.add_with_tokens(pool, account, None, action="account.add", **extra)
        self._audit.ensure_pool(pool)
        before = self._accounts.read_without_credential(pool, account.id)
        with self._audit.change("account.change", pool, account.name) as change:
            stored = self._accounts.change(pool, account)
            change.before, change.after = audited_fields(before), audited_fields(stored)
            change.extra = {name: value for name, value in extra.items() if value}
        return stored

    def add_with_tokens(
        self, pool: str, account: Account, tokens: Tokens | None, *, action: str, **extra: str
    ) -> Account:
        """
        Add the new *account* with the *tokens* of its sign-in, recorded as *action* with *extra*.

        Returns the account with remarks about what it took over from a removed one.
        """
        self._audit.ensure_pool(pool)
        taken = self._references.of_former(pool, account.name, time.time())
        with self._audit.change(action, pool, account.name) as change:
            stored = self._accounts.add(pool, account, tokens)
            change.after = audited_fields(stored)
            change.extra = {name: value for name, value in (extra | taken.audited()).items() if value}
        return replace(stored, remarks=taken.remarks())

    def find_addition_remarks(self, pool: str, name: str) -> tuple[str, ...]:
        """Return the remarks that an account would have if it were added as *name* now."""
        return self._references.of_former(pool, name, time.time()).remarks()

    def pause(self, pool: str, name: str) -> Account:
        """Pause the account *name*: it gets no new requests, and running requests continue."""
        account = self._accounts.find_without_credential(pool, name)
        if account.state is AccountState.PAUSED:
            return account
        return self._change_state("account.pause", pool, name, self._accounts.pause)

    def resume(self, pool: str, name: str) -> Account:
        """Make the account *name* available again, whatever took it out of use."""
        return self._change_state("account.resume", pool, name, self._accounts.resume)

    def trust_lengths(self, pool: str, name: str) -> Account:
        """Trust again that the account *name* honours the output lengths that requests set."""
        return self._change_state("account.trust_lengths", pool, name, self._accounts.forget_exceeded)

    def forget_refused(self, pool: str, name: str) -> Account:
        """
        Send the account *name* again the fields that its server has refused, in case it accepts them now.
        """
        return self._change_state("account.forget_refused", pool, name, self._accounts.forget_refused)

    def remove(self, pool: str, name: str, *, although_bound: bool = False) -> None:
        """Remove an account and its credential. Raises InvalidRequest while keys are restricted to it."""
        before = self._accounts.find_without_credential(pool, name)
        with self._audit.change("account.remove", pool, name) as change:
            change.before = audited_fields(before)
            change.extra = {"forced": True} if although_bound else {}
            self._accounts.remove(pool, name, although_bound=although_bound)

    def find_removal_warnings(self, pool: str, names: Collection[str]) -> list[str]:
        """
        Return sentences about what the removal of the accounts *names*, all at once, leaves behind.

        Names of no account are ignored.
        """
        existing = self._accounts.names_by_id(pool)
        removed = {account_id for account_id, name in existing.items() if name in names}
        return self._references.removal_warnings(pool, removed, existing.keys() - removed) if removed else []

    def find_removable(self, pool: str, names: Sequence[str], *, although_bound: bool = False) -> list[str]:
        """Return those of *names* that `remove` removes: accounts which no usable key is restricted to."""
        bound = set() if although_bound else self._references.bound_accounts(pool, time.time())
        ids = {name: account_id for account_id, name in self._accounts.names_by_id(pool).items()}
        return [name for name in names if name in ids and ids[name] not in bound]

    def _change_state(
        self, action: str, pool: str, name: str, apply: Callable[[str, str], object]
    ) -> Account:
        before = self._accounts.find_without_credential(pool, name)
        with self._audit.change(action, pool, name) as change:
            apply(pool, name)
            after = self._accounts.find_without_credential(pool, name)
            change.before, change.after = _state_fields(before), _state_fields(after)
        return after

    def test(self, pool: str, name: str, model: str = "", seconds: float = SECONDS) -> AccountCheck:
        """
        Send a short request to the account *name*, whatever its state; return the result.

        The request takes up to *seconds*, and is not in the ledger. Without a *model*, one that the account
        serves is chosen; its models are listed first if none is known. Raises InvalidRequest with the reason
        if no model is found, or *model* is no valid name.
        """
        if model and (error := name_error(model)):
            raise InvalidRequest(f"model {error}", param="model")
        account = self._accounts.find(pool, name)
        if not model and not knows_model(account):
            listing = self._lister.fetch(pool, account)
            account = self._accounts.find(pool, name)
            if not knows_model(account):
                raise InvalidRequest(
                    f"Account '{name}' has listed no models: {listing.sentence()}. "
                    "Name a model to test it anyway (commands: --model)",
                    param="model",
                )
        result = self._checker.check(pool, account, model, seconds)
        if result.ok:  # the account may be out of use because of its credential
            self._accounts.observe(pool, account.id, {}, accepted=True)
        elif result.failure in SHOWS_NO_ANSWER:
            self._accounts.observe(pool, account.id, {}, unanswered=result.failure, tested=True)
        self._audit.note("account.test", pool, name, model=result.model, ok=result.ok)
        return result


def check_limits_hold(fields: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for settings in *fields* that would change what limits count for a request."""
    check_own_fields(fields.get("drop_fields", ()), fields.get("set_fields", {}))
    check_model_names(fields.get("model_names", {}))


def audited_fields(account: Account) -> dict[str, Any]:
    """Return the public fields of *account* that the audit log records; certificates as their digest."""
    recorded = {name: value for name, value in account.public().items() if name not in _VOLATILE_FIELDS}
    if pem := account.settings.ca_certificates:
        recorded["ca_certificates"] = f"sha256:{hashlib.sha256(pem.encode()).hexdigest()}"
    return recorded


def _state_fields(account: Account) -> AuditedState:
    return {"state": account.state, "reason": account.reason, "until_ms": account.until_ms}


def bulk_part(account: Account) -> tuple[int, int, int, bool]:
    """Return what a change of several accounts may change: weight, group, cap, and whether it is paused."""
    return account.weight, account.group, account.cap, account.state is AccountState.PAUSED
