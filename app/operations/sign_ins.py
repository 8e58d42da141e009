"""Signing in to ChatGPT accounts in steps, each of which another process may take."""

from __future__ import annotations

import time
from secrets import compare_digest
from urllib.parse import parse_qs, urlsplit

from app.accounts.account import Account
from app.accounts.oauth_tokens import tokens_from_answer
from app.errors import InvalidRequest
from app.operations.accounts import Accounts
from app.operations.login_flows import Flow, new_flow
from app.upstream.oauth import DeviceCode, Grant, new_verifier

REDIRECT_URI = "http://127.0.0.1:1455/auth/callback"  # the sign-in service leads back to no other port
DEVICE, BROWSER = "device", "browser"


class SignIns(Accounts):
    def begin_device(self, pool: str, name: str) -> Flow:
        """Begin a sign-in as the account *name*: a person enters `user_code` at `page`."""
        self.check_sign_in(pool, name)
        device = self._parts.oauth.start_device()
        flow = new_flow(
            DEVICE,
            name,
            device.page,
            user_code=device.user_code,
            secret=device.id,
            interval_seconds=device.interval_seconds,
        )
        self._parts.flows.keep(pool, flow)
        return flow

    def poll_device(self, pool: str, flow_id: str) -> Account | None:
        """Return the account once a person has entered the code, None until then. Raises NotFound."""
        flow = self._parts.flows.find(pool, flow_id, DEVICE)
        if not self._parts.flows.may_ask(pool, flow):
            return None
        device = DeviceCode(flow.secret, flow.user_code, flow.page, flow.interval_seconds)
        grant = self._parts.oauth.poll_device(device)
        return self._redeem(pool, flow, grant) if grant is not None else None

    def begin_browser(self, pool: str, name: str) -> Flow:
        """Begin a sign-in as the account *name*: a person signs in at `page`, and brings its last address."""
        self.check_sign_in(pool, name)
        verifier, state = new_verifier(), new_verifier()
        page = self._parts.oauth.authorize_url(REDIRECT_URI, verifier, state)
        flow = new_flow(BROWSER, name, page, secret=verifier, state=state, redirect_uri=REDIRECT_URI)
        self._parts.flows.keep(pool, flow)
        return flow

    def complete_browser(self, pool: str, flow_id: str, address: str) -> Account:
        """
        End a sign-in with the *address* that the browser ended at.

        Raises NotFound for a flow that is over, InvalidRequest for an address that is not of it.
        """
        flow = self._parts.flows.find(pool, flow_id, BROWSER)
        code = code_in(address, flow.state)
        if code is None:
            raise InvalidRequest("That address belongs to no sign-in that waits here", param="address")
        return self._redeem(pool, flow, Grant(code, flow.secret, flow.redirect_uri))

    def _redeem(self, pool: str, flow: Flow, grant: Grant) -> Account:
        if not self._parts.flows.take(pool, flow):
            raise InvalidRequest("This sign-in has just been ended by somebody else", param="flow")
        tokens = tokens_from_answer(self._parts.oauth.exchange(grant), time.time())
        return self.sign_in(pool, flow.name, tokens, way=flow.way)


def code_in(address: str, state: str) -> str | None:
    """
    Return the code that *address* carries, None when it is not of the sign-in with *state*.

    Raises InvalidRequest when the sign-in was refused.
    """
    try:
        query = {name: values[0] for name, values in parse_qs(urlsplit(address.strip()).query).items()}
    except ValueError:
        return None
    if not compare_digest(query.get("state", "").encode(), state.encode()):
        return None
    if "error" in query:
        word = query["error"] if query["error"].replace("_", "").isalnum() else "error"
        raise InvalidRequest(f"The sign-in was refused: {word[:80]}", param="address")
    return query.get("code")
