"""Passwords in forms: a new password, and the operator's own, which risky changes require again."""

from __future__ import annotations

from flask import request

from app.admin import sessions
from app.admin.guard import operator
from app.admin.pages.forms import Form
from app.admin.services import services
from app.errors import InvalidRequest


def check_rules(form: Form, name: str) -> None:
    """Record errors of *name* or the new password at their fields."""
    try:
        services().operator_stores.operators.check_rules(name, form["new_password"])
    except InvalidRequest as error:
        form.add_error("new_password" if error.param == "password" else "name", error.message)


def is_confirmed(form: Form) -> bool:
    """
    Return whether the form was sent with the operator's password: a browser may have been left open.

    Operators without a password need none. Otherwise records an error. Raises Locked after too many attempts.
    """
    if request.method != "POST":
        return False
    operator_stores = services().operator_stores
    if not operator_stores.operators.uses_password(operator()):
        return True
    attempt = operator_stores.sign_in_throttle.begin(operator(), sessions.address())
    if not operator_stores.operators.has_password(operator(), form["password"]):
        form.add_error("password", "is not your password")
        return False
    operator_stores.sign_in_throttle.succeed(attempt)
    return True
