"""
Who is asking: every blueprint of the admin application is protected here, or is a door itself.

    protect(blueprint)             pages: a session; who has none is led to the sign-in
    protect(blueprint, json=True)  the API: a session, or an admin token as Bearer

A token of scope `read` may call what changes nothing: those views return no secret, a test checks each.
A session is a cookie, so whatever it changes must also carry the CSRF token of its pages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from flask import Blueprint, Flask, g, redirect, request
from flask_wtf.csrf import CSRFError, CSRFProtect, generate_csrf
from markupsafe import Markup

from app.admin import sessions
from app.admin.services import services
from app.errors import ForgedRequest, NotSignedIn, ReadOnlyToken
from app.operations.service import AdminOperations
from app.operators.actor import API, PAGE, Actor
from app.operators.admin_tokens import FULL
from app.operators.sessions import Session

HOME, SIGN_IN, API_ROOT = "/admin/", "/admin/sign-in", "/admin/api"
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
NO_OTHER_SITE = frozenset(("same-origin", "none"))  # what a browser says of our pages, and of typed addresses

_csrf = CSRFProtect()


def prepare(app: Flask) -> None:
    """Give the templates of *app* `csrf_token()`, `csrf_field()` and `signed_in_as`."""
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False  # asked for here, once it is known who asks
    app.config["WTF_CSRF_TIME_LIMIT"] = None  # as long as its session: an old form is no attack
    app.config["WTF_CSRF_SSL_STRICT"] = False  # it compares with the Host header, which a proxy may change
    _csrf.init_app(app)
    app.jinja_env.globals["csrf_field"] = csrf_field
    app.context_processor(lambda: {"signed_in_as": g.actor.name if "actor" in g else ""})


def protect(blueprint: Blueprint, *, json: bool = False) -> None:
    """Let nobody into the views of *blueprint* who is not signed in, before anything else is asked."""
    first: Callable[[], Any] = _admit_caller if json else _admit_visitor
    asked = blueprint.before_request_funcs.setdefault(None, [])
    if first not in asked:
        asked.insert(0, first)


def actor() -> Actor:
    """Return who is asking, for the audit book; of a protected view alone."""
    found: Actor = g.actor
    return found


def operations() -> AdminOperations:
    """Return the changes that the caller may make, recorded under the caller's name."""
    return services().operations(actor())


def operator() -> str:
    """Return the name of the operator who is signed in; of a protected page alone."""
    found: Session = g.session
    return found.operator


def csrf_token() -> str:
    token: str = generate_csrf()
    return token


def csrf_field() -> Markup:
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(csrf_token())


def check_form() -> None:
    """Raise ForgedRequest when this changes something and was not sent by a page of ours."""
    if request.method in SAFE_METHODS:
        return
    if request.headers.get("Sec-Fetch-Site", "none") not in NO_OTHER_SITE:
        raise ForgedRequest("The request was sent by a page of another site and was rejected")
    try:
        _csrf.protect()
    except CSRFError:
        raise ForgedRequest(
            "The form does not belong to your current session and was rejected: go back, reload, send again"
        ) from None


def local_path(wanted: str | None) -> str:
    """Return *wanted* when it is a path of ours, else the first page. No redirect leads elsewhere."""
    if not wanted or len(wanted) > 2000 or not wanted.startswith("/admin"):
        return HOME
    plain = unquote(wanted)
    if any(letter in plain for letter in "\\\r\n\t") or not plain.isprintable():
        return HOME
    path = urlsplit(plain).path
    if not path.startswith("/admin/") or "//" in path or "/../" in f"{path}/":
        return HOME
    return HOME if path.startswith((SIGN_IN, API_ROOT + "/")) else wanted


def _admit_visitor() -> Any:
    found = sessions.current()
    if found is None:
        return redirect(_sign_in_address(), 303)
    _admit(found, PAGE)
    check_form()
    return None


def _admit_caller() -> None:
    if "Authorization" in request.headers:
        _admit_token()
    elif (found := sessions.current()) is not None:
        _admit(found, API)
        check_form()
    else:
        raise NotSignedIn("Sign in, or send an admin token as 'Authorization: Bearer pgadm-…'")


def _admit_token() -> None:
    scheme, _, presented = request.headers["Authorization"].strip().partition(" ")
    token = (
        services().operator_stores.tokens.authenticate(presented.strip())
        if scheme.lower() == "bearer"
        else None
    )
    if token is None:
        raise NotSignedIn("The admin token is not valid: admin tokens begin with pgadm-")
    if token.scope != FULL and request.method not in SAFE_METHODS:
        raise ReadOnlyToken(
            f"The admin token '{token.name}' is read-only: this call changes something, or returns a secret"
        )
    g.actor = Actor(f"token:{token.name}", API, sessions.address())


def _admit(found: Session, via: str) -> None:
    g.session = found
    g.actor = Actor(found.operator, via, sessions.address())


def _sign_in_address() -> str:
    asked = request.full_path.rstrip("?") if request.method == "GET" else HOME
    wanted = local_path(asked)
    return SIGN_IN if wanted == HOME else f"{SIGN_IN}?next={quote(wanted, safe='/')}"
