"""The accounts of a pool: read, add, change and remove them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson

from app.accounts.account import Account
from app.accounts.account_reading import account_from
from app.accounts.oauth_tokens import NO_IDENTITY, SignInIdentity, Tokens, tokens_from
from app.accounts.snapshot import read_current_accounts
from app.errors import CredentialUnreadable, InvalidRequest, NotFound
from app.stores.accounts import AccountHashes
from app.stores.records.accounts import (
    PAUSED_BY_OPERATOR,
    REFUSED_PREFIX,
    UNKNOWN_USAGE,
    AccountOutcome,
    AccountState,
)
from app.stores.records.credentials import SealedTokens
from app.stores.scripts import Scripts
from app.stores.secrets import UnreadableSecret, Vault

UNREADABLE_SECONDS = 15.0  # when an account is tried again whose credential could not be read
MAX_REFUSED = 200  # refused fields that are stored for one account
MAX_UNKNOWN_NAMES = 20  # stored names of one account's usages without known counts
MAX_UNREADABLE = 1000  # unreadable accounts that one admission excludes


class AccountRepository:
    """Accounts in Redis. A process reads each version of an account once, in one round trip."""

    def __init__(self, scripts: Scripts, vault: Vault) -> None:
        self._scripts = scripts
        self._store = AccountHashes(scripts)
        self._vault = vault
        self._known: dict[tuple[str, str], Account] = {}
        self._unreadable: dict[tuple[str, str], float] = {}  # (pool, account id) -> until when it is excluded

    def add(self, pool: str, account: Account, tokens: Tokens | None = None) -> Account:
        """
        Store a new account, with its sign-in if it has one, and return it with its id.

        What is secret is encrypted at rest. Raises InvalidRequest when the name is taken.
        """
        sign_in = {**self.seal_tokens(tokens), "rotation": 1} if tokens else {}
        return self._put(pool, account, f"acct_{secrets.token_hex(6)}", sign_in)

    def change(self, pool: str, account: Account) -> Account:
        """Store the settings of *account*; its state and its sign-in do not change."""
        return self._put(pool, account, account.id, {})

    def seal_tokens(self, tokens: Tokens) -> SealedTokens:
        """Return the fields of a stored account that hold *tokens*."""
        return {"sign_in": self._vault.seal(tokens.dumps()), "expires_ms": tokens.expires_at * 1000}

    def open_tokens(self, sign_in: str) -> Tokens:
        """Return the tokens that `seal_tokens` encrypted. Raises CredentialUnreadable."""
        try:
            return tokens_from(self._vault.open(sign_in))
        except UnreadableSecret:
            raise CredentialUnreadable from None

    def _put(self, pool: str, account: Account, account_id: str, sign_in: Mapping[str, Any]) -> Account:
        bare = "" if account.signed_in or sign_in else account.credential
        secrets_text = account.settings.dump_secrets()
        record = {
            "id": account_id,
            "name": account.name,
            "kind": account.kind,
            "base_url": account.base_url,
            "wires": ",".join(account.protocols),
            "models": orjson.dumps(account.models).decode(),
            "weight": account.weight,
            "cap": account.cap,
            "group": account.group,
            "stream_upstream": account.stream_upstream,
            "chatgpt_account_id": account.chatgpt_account_id,
            "credential": self._vault.seal(bare) if bare else "",
            "offer": account.offer,
            "settings": account.settings.dumps(),
            "secrets": self._vault.seal(secrets_text) if secrets_text else "",
            **sign_in,
        }
        version = self._store.put(pool, record, account.served_models)
        if version == -1:
            raise InvalidRequest(f"An account named '{account.name}' exists in pool '{pool}'", param="name")
        return self.get(pool, account_id, version)

    def get(self, pool: str, account_id: str, version: int) -> Account:
        """Return the account at *version*; it is cached in this process."""
        known = self._known.get((pool, account_id))
        if known is None or known.version != version:
            try:
                known = self.read(pool, account_id)
            except CredentialUnreadable:
                self._unreadable[pool, account_id] = time.monotonic() + UNREADABLE_SECONDS
                raise
            self._known[pool, account_id] = known
        return known

    def unreadable(self, pool: str) -> list[str]:
        """
        Return the ids of accounts whose credentials could not be read here a moment ago.

        Other processes may have the key, so this is not stored.
        """
        if not self._unreadable:
            return []
        now = time.monotonic()
        self._unreadable = {which: until for which, until in self._unreadable.items() if until > now}
        return [account_id for of_pool, account_id in self._unreadable if of_pool == pool][:MAX_UNREADABLE]

    def read(self, pool: str, account_id: str) -> Account:
        """Read the stored account and return it. Raises CredentialUnreadable."""
        fields = self._store.read(pool, account_id)
        if not fields:
            raise InvalidRequest(f"There is no account {account_id} in pool '{pool}'", param="account")
        try:
            return account_from(fields, self._vault.open)
        except UnreadableSecret:
            raise CredentialUnreadable(fields["name"]) from None

    def find(self, pool: str, name: str) -> Account:
        """Return the account called *name*. Raises NotFound when there is none."""
        return self.read(pool, self._id(pool, name))

    def find_without_credential(self, pool: str, name: str) -> Account:
        """Return the account called *name* without its credential, readable or not. Raises NotFound."""
        return self.read_without_credential(pool, self._id(pool, name))

    def read_without_credential(self, pool: str, account_id: str) -> Account:
        fields = self._store.read(pool, account_id)
        if not fields:
            raise NotFound(f"There is no account {account_id} in pool '{pool}'", param="name")
        return account_from(fields, lambda _: "")

    def id_of(self, pool: str, name: str) -> str | None:
        """Return the id of the account called *name*, None if there is none."""
        return self._store.id_of(pool, name)

    def _id(self, pool: str, name: str) -> str:
        account_id = self.id_of(pool, name)
        if account_id is None:
            similar = self._store.suggest(pool, name)
            raise NotFound(f"There is no account named '{name}' in pool '{pool}'{similar}", param="name")
        return account_id

    def ids(self, pool: str, names: Sequence[str]) -> tuple[str, ...]:
        """Return the ids of the accounts called *names*. Raises NotFound that lists unknown names."""
        if not names:
            return ()
        by_name = dict(zip(names, self._store.ids_of(pool, names), strict=True))
        missing = [name for name, account_id in by_name.items() if account_id is None]
        if missing:
            similar = self._store.suggest(pool, missing[0]) if len(missing) == 1 else ""
            message = f"There is no account named {_listed(missing)} in pool '{pool}'{similar}"
            raise NotFound(message, param="accounts")
        return tuple(account_id for account_id in dict.fromkeys(by_name.values()) if account_id)

    def snapshot(self, pool: str) -> list[Account]:
        """Return the current state of every account by name, without models or credentials."""
        return read_current_accounts(self._scripts, pool)

    def names_by_id(self, pool: str) -> dict[str, str]:
        """Return the names of all accounts by id."""
        return {account_id: name for name, account_id in self._store.names(pool).items()}

    def all(self, pool: str) -> list[Account]:
        """Return every account by name, with sealed credentials."""
        return [account_from(fields, lambda _: "") for fields in self._store.read_all(pool)]

    def identities(self, pool: str) -> dict[str, SignInIdentity]:
        """Return the plan and the e-mail address of each account by id, '' where they cannot be read."""
        stored = self._store.read_some(pool, ("id", "sign_in"))
        return {fields["id"]: self._identity_in(fields) for fields in stored}

    def identity(self, pool: str, account_id: str) -> SignInIdentity:
        """Return the plan and the e-mail address of one sign-in, as `identities` does."""
        return self._identity_in(self._store.read(pool, account_id))

    def _identity_in(self, fields: Mapping[str, str]) -> SignInIdentity:
        with suppress(CredentialUnreadable):
            if sign_in := fields.get("sign_in"):
                return self.open_tokens(sign_in).identity
        return NO_IDENTITY

    def pause(self, pool: str, name: str, reason: str = PAUSED_BY_OPERATOR) -> None:
        self._store.set_state(pool, self._id(pool, name), AccountState.PAUSED, reason)

    def resume(self, pool: str, name: str) -> None:
        """Make an account available again, whatever its state was."""
        self._store.set_state(pool, self._id(pool, name), AccountState.ACTIVE)

    def forget_exceeded(self, pool: str, name: str) -> None:
        """Trust the account *name* again to respect the output length in requests."""
        self._store.forget_exceeded(pool, self._id(pool, name))

    def learn_refused(
        self, pool: str, account: Account, protocol: str, model: str, fields: Sequence[str]
    ) -> Account | None:
        """
        Store that the server of *account* refuses *fields* of *protocol* for *model*; return the account.

        None: MAX_REFUSED refused fields are stored already. Raises StoreUnavailable.
        """
        if len(account.refused) + len(fields) > MAX_REFUSED:
            return None
        now_ms = str(round(time.time() * 1000))
        names = {f"{REFUSED_PREFIX}{protocol}:{name}:{model}": now_ms for name in fields}
        self._store.observe(pool, {"account": account.id, "fields": names, "renewed": True})
        return self.read(pool, account.id)

    def learn_unknown_usage(self, pool: str, account: Account, names: Sequence[str]) -> None:
        """
        Store the *names* in a usage of *account* without known counts, unless they are stored already.

        Raises StoreUnavailable, and InvalidRequest for an account that is gone.
        """
        known = account.unknown_usage
        fields = tuple(dict.fromkeys((*known, *names)))[:MAX_UNKNOWN_NAMES]
        if fields != known:
            stored = {
                UNKNOWN_USAGE: orjson.dumps(fields).decode(),
                f"{UNKNOWN_USAGE}_at": str(int(time.time())),
            }
            self._store.observe(pool, {"account": account.id, "fields": stored, "renewed": True})

    def forget_refused(self, pool: str, name: str) -> None:
        """Forget which fields the server of *name* refused, so that they are sent, and its unknown usage."""
        account_id = self._id(pool, name)
        self._store.remove_fields(pool, account_id, REFUSED_PREFIX, UNKNOWN_USAGE)
        self._store.observe(pool, {"account": account_id, "renewed": True})

    def remove(self, pool: str, name: str, *, although_bound: bool = False) -> None:
        """
        Remove an account and its credential; requests it is serving end by themselves.

        An API key that is bound to this account alone would be left without any. So as long as usable keys
        are bound to it, InvalidRequest is raised and names them, unless *although_bound*.
        """
        account_id = self._id(pool, name)
        bound = self._store.remove(pool, account_id, although_bound=although_bound)
        if bound:
            raise InvalidRequest(
                f"Account '{name}' stays, keys are restricted to it: {_listed(bound)}. Give them other "
                "accounts, or remove it nevertheless with `force` (commands: --force)",
                param="name",
            )

    def list_models(
        self, pool: str, account_id: str, models: list[str], metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Store the models that the upstream lists for *account_id*, and the metadata of each."""
        fields = {"listed": models, "metadata": metadata or {}}
        self.observe(pool, account_id, {name: orjson.dumps(value).decode() for name, value in fields.items()})

    def observe(
        self,
        pool: str,
        account_id: str,
        fields: Mapping[str, str],
        *,
        outcome: AccountOutcome | None = None,
        room: bool = False,
        accepted: bool = False,
        answered: bool = False,
        unanswered: str = "",
        tested: bool = False,
    ) -> bool:
        """
        Store what a query to the upstream reported about an account, if it is still there.

        *outcome* is one of `app.accounts.outcomes`; *room* means that its usage windows have room again,
        *accepted* that its credential is valid again, *answered* that it answered. *unanswered* is the
        failure of a query that it did not answer: an account that has never answered is then selected last
        until it answers, and so is any account that was *tested*. Returns whether an account that was out for
        its credential is in use again: one ordinary request tests it then.
        """
        request = {"account": account_id, "fields": fields, "room": room, "accepted": accepted}
        if unanswered:
            request |= {"unanswered": unanswered, "tested": tested}
        elif answered:
            request["answered"] = True
        return self._store.observe(pool, request | ({"mark": outcome} if outcome else {}))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
