"""What operators do with accounts. What is changed holds at once, in every process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from app.accounts.account import Account
from app.accounts.new_account import changed_account, checked_credential, new_account
from app.accounts.oauth_tokens import Tokens, tokens_from_auth_json
from app.errors import InvalidRequest, NotFound
from app.operations.account_check import AccountCheck, knows_model, trial
from app.operations.base import AuditedOperations
from app.operations.first_listing import FirstListing, list_at_once


class Accounts(AuditedOperations):
    def add_account(
        self, pool: str, wish: Mapping[str, Any], *, credential: str = "", chatgpt_account_id: str = ""
    ) -> Account:
        """
        Add the account that *wish*, the fields of a valid AccountInput, describes.

        Raises InvalidRequest where the name is taken, or a credential is missing or malformed.
        """
        account = new_account(
            wish, self._parts.settings, credential=credential, chatgpt_account_id=chatgpt_account_id
        )
        return self._put(pool, "account.add", account)

    def look_at_account(self, pool: str, account: Account) -> FirstListing:
        """
        List the models and the usage of *account*, which was just added or signed in; within 5 s.

        Returns what was found, or what went wrong; the account stays either way.
        """
        return list_at_once(self._parts, pool, self._parts.accounts.read(pool, account.id))

    def add_reachable_account(
        self, pool: str, wish: Mapping[str, Any], *, credential: str = "", chatgpt_account_id: str = ""
    ) -> tuple[Account, FirstListing]:
        """
        Add an account as `add_account` does, unless its server does not answer or refuses it.

        Raises InvalidRequest, with what went wrong, when it was not added for that.
        """
        added = self.add_account(pool, wish, credential=credential, chatgpt_account_id=chatgpt_account_id)
        found = self.look_at_account(pool, added)
        if not found.ok:
            self.remove_account(pool, added.name, although_bound=True)
            raise InvalidRequest(f"The account was not added: {found.sentence()}", param="base_url")
        return added, found

    def put_account(self, pool: str, account: Account) -> Account:
        """Add *account*, or change the one it is, as a whole."""
        return self._put(pool, "account.change" if account.id else "account.add", account)

    def change_account(
        self, pool: str, name: str, wish: Mapping[str, Any], *, credential: str = ""
    ) -> Account:
        """
        Change the account *name*; *wish* holds fields of an AccountInput loaded with `partial=True`.

        An empty list of models allows all. A *credential* takes the place of the API key or token
        it has. Raises NotFound; InvalidRequest for a credential where a sign-in is.
        """
        known = self._parts.accounts
        account = changed_account((known.described if credential else known.find)(pool, name), wish)
        if credential:
            if account.signed_in:
                raise InvalidRequest(
                    f"Account '{name}' has a sign-in, which renews itself; sign it in anew instead",
                    param="credential",
                )
            account = replace(account, credential=checked_credential(credential))
        return self._put(pool, "account.change", account, credential="replaced" if credential else "")

    def _put(
        self, pool: str, action: str, account: Account, tokens: Tokens | None = None, **beside: str
    ) -> Account:
        self._ensure(pool)
        before = self._parts.accounts.described_by_id(pool, account.id) if account.id else None
        with self._change(action, pool, account.name) as change:
            if before is None:
                stored = self._parts.accounts.add(pool, account, tokens)
            else:
                stored = self._parts.accounts.change(pool, account)
                change.before = _told(before)
            change.after = _told(stored)
            change.beside = {name: value for name, value in beside.items() if value}
        return stored

    def pause_account(self, pool: str, name: str) -> Account:
        """Give the account *name* no new requests; those it is serving go on."""
        return self._on_account("account.pause", pool, name, self._parts.accounts.pause)

    def resume_account(self, pool: str, name: str) -> Account:
        """Bring the account *name* back, whatever it was out for."""
        return self._on_account("account.resume", pool, name, self._parts.accounts.resume)

    def trust_lengths(self, pool: str, name: str) -> Account:
        """Trust the account *name* again to keep the lengths that requests name."""
        return self._on_account("account.trust_lengths", pool, name, self._parts.accounts.forget_exceeded)

    def remove_account(self, pool: str, name: str, *, although_bound: bool = False) -> None:
        """Remove an account and its credential. Raises InvalidRequest while keys are bound to it."""
        before = self._parts.accounts.described(pool, name)
        with self._change("account.remove", pool, name) as change:
            change.before = _told(before)
            change.beside = {"forced": True} if although_bound else {}
            self._parts.accounts.remove(pool, name, although_bound=although_bound)

    def _on_account(self, action: str, pool: str, name: str, do: Callable[[str, str], object]) -> Account:
        before = self._parts.accounts.described(pool, name)
        with self._change(action, pool, name) as change:
            do(pool, name)
            after = self._parts.accounts.described(pool, name)
            change.before, change.after = _states(before), _states(after)
        return after

    def check_sign_in(self, pool: str, name: str) -> Account | None:
        """
        Return the account that a sign-in as *name* would renew, None where it would make one.

        To be asked before anybody signs in. Raises InvalidRequest for an account that has no sign-ins.
        """
        try:
            known = self._parts.accounts.described(pool, name)
        except NotFound:
            return None
        if known.kind != "chatgpt":
            raise InvalidRequest(
                f"Account '{name}' is of kind {known.kind}, which has no sign-in", param="name"
            )
        return known

    def sign_in(self, pool: str, name: str, tokens: Tokens, *, way: str) -> Account:
        """
        Keep *tokens*, which came by *way*, as the sign-in of the account *name*, new or known.

        Raises InvalidRequest where they are another ChatGPT account's than the one of that name, and
        where another account has that person's sign-in.
        """
        known = self.check_sign_in(pool, name)
        if known is None:
            self._check_first(tokens)
            account = new_account(
                {"kind": "chatgpt", "name": name},
                self._parts.settings,
                credential=tokens.access_token,
                chatgpt_account_id=tokens.account_id,
            )
            return self._put(pool, "account.sign_in", account, tokens, way=way)
        if known.chatgpt_account_id != tokens.account_id:
            raise InvalidRequest(
                f"That is not the ChatGPT account of '{name}'; give it a name of its own", param="name"
            )
        with self._change("account.sign_in", pool, name) as change:
            stored = self._parts.sign_ins.replace(pool, known, tokens)
            change.before, change.after, change.beside = _told(known), _told(stored), {"way": way}
        return stored

    def _check_first(self, tokens: Tokens) -> None:
        """Whoever renews a sign-in second ends it, and its windows would count twice."""
        for pool in self._parts.pools.names():
            for account in self._parts.accounts.all(pool):
                if not account.signed_in or account.chatgpt_account_id != tokens.account_id:
                    continue
                if self._parts.sign_ins.read(pool, account).email == tokens.email:
                    raise InvalidRequest(
                        f"That sign-in is account '{account.name}' of pool '{pool}' already; "
                        "to renew it, use that name",
                        param="name",
                    )

    def import_account(self, pool: str, name: str, auth_json: bytes) -> Account:
        """Take over the sign-in in Codex's *auth_json*. Raises InvalidRequest, which quotes none of it."""
        return self.sign_in(pool, name, tokens_from_auth_json(auth_json), way="import")

    def export_account(self, pool: str, name: str) -> bytes:
        """Return the sign-in of the account *name* as Codex's auth.json: a secret."""
        tokens = self._parts.sign_ins.read(pool, self._parts.accounts.find(pool, name))
        self._parts.audit.note(self._actor, "account.export", pool, name)
        return tokens.auth_json()

    def test_account(self, pool: str, name: str, model: str = "") -> AccountCheck:
        """
        Send a tiny request to the account *name*, whatever its state; return how that went. Not booked.

        Where no model is named and none is known, its models are listed first. Raises InvalidRequest,
        with what went wrong, when that brings none.
        """
        account = self._parts.accounts.find(pool, name)
        if not model and not knows_model(account):
            found = list_at_once(self._parts, pool, account)
            account = self._parts.accounts.find(pool, name)
            if not knows_model(account):
                raise InvalidRequest(
                    f"Account '{name}' has listed no models: {found.sentence()}. "
                    "Name a model to test it with all the same",
                    param="model",
                )
        told = trial(self._parts, pool, account, model)
        if told.ok:  # it may be out for its credential
            self._parts.accounts.observe(pool, account.id, {}, accepted=True)
        self._parts.audit.note(self._actor, "account.test", pool, name, model=told.model, ok=told.ok)
        return told


def _told(account: Account) -> dict[str, Any]:
    public = account.public()
    return {name: value for name, value in public.items() if name not in ("in_flight", "since_ms")}


def _states(account: Account) -> dict[str, Any]:
    return {name: getattr(account, name) for name in ("state", "reason", "until_ms")}
