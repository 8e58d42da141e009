"""Sign-in to a ChatGPT account, with a code on any device or with a browser on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.accounts.oauth_tokens import Tokens, tokens_from_response
from app.cli.oauth_callback import Callback
from app.errors import InvalidRequest
from app.upstream.oauth import DEVICE_SECONDS, Grant, OAuth, new_verifier

Print = Callable[[str], object]

CALLBACK_PORT = 1455  # the only redirect port that the sign-in service accepts
BROWSER_SECONDS = 900.0


def sign_in_with_code(oauth: OAuth, echo: Print) -> Tokens:
    """
    Print a page and a code with *echo*, and return the tokens once the code was entered there.

    Raises InvalidRequest if it is not entered in time, and UpstreamError.
    """
    device = oauth.start_device()
    echo(f"Open {device.page} and enter the code {device.user_code}")
    echo("Never enter a code that someone else sent you.")
    deadline = time.monotonic() + DEVICE_SECONDS
    while (grant := oauth.poll_device(device)) is None:
        if time.monotonic() > deadline:
            raise InvalidRequest("The code was not entered in time; please start again")
        time.sleep(device.interval_seconds)
    return _exchange(oauth, grant)


def sign_in_with_browser(
    oauth: OAuth, echo: Print, *, port: int = CALLBACK_PORT, stdin: int | None = 0
) -> Tokens:
    """
    Print a sign-in page with *echo*, and return the tokens once the sign-in is complete.

    The browser is redirected to *port*. If it runs on another machine, its last address can be
    pasted instead. Raises InvalidRequest and UpstreamError.
    """
    verifier, state = new_verifier(), new_verifier()
    with Callback(port, state, stdin) as callback:
        echo(f"Open {oauth.authorize_url(callback.redirect_uri, verifier, state)}")
        if not callback.listening:
            echo(f"Port {port} is in use here, so the last page will not load.")
        echo("If the browser is on another machine, paste the address of the last page here:")
        code = callback.wait(BROWSER_SECONDS, echo)
        return _exchange(oauth, Grant(code, verifier, callback.redirect_uri))


def _exchange(oauth: OAuth, grant: Grant) -> Tokens:
    return tokens_from_response(oauth.exchange(grant), time.time())
