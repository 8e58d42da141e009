"""Security pages: password, second factor, sessions, operators and admin tokens."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, g, redirect, render_template, request
from markupsafe import Markup

from app.admin import sessions
from app.admin.guard import actor, operator, requires
from app.admin.pages.forms import Form
from app.admin.services import services
from app.errors import InvalidRequest, RoleNotAllowed
from app.operations.operators import OperatorOperations
from app.operators import totp
from app.operators.stores import OperatorStores
from app.stores.records.operators import (
    AdminToken,
    Role,
    TokenScope,
    checked_role,
    checked_scope,
    normalize_name,
)
from schemas.api_keys import AdminTokenInput

HOME = "/admin/security"
SCOPE_LABELS = (
    (TokenScope.FULL, "full: all of your permissions"),
    (TokenScope.READ, "read: read-only, without secrets"),
)
ROLE_LABELS = (
    (Role.VIEWER, "viewer: sees everything but secrets, changes nothing"),
    (Role.ADMIN, "admin: changes everything but operators"),
    (Role.OWNER, "owner: everything, also operators"),
)
SETTINGS = "settings.show"  # the section of the navigation

bp = Blueprint("security", __name__, url_prefix=HOME)


@bp.get("")
def show() -> Any:
    """List one's sessions and admin tokens; owners see all operators and tokens."""
    operator_stores, name = _operator_stores(), operator()
    return _page(
        "show",
        me=operator_stores.operators.find(name),
        sessions=operator_stores.sessions.all(name),
        this=g.session.id,
        operators=operator_stores.operators.all(),
        tokens=[token for token in operator_stores.admin_tokens.all() if _may_revoke(token)],
    )


@bp.route("/password", methods=["GET", "POST"])
@requires(Role.VIEWER)
def password() -> Any:
    """Change the password of the signed-in operator; their other sessions end."""
    form = Form(request.form, "password", "new_password", "new_password_again")
    if request.method == "GET":
        return _page("password", form=form)
    if form["new_password"] != form["new_password_again"]:
        form.add_error("new_password_again", "does not match the new password")
    _check_rules(form, operator())
    if not form.errors and _check_password(form):
        ended = _operator_operations().set_password(operator(), form["new_password"], but=sessions.secret())
        return _done(f"The password was changed. {_sessions_ended(ended)}")
    return _page("password", form=form), form.status


@bp.route("/second-factor", methods=["GET", "POST"])
@requires(Role.VIEWER)
def factor() -> Any:
    """Turn the second factor on, in two steps, or off."""
    me, form = _operator_stores().operators.find(operator()), Form(request.form, "password", "code")
    step = request.form.get("do", "")
    if step == "confirm" and not me.second_factor:
        with form.collect_errors():
            return _page(
                "codes", codes=_operator_operations().confirm_second_factor(operator(), form["code"])
            )
        return _enrollment(form, _operator_stores().operators.pending_second_factor(operator()))
    if step == "begin" and not me.second_factor and _check_password(form):
        return _enrollment(form, _operator_stores().operators.begin_second_factor(operator()))
    if step == "off" and _check_password(form):
        _operator_operations().remove_second_factor(operator())
        return _done("The second factor was turned off. The password alone is enough.")
    return _page("second_factor", form=form, me=me), form.status


@bp.post("/sessions")
@requires(Role.VIEWER)
def end_sessions() -> Any:
    """End one session, or with `all` every session of the operator, including this one."""
    if "all" in request.form:
        _operator_operations().end_sessions(operator())
        sessions.sign_out()
        return redirect("/admin/sign-in", 303)
    ended = _operator_operations().end_session(operator(), request.form.get("id", "")[:40])
    return _done(_sessions_ended(int(ended)))


@bp.route("/operators", methods=["GET", "POST"])
@requires(Role.OWNER)
def add_operator() -> Any:
    """Add an operator."""
    form = Form(request.form or {"role": Role.VIEWER}, "name", "role", "new_password", "password")
    if request.method == "POST":
        name, chosen = normalize_name(form["name"]), form["new_password"]
        _check_rules(form, name)
        if not form.errors and _check_password(form):
            with form.collect_errors():
                _operator_operations().create_operator(name, chosen, checked_role(form["role"]))
                return _done(f"{name} was added as an operator.")
    return _page("operator", form=form, roles=ROLE_LABELS), form.status


@bp.route("/operators/<name>/role", methods=["GET", "POST"])
@requires(Role.OWNER)
def change_role(name: str) -> Any:
    """Give an operator another role."""
    name = normalize_name(name)
    former = _operator_stores().operators.find(name)
    form = Form(request.form or {"role": former.role}, "role", "password")
    if request.method == "POST" and _check_password(form):
        with form.collect_errors():
            role = checked_role(form["role"])
            _operator_operations().set_role(name, role)
            return _done(f"{name} has the role {role} now.")
    return _page("role", form=form, name=name, roles=ROLE_LABELS), form.status


@bp.route("/operators/<name>/remove", methods=["GET", "POST"])
@requires(Role.OWNER)
def remove_operator(name: str) -> Any:
    """Remove an operator."""
    name, form = normalize_name(name), Form(request.form, "password")
    _operator_stores().operators.find(name)
    if request.method == "POST" and _check_password(form):
        with form.collect_errors():
            _operator_operations().remove_operator(name)
            return _done(f"{name} was removed.")
    return _page("remove", form=form, name=name), form.status


@bp.route("/tokens", methods=["GET", "POST"])
def add_token() -> Any:
    """Create an admin token and show it, once."""
    form = Form(request.form, "name", "expires", "scope", "password")
    if request.method == "POST":
        fields: dict[str, Any] = {}
        with form.collect_errors():
            fields = AdminTokenInput().load(form.filled("expires"))
        if not form.errors and _check_password(form):
            form.redirect_errors("expires_at", "expires")
            with form.collect_errors():
                token, secret = _operator_operations().create_token(
                    form["name"], fields.get("expires"), checked_scope(form["scope"] or TokenScope.FULL)
                )
                return _page("token_created", token=token, secret=secret)
    return _page("token", form=form, scopes=SCOPE_LABELS), form.status


@bp.post("/tokens/<name>/revoke")
def revoke_token(name: str) -> Any:
    """Revoke an admin token: of one's own, or as an owner any."""
    if not _may_revoke(_operator_stores().admin_tokens.find(normalize_name(name))):
        raise RoleNotAllowed("The admin token is another operator's; this requires the role owner")
    _operator_operations().revoke_token(normalize_name(name))
    return _done(f"The admin token {normalize_name(name)} was revoked.")


def _may_revoke(token: AdminToken) -> bool:
    return g.role.includes(Role.OWNER) or operator() in (token.operator, token.created_by)


def _enrollment(form: Form, secret: str | None) -> Any:
    if secret is None:
        return abort(404)
    picture = Markup(totp.render_qr_code(totp.provisioning_uri(secret, operator())))  # trusted SVG
    return _page("enroll", form=form, secret=secret, picture=picture), form.status


def _check_rules(form: Form, name: str) -> None:
    """Record errors of *name* or the new password at their fields."""
    try:
        _operator_stores().operators.check_rules(name, form["new_password"])
    except InvalidRequest as error:
        form.add_error("new_password" if error.param == "password" else "name", error.message)


def _check_password(form: Form) -> bool:
    """
    Return whether the form has the operator's password, required again in case a browser was left open.

    Records an error otherwise. Raises Locked after too many attempts.
    """
    attempt = _operator_stores().sign_in_throttle.begin(operator(), sessions.address())
    if not _operator_stores().operators.has_password(operator(), form["password"]):
        form.add_error("password", "is not your password")
        return False
    _operator_stores().sign_in_throttle.succeed(attempt)
    return True


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
    return services().operator_operations(actor())
