"""Security pages: the operator's own password, second factor and sessions, and admin tokens."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, g, redirect, render_template, request
from markupsafe import Markup

from app import administration
from app.admin import sessions
from app.admin.guard import actor, operator, requires
from app.admin.header_sign_in import header_user
from app.admin.pages.confirmations import ConfirmedChange, confirm
from app.admin.pages.forms import Form, confirmation
from app.admin.passwords import check_rules, is_confirmed
from app.admin.services import services
from app.errors import RoleNotAllowed
from app.operations.operators import OperatorOperations
from app.operators import totp
from app.operators.stores import OperatorStores
from app.presentation.browsers import browser_name
from app.stores.records.operators import (
    AdminToken,
    Role,
    TokenScope,
    checked_scope,
    normalize_name,
)
from schemas.api_keys import AdminTokenInput

HOME = "/admin/security"
SCOPE_LABELS = (
    (TokenScope.FULL, "full: all of your permissions"),
    (TokenScope.READ, "read: read-only, without secrets"),
)
SETTINGS = "settings.show"  # the section of the navigation
REVOKE = ConfirmedChange(
    "Revoke", "the admin token", "Scripts that use it are refused from now on.", SETTINGS
)

bp = Blueprint("security", __name__, url_prefix=HOME)


@bp.get("")
def show() -> Any:
    """List the operator's own sessions and admin tokens; owners see all tokens."""
    operator_stores, name = _operator_stores(), operator()
    return _page(
        "show",
        me=operator_stores.operators.find(name),
        sessions=operator_stores.sessions.all(name),
        browser_name=browser_name,
        this=g.session.id,
        can_link=services().oidc is not None or header_user() is not None,
        tokens=[token for token in operator_stores.admin_tokens.all() if _may_revoke(token)],
    )


@bp.route("/password", methods=["GET", "POST"])
@requires(Role.VIEWER)
def password() -> Any:
    """Change the password of the signed-in operator; their other sessions end."""
    _require_own_password()
    form = Form(request.form, "password", "new_password", "new_password_again")
    if request.method != "POST":
        return _page("password", form=form)
    if form["new_password"] != form["new_password_again"]:
        form.add_error("new_password_again", "does not match the new password")
    check_rules(form, operator())
    if not form.errors and is_confirmed(form):
        ended = _operator_operations().set_password(operator(), form["new_password"], but=sessions.secret())
        return _done(f"The password was changed. {_sessions_ended(ended)}")
    return _page("password", form=form), form.status


@bp.route("/second-factor", methods=["GET", "POST"])
@requires(Role.VIEWER)
def factor() -> Any:
    """Turn the second factor on or replace it, in two steps, or turn it off."""
    _require_own_password()
    me, form = _operator_stores().operators.find(operator()), Form(request.form, "password", "code")
    step = request.form.get("do", "")
    if step == "confirm":
        with form.collect_errors():
            return _page(
                "codes", codes=_operator_operations().confirm_second_factor(operator(), form["code"])
            )
        return _enrollment(form, _operator_stores().operators.pending_second_factor(operator()))
    if step == "begin" and is_confirmed(form):
        return _enrollment(form, _operator_stores().operators.begin_second_factor(operator()))
    if step == "off" and is_confirmed(form):
        with form.collect_errors():
            _operator_operations().remove_second_factor(operator())
            return _done("The second factor was turned off. The password alone is enough.")
    is_required = _operator_stores().policy.current().second_factor_required
    return _page("second_factor", form=form, me=me, is_required=is_required), form.status


@bp.post("/sessions")
@requires(Role.VIEWER)
def end_sessions() -> Any:
    """End one session of the operator."""
    ended = _operator_operations().end_session(operator(), request.form.get("id", "")[:40])
    return _done(_sessions_ended(int(ended)))


@bp.route("/sessions/end-all", methods=["GET", "POST"])
@requires(Role.VIEWER)
def end_all_sessions() -> Any:
    """End every session of the operator, including this one, after a confirmation."""
    if request.method == "POST":
        _operator_operations().end_sessions(operator())
        sessions.sign_out()
        return redirect("/admin/sign-in", 303)
    text = "You are signed out in every browser, including this one."
    question, yes = "Sign out everywhere?", "Sign out everywhere"
    return confirmation(Form({}), question, text, yes, section=SETTINGS, back=HOME)


@bp.route("/tokens", methods=["GET", "POST"])
def add_token() -> Any:
    """Create an admin token and show it, once."""
    form = Form(request.form, "name", "expires", "scope", "password")
    if request.method == "POST":
        fields: dict[str, Any] = {}
        with form.collect_errors():
            fields = AdminTokenInput().load(form.filled("expires"))
        if not form.errors and is_confirmed(form):
            form.redirect_errors("expires_at", "expires")
            with form.collect_errors():
                token, secret = _operator_operations().create_token(
                    form["name"], fields.get("expires"), checked_scope(form["scope"] or TokenScope.FULL)
                )
                return _page("token_created", token=token, secret=secret)
    return _page("token", form=form, scopes=SCOPE_LABELS), form.status


@bp.route("/tokens/<name>/revoke", methods=["GET", "POST"])
def revoke_token(name: str) -> Any:
    """Revoke an admin token, after a confirmation: operators their own ones, owners any."""
    found = _operator_stores().admin_tokens.find(normalize_name(name))
    if not _may_revoke(found):
        raise RoleNotAllowed("The admin token is another operator's; this requires the role owner")
    return confirm(REVOKE, found.name, lambda _: _operator_operations().revoke_token(found.name), back=HOME)


def _require_own_password() -> None:
    """Raise RoleNotAllowed for an operator of single sign-on: a password would be a way around it."""
    if not _operator_stores().operators.uses_password(operator()):
        raise RoleNotAllowed("You sign in without a password: change this at your sign-in service")


def _may_revoke(token: AdminToken) -> bool:
    return g.role.includes(Role.OWNER) or operator() in (token.operator, token.created_by)


def _enrollment(form: Form, secret: str | None) -> Any:
    if secret is None:
        return abort(404)
    picture = Markup(totp.render_qr_code(totp.provisioning_uri(secret, operator())))  # trusted SVG
    return _page("enroll", form=form, secret=secret, picture=picture), form.status


def _page(template: str, /, **context: Any) -> str:
    return render_template(f"security/{template}.html", section=SETTINGS, **context)


def _done(message: str) -> Any:
    flash(message)
    return redirect(HOME, 303)


def _sessions_ended(number: int) -> str:
    return f"{number} session{'' if number == 1 else 's'} ended."


def _operator_stores() -> OperatorStores:
    return services().operator_stores


def _operator_operations() -> OperatorOperations:
    return administration.operator_operations(services(), actor())
