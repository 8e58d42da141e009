"""The page on which an invited person becomes an operator; it needs no session."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request

from app import administration
from app.admin import sessions
from app.admin.client_timeouts import limit_anonymous_bodies
from app.admin.guard import HOME, check_form
from app.admin.pages.forms import Form
from app.admin.retry_after import with_retry_after
from app.admin.services import services
from app.operators.operators import INVITATION
from app.operators.sign_in_throttle import Locked
from app.stores.records.audit import Actor, Via
from app.stores.records.operators import normalize_name

bp = Blueprint("invitation", __name__)
limit_anonymous_bodies(bp)


@bp.route(INVITATION, methods=["GET", "POST"])
def accept() -> Any:
    """Create an operator with the role of an invitation, which is used up."""
    check_form()
    form = Form(request.form or request.args, "token", "name", "password", "password_again")
    if request.method != "POST":
        return _page(form)
    throttle = services().operator_stores.sign_in_throttle
    try:
        attempt = throttle.begin(f"invitation from {sessions.address()}", sessions.address())
    except Locked as error:
        return with_retry_after(_page(form, error.message), error)
    name = _accept(form)
    if name is None:
        return _page(form)
    throttle.succeed(attempt)
    sessions.sign_in(name)
    return redirect(HOME, 303)


def _accept(form: Form) -> str | None:
    """Return the name of the new operator, None after recording errors."""
    name, password = normalize_name(form["name"]), form["password"]
    if password != form["password_again"]:
        form.add_error("password_again", "does not match the password")
    with form.collect_errors():
        services().operator_stores.operators.check_rules(name, password)
    if form.errors:
        return None
    with form.collect_errors():
        operations = administration.operator_operations(
            services(), Actor(name, Via.START, sessions.address())
        )
        operations.accept_invitation(form["token"].strip(), name, password)
    return None if form.errors else name


def _page(form: Form, message: str = "") -> Response:
    invitation = services().operator_stores.invitations.open(form["token"].strip())
    page = render_template(
        "invitation.html",
        form=form,
        invitation=invitation,
        message=message,
        has_oidc=services().oidc is not None,
    )
    return make_response(page, form.status if invitation else 404)
