"""Sign-in, sign-out and first start: the only views that need no authentication."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Blueprint, Response, make_response, redirect, render_template, request

from app import administration
from app.admin import sessions
from app.admin.client_timeouts import limit_anonymous_bodies
from app.admin.guard import HOME, SIGN_IN, check_form, local_path
from app.admin.header_sign_in import header_user
from app.admin.pages.forms import Form
from app.admin.retry_after import with_retry_after
from app.admin.services import services
from app.admin.single_sign_on import sign_in_verified
from app.errors import GatewayError, InvalidRequest, NotFound, Overloaded
from app.operators.operators import FIRST_START
from app.operators.sign_in_throttle import Locked, SignInAttempt
from app.stores.records.audit import Actor, Via
from app.stores.records.operators import SignInMethod, normalize_name

SIGNED_OUT = "/admin/signed-out"
WRONG = "The name, password or code is incorrect."

bp = Blueprint("sign_in", __name__)
limit_anonymous_bodies(bp)
log = structlog.get_logger()


@bp.route(SIGN_IN, methods=["GET", "POST"])
def sign_in() -> Any:
    """Sign in with name, password and, if it is on, a code of the second factor."""
    check_form()
    if not services().operator_stores.operators.exist():
        return redirect(FIRST_START, 303)
    next_path = local_path(request.values.get("next"))
    if request.method != "POST":
        if sessions.current() is None and (user := header_user()) is not None:
            sign_in_verified(user)
        return redirect(next_path, 303) if sessions.current() else _sign_in_page({}, next_path)
    name = normalize_name(request.form.get("name", ""))
    try:
        if _authenticate(name):
            return redirect(next_path, 303)
    except (Locked, Overloaded) as error:
        return _sign_in_page(request.form, next_path, error)
    return _sign_in_page(request.form, next_path, InvalidRequest(WRONG), 401)


@bp.post("/admin/sign-out")
def sign_out() -> Any:
    """End this session, here and in the store."""
    check_form()
    active = sessions.current()
    if active is not None:
        operator = active.session.operator
        actor = Actor(operator, Via.PAGE, sessions.address())
        services().audit.note(actor, "session.close", "", operator)
    sessions.sign_out()
    leads_back = services().settings.sign_in.sign_out_url or (
        active and active.session.method is SignInMethod.HEADER
    )
    return redirect(SIGNED_OUT if leads_back else SIGN_IN, 303)


@bp.get(SIGNED_OUT)
def signed_out() -> Any:
    """Report that the session has ended, with a link to sign out of the sign-in service, too."""
    return render_template("signed_out.html", sign_out_url=services().settings.sign_in.sign_out_url)


@bp.route(FIRST_START, methods=["GET", "POST"])
def first_start() -> Any:
    """Create the first operator, authorized by the printed token. After that the page does not exist."""
    check_form()
    if services().operator_stores.operators.exist():
        raise NotFound("There is nothing at this address")
    form = Form(request.form or request.args, "token", "name", "password", "password_again")
    if request.method != "POST":
        return render_template("first_start.html", form=form)
    try:
        # per address: the token cannot be guessed, and no other client may lock its owner out
        attempt = services().operator_stores.sign_in_throttle.begin(
            f"start from {sessions.address()}", sessions.address()
        )
    except Locked as error:
        return with_retry_after(
            make_response(render_template("first_start.html", form=form, message=error.message)), error
        )
    operator = _make_first(form)
    if operator is None:
        return render_template("first_start.html", form=form), form.status
    services().operator_stores.sign_in_throttle.succeed(attempt)
    sessions.sign_in(operator)
    return redirect(HOME, 303)


def _make_first(form: Form) -> str | None:
    name, password = normalize_name(form["name"]), form["password"]
    if password != form["password_again"]:
        form.add_error("password_again", "does not match the password")
    if not form["token"].strip():
        form.add_error("token", "is missing: it was printed when poolgate started")
    with form.collect_errors():
        services().operator_stores.operators.check_rules(name, password)
    if form.errors:
        return None
    with form.collect_errors():
        operator_operations = administration.operator_operations(
            services(), Actor(name, Via.START, sessions.address())
        )
        operator_operations.create_first(form["token"], name, password)
    return None if form.errors else name


def _authenticate(name: str) -> bool:
    """Return whether the credentials are right; sign in if so, and audit it. Raises Locked, Overloaded."""
    operator_stores, address = services().operator_stores, sessions.address()
    try:
        attempt: SignInAttempt = operator_stores.sign_in_throttle.begin(name, address)
    except Locked as error:
        log.warning("sign_in_locked", address=address)
        if error.first:
            _audit("session.lock", name)
        raise
    password, code = request.form.get("password", ""), request.form.get("code", "")
    if not operator_stores.operators.authenticate(
        name, password, code, operator_stores.sign_in_throttle.priority(attempt)
    ):
        log.warning("sign_in_refused", address=address)
        _audit("session.refuse", name)
        return False
    operator_stores.sign_in_throttle.succeed(attempt)
    sessions.sign_in(name)
    _audit("session.open", name)
    return True


def _audit(action: str, name: str) -> None:
    """Audit *action*, without unknown names: they may be passwords typed in the wrong field."""
    known = name if services().operator_stores.operators.has(name) else ""
    services().audit.note(Actor(known, Via.PAGE, sessions.address()), action, "", known)


def _sign_in_page(
    typed: Any, next_path: str, error: GatewayError | None = None, status: int = 200
) -> Response:
    form = Form({"name": typed.get("name", "")}, "name", "password", "code")  # a code cannot be used twice
    message = error.message if error else ""
    page = make_response(
        render_template(
            "sign_in.html", form=form, next=next_path, message=message, has_oidc=services().oidc is not None
        ),
        status,
    )
    return page if error is None or error.retry_after_seconds is None else with_retry_after(page, error)
