"""
Sign accounts in to ChatGPT, in steps that different processes may run.

Between its first and last step, a sign-in by device or by browser is a SignInFlow; importing Codex's
auth.json takes one step.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from secrets import compare_digest
from urllib.parse import parse_qs, urlsplit

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.credentials import CredentialRepository
from app.accounts.kinds import SIGN_IN_KIND, kind_of
from app.accounts.new_account import new_account
from app.accounts.oauth_tokens import Tokens, tokens_from_auth_json, tokens_from_response
from app.config import Settings
from app.errors import InvalidRequest, NotFound
from app.operations.accounts import AccountOperations, audited_fields
from app.operations.audit_trail import AuditedOperations, AuditTrail
from app.stores.records.sign_in_flows import SignInFlow, SignInMethod
from app.stores.sign_in_flows import SignInFlowRepository, new_flow
from app.upstream.oauth import DeviceCode, Grant, OAuth, new_verifier

REDIRECT_URI = "http://127.0.0.1:1455/auth/callback"  # the sign-in service redirects to no other port


@dataclass(frozen=True, slots=True)
class SignInStores:
    """The repositories that sign-ins read and write."""

    accounts: AccountRepository
    credentials: CredentialRepository
    flows: SignInFlowRepository


@dataclass(frozen=True, slots=True)
class SameSignIn:
    """An account of *pool* that has the sign-in, with its *tokens*."""

    pool: str
    account: Account
    tokens: Tokens


class SignInOperations(AuditedOperations):
    def __init__(
        self,
        audit: AuditTrail,
        accounts: AccountOperations,
        stores: SignInStores,
        oauth: OAuth,
        settings: Settings,
    ) -> None:
        super().__init__(audit)
        self._account_operations = accounts
        self._accounts = stores.accounts
        self._credentials = stores.credentials
        self._flows = stores.flows
        self._oauth = oauth
        self._settings = settings

    def begin_device(self, pool: str, name: str) -> SignInFlow:
        """Begin to sign in the account *name*: a person enters the flow's `user_code` at its `page`."""
        self.find_account(pool, name)
        device = self._oauth.start_device()
        flow = new_flow(
            SignInMethod.DEVICE,
            name,
            device.page,
            user_code=device.user_code,
            secret=device.id,
            interval_seconds=device.interval_seconds,
        )
        self._flows.put(pool, flow)
        return flow

    def poll_device(self, pool: str, flow_id: str) -> Account | None:
        """Return the account after a person has entered the code, None until then. Raises NotFound."""
        flow = self._flows.find(pool, flow_id, SignInMethod.DEVICE)
        if not self._flows.claim_poll(pool, flow):
            return None
        device = DeviceCode(flow.secret, flow.user_code, flow.page, flow.interval_seconds)
        grant = self._oauth.poll_device(device)
        return self._redeem(pool, flow, grant) if grant is not None else None

    def begin_browser(self, pool: str, name: str) -> SignInFlow:
        """Begin to sign in the account *name*: a person signs in at the flow's `page`."""
        self.find_account(pool, name)
        verifier, state = new_verifier(), new_verifier()
        page = self._oauth.authorize_url(REDIRECT_URI, verifier, state)
        flow = new_flow(
            SignInMethod.BROWSER, name, page, secret=verifier, state=state, redirect_uri=REDIRECT_URI
        )
        self._flows.put(pool, flow)
        return flow

    def complete_browser(self, pool: str, flow_id: str, address: str) -> Account:
        """
        Complete a sign-in with *address*, the last address in the browser, and return the account.

        Raises NotFound for a flow that has ended, InvalidRequest for an address of another sign-in.
        """
        flow = self._flows.find(pool, flow_id, SignInMethod.BROWSER)
        code = code_in(address, flow.state)
        if code is None:
            raise InvalidRequest("That address does not belong to this sign-in", param="address")
        return self._redeem(pool, flow, Grant(code, flow.secret, flow.redirect_uri))

    def _redeem(self, pool: str, flow: SignInFlow, grant: Grant) -> Account:
        if not self._flows.take(pool, flow):
            raise InvalidRequest("This sign-in was just completed by another process", param="flow")
        tokens = tokens_from_response(self._oauth.exchange(grant), time.time())
        return self.sign_in(pool, flow.name, tokens, way=flow.way)

    def find_account(self, pool: str, name: str) -> Account | None:
        """
        Return the account that signing in as *name* would update, None if it would add one.

        Call it before a person signs in. Raises InvalidRequest for an account of a kind without sign-ins.
        """
        try:
            account = self._accounts.find_without_credential(pool, name)
        except NotFound:
            return None
        if not kind_of(account).has_sign_in:
            raise InvalidRequest(
                f"Account '{name}' is of kind {account.kind}, which has no sign-in", param="name"
            )
        return account

    def sign_in(self, pool: str, name: str, tokens: Tokens, *, way: SignInMethod) -> Account:
        """
        Store *tokens* as the sign-in of the account *name*, which is added if it does not exist.

        *way* is recorded. Raises InvalidRequest if the tokens belong to another ChatGPT account than the one
        of that name, or another account has this person's sign-in.
        """
        account = self.find_account(pool, name)
        if account is None:
            self._check_unused(tokens)
            account = new_account(
                {"kind": SIGN_IN_KIND, "name": name},
                self._settings,
                credential=tokens.access_token,
                chatgpt_account_id=tokens.account_id,
            )
            return self._account_operations.add_with_tokens(
                pool, account, tokens, action="account.sign_in", way=way.value
            )
        if account.chatgpt_account_id != tokens.account_id:
            raise InvalidRequest(
                f"That is not the ChatGPT account of '{name}'; give it a name of its own", param="name"
            )
        with self._audit.change("account.sign_in", pool, name) as change:
            stored = self._credentials.replace(pool, account, tokens)
            change.before, change.after = audited_fields(account), audited_fields(stored)
            change.extra = {"way": way.value}
        return stored

    def _check_unused(self, tokens: Tokens) -> None:
        """
        Raise InvalidRequest if another account has the sign-in of *tokens*.

        Two accounts would invalidate each other's sign-in by refreshing it, and count its usage windows
        twice.
        """
        same = self.find_same(tokens)
        if same is not None:
            raise InvalidRequest(
                f"That sign-in is account '{same.account.name}' of pool '{same.pool}' already; "
                "to renew it, use that name",
                param="name",
            )

    def find_same(self, tokens: Tokens) -> SameSignIn | None:
        """Return the account of any pool with a sign-in of the same person as *tokens*."""
        for pool in self._audit.pools.names():
            for account in self._accounts.all(pool):
                if account.signed_in and account.chatgpt_account_id == tokens.account_id:
                    stored = self._credentials.read(pool, account)
                    if stored.email == tokens.email:
                        return SameSignIn(pool, account, stored)
        return None

    def import_auth_json(self, pool: str, name: str, auth_json: bytes) -> Account:
        """Store the sign-in in Codex's *auth_json*. Raises InvalidRequest, which does not quote it."""
        return self.sign_in(pool, name, tokens_from_auth_json(auth_json), way=SignInMethod.IMPORT)

    def export_auth_json(self, pool: str, name: str) -> bytes:
        """Return the sign-in of the account *name* as Codex's auth.json, a secret."""
        tokens = self._credentials.read(pool, self._accounts.find(pool, name))
        self._audit.note("account.export", pool, name)
        return tokens.auth_json()


def code_in(address: str, state: str) -> str | None:
    """
    Return the code in *address*, None if the address does not belong to the sign-in with *state*.

    Raises InvalidRequest if the sign-in was refused.
    """
    try:
        query = {name: values[0] for name, values in parse_qs(urlsplit(address.strip()).query).items()}
    except ValueError:
        return None
    if not compare_digest(query.get("state", "").encode(), state.encode()):
        return None
    if "error" in query:
        error = query["error"] if query["error"].replace("_", "").isalnum() else "error"
        raise InvalidRequest(f"The sign-in was refused: {error[:80]}", param="address")
    return query.get("code")
