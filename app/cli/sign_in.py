"""The two ways to sign in to a ChatGPT account: a code for any device, or a browser on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.accounts.oauth_tokens import Tokens, tokens_from_answer
from app.cli.callback import Callback
from app.errors import InvalidRequest
from app.upstream.oauth import DEVICE_SECONDS, Grant, OAuth, new_verifier

Tell = Callable[[str], object]

CALLBACK_PORT = 1455  # the sign-in service leads back to no other
BROWSER_SECONDS = 900.0


def by_device(oauth: OAuth, tell: Tell) -> Tokens:
    """
    Return the tokens of whoever enters a code on the page that *tell* is told.

    Raises InvalidRequest when nobody does in time, and UpstreamError.
    """
    device = oauth.start_device()
    tell(f"Open {device.page} and enter the code {device.user_code}")
    tell("Never enter a code that someone else sent you.")
    deadline = time.monotonic() + DEVICE_SECONDS
    while (grant := oauth.poll_device(device)) is None:
        if time.monotonic() > deadline:
            raise InvalidRequest("The code was not entered in time; please start again")
        time.sleep(device.interval_seconds)
    return _redeemed(oauth, grant)


def by_browser(oauth: OAuth, tell: Tell, *, port: int = CALLBACK_PORT, stdin: int | None = 0) -> Tokens:
    """
    Return the tokens of whoever signs in on the page that *tell* is told.

    The browser brings the code to *port*; where it cannot, because it runs on another machine,
    the address that it ends at may be pasted. Raises InvalidRequest and UpstreamError.
    """
    verifier, state = new_verifier(), new_verifier()
    with Callback(port, state, stdin) as callback:
        tell(f"Open {oauth.authorize_url(callback.redirect_uri, verifier, state)}")
        if not callback.listening:
            tell(f"Port {port} is in use here, so the last page will not load.")
        tell("If the browser is on another machine, paste the address of the last page here:")
        code = callback.wait(BROWSER_SECONDS, tell)
        return _redeemed(oauth, Grant(code, verifier, callback.redirect_uri))


def _redeemed(oauth: OAuth, grant: Grant) -> Tokens:
    return tokens_from_answer(oauth.exchange(grant), time.time())
