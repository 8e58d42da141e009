"""Pages for owners: operators, their roles, second factors and sessions, and invitations."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for

from app import administration
from app.admin.guard import actor, operator, requires
from app.admin.pages.confirmations import ConfirmedChange, confirm
from app.admin.pages.forms import Form, confirmation
from app.admin.pages.shown_values import check_shown
from app.admin.passwords import is_confirmed
from app.admin.services import services
from app.durations import parse_duration
from app.formatting import counted
from app.operations.operators import OperatorOperations
from app.operators.operators import INVITATION
from app.operators.stores import OperatorStores
from app.stores.records.operators import Operator, Role, SignInPolicy, checked_role, normalize_name

ROLE_LABELS = (
    (Role.VIEWER, "viewer: sees everything but secrets, changes nothing"),
    (Role.ADMIN, "admin: changes everything but operators"),
    (Role.OWNER, "owner: everything, also operators"),
)
LIFETIMES = (("1h", "an hour"), ("1d", "a day"), ("3d", "3 days"), ("7d", "a week"), ("30d", "30 days"))
SECTION = "settings.show"  # of the navigation
REVOKE = ConfirmedChange("Revoke", "the invitation", "Its link does not work any more.", SECTION)

bp = Blueprint("people", __name__, url_prefix="/admin/security/operators")


@bp.get("")
@requires(Role.OWNER)
def show() -> Any:
    """List operators, open invitations, and what is required of a sign-in."""
    operator_stores = _operator_stores()
    return _page(
        "show",
        operators=operator_stores.operators.all(),
        invitations=operator_stores.invitations.all(),
        policy=operator_stores.policy.current(),
    )


@bp.route("/policy", methods=["GET", "POST"])
@requires(Role.OWNER)
def change_policy() -> Any:
    """Require a second factor of operators who sign in with a password, or no longer."""
    form, policy = Form(request.form, "second_factor", "password"), _operator_stores().policy.current()
    if is_confirmed(form):
        state = "required" if form["second_factor"] == "required" else "optional"
        form.redirect_errors("second_factor_required", "")
        with form.collect_errors():
            _operations().set_policy(SignInPolicy(state == "required"), operator=operator())
            return _done(f"A second factor is {state} now.")
    return _page(
        "policy", form=form, policy=policy, without_second_factor=_without_second_factor()
    ), form.status


@bp.route("/invite", methods=["GET", "POST"])
@requires(Role.OWNER)
def invite() -> Any:
    """Create an invitation and show its link, once."""
    initial = {"role": Role.VIEWER, "expires": "3d"}
    form = Form(request.form or initial, "role", "expires", "label", "password")
    if is_confirmed(form):
        with form.collect_errors():
            role, seconds = checked_role(form["role"]), parse_duration(form["expires"])
            invitation, secret = _operations().invite(role, seconds, form["label"], owner=operator())
            link = f"{request.host_url.rstrip('/')}{INVITATION}?token={secret}"
            return _page("invited", invitation=invitation, link=link)
    return _page("invite", form=form, roles=ROLE_LABELS, lifetimes=LIFETIMES), form.status


@bp.route("/invitations/<invitation_id>/revoke", methods=["GET", "POST"])
@requires(Role.OWNER)
def revoke_invitation(invitation_id: str) -> Any:
    """Revoke an open invitation, after a confirmation."""
    found = _operator_stores().invitations.find(invitation_id)
    name = f"for {found.label}" if found.label else invitation_id
    revoke = _operations().revoke_invitation
    return confirm(REVOKE, name, lambda _: revoke(invitation_id), back=url_for("people.show"))


@bp.route("/<name>/role", methods=["GET", "POST"])
@requires(Role.OWNER)
def change_role(name: str) -> Any:
    """Give an operator another role."""
    found = _find(name)
    now = {"role": str(found.role)}
    form = Form(request.form or now, "role", "password")
    check_shown(form, now, "operator", found.name, pool="")
    if is_confirmed(form) and not form.errors:
        with form.collect_errors():
            role = checked_role(form["role"])
            _operations().set_role(found.name, role)
            return _done(f"{found.name} has the role {role} now.")
    return _page("role", form=form, operator=found, roles=ROLE_LABELS), form.status


@bp.route("/<name>/second-factor", methods=["GET", "POST"])
@requires(Role.OWNER)
def reset_second_factor(name: str) -> Any:
    """Turn off the second factor of an operator who lost it."""
    found, form = _find(name), Form(request.form, "password")
    if is_confirmed(form):
        with form.collect_errors():
            _operations().remove_second_factor(found.name)
            return _done(f"The second factor of {found.name} was turned off.")
    return _page("second_factor", form=form, operator=found), form.status


@bp.route("/<name>/unlink", methods=["GET", "POST"])
@requires(Role.OWNER)
def unlink(name: str) -> Any:
    """Disconnect an operator from single sign-on."""
    found, form = _find(name), Form(request.form, "password", under={"identity": ""})
    if is_confirmed(form):
        with form.collect_errors():
            ended = _operations().unlink(found.name)
            return _done(
                f"{found.name} was disconnected from single sign-on. {counted(ended, 'session')} ended."
            )
    return _page("unlink", form=form, operator=found), form.status


@bp.route("/<name>/sessions", methods=["GET", "POST"])
@requires(Role.OWNER)
def end_sessions(name: str) -> Any:
    """End every session of an operator, after a confirmation."""
    found, form = _find(name), Form(request.form)
    if request.method == "POST":
        ended = _operations().end_sessions(found.name)
        return _done(f"{counted(ended, 'session')} of {found.name} ended.")
    text = "They are signed out in every browser, and may sign in again."
    question, back = f"End all sessions of {found.name}?", url_for("people.show")
    return confirmation(form, question, text, "End all sessions", section=SECTION, back=back)


@bp.route("/<name>/remove", methods=["GET", "POST"])
@requires(Role.OWNER)
def remove(name: str) -> Any:
    """Remove an operator."""
    found, form = _find(name), Form(request.form, "password")
    if is_confirmed(form):
        with form.collect_errors():
            _operations().remove_operator(found.name)
            return _done(f"{found.name} was removed.")
    return _page("remove", form=form, operator=found), form.status


def _find(name: str) -> Operator:
    return _operator_stores().operators.find(normalize_name(name))


def _without_second_factor() -> list[str]:
    """Return the names of operators who can sign in with a password alone."""
    return [one.name for one in _operator_stores().operators.all() if one.lacks_second_factor]


def _page(template: str, /, **context: Any) -> str:
    return render_template(f"people/{template}.html", section=SECTION, **context)


def _done(message: str) -> Any:
    flash(message)
    return redirect(url_for("people.show"), 303)


def _operator_stores() -> OperatorStores:
    return services().operator_stores


def _operations() -> OperatorOperations:
    return administration.operator_operations(services(), actor())
