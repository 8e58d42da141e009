"""Sign in with an API key, and sign out: the only views that need no session."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for

from app.admin.guard import check_form
from app.admin.pages.forms import Form
from app.admin.retry_after import with_retry_after
from app.admin.services import services
from app.admin.sessions import address
from app.errors import GatewayError, InvalidApiKey, TeamDisabled
from app.holders import sessions
from app.operators.sign_in_throttle import Locked, network
from app.stores.secrets import digest_of

HOME = "overview.show"
ROTATED = "This key was rotated since: sign in with its new secret"

bp = Blueprint("sign_in", __name__)
log = structlog.get_logger()


@bp.route("/sign-in", methods=["GET", "POST"])
def show() -> Any:
    """Sign in with the secret of a key, which a form sends; it is compared by its hash, and not stored."""
    check_form()
    if request.method != "POST":
        return redirect(url_for(HOME), 303) if sessions.current() else _page()
    try:
        _authenticate(request.form.get("key", "").strip())
    except (InvalidApiKey, TeamDisabled, Locked) as error:
        log.warning("key_holder_refused", address=address(), code=error.code)
        return _page(error)
    return redirect(url_for(HOME), 303)


@bp.post("/sign-out")
def sign_out() -> Any:
    """End this session, here and in the store."""
    check_form()
    sessions.sign_out()
    return redirect(url_for("sign_in.show"), 303)


def _authenticate(presented: str) -> None:
    """Open a session of the key with the secret *presented*. Raises InvalidApiKey, TeamDisabled, Locked."""
    throttle = services().operator_stores.sign_in_throttle
    # separate from the attempts of operators, so that holders at the same address cannot lock them out
    attempt = throttle.begin(digest_of(presented), f"key holder {network(address())}")
    if not sessions.sign_in(services().api_keys.authenticate(presented), presented):
        raise InvalidApiKey(ROTATED)
    throttle.succeed(attempt)


def _page(error: GatewayError | None = None) -> Response:
    message, status = (error.message, error.status) if error is not None else ("", 200)
    page = make_response(
        render_template("holders/sign_in.html", form=Form({}, "key"), message=message), status
    )
    return page if error is None or error.retry_after_seconds is None else with_retry_after(page, error)
