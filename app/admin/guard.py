"""
Authentication of the admin application and protection against forged requests.

    protect(blueprint)             pages: requires a session, else redirects to the sign-in page
    protect(blueprint, json=True)  the API: requires a session, or an admin token as Bearer

Every view requires a role, see `required_role`. A token has the role of its operator. A token of the scope
`read` may use safe methods only; a test checks that those views return no secret.
Where the policy requires a second factor, the session of an operator without one reaches the page that sets
it up, and nothing else.
A session is a cookie, so requests that change something must also carry its CSRF token. Their callers are
authenticated before the body is received, and again after it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

from flask import Blueprint, Flask, current_app, g, redirect, request, url_for
from flask_wtf.csrf import CSRFError, CSRFProtect, generate_csrf
from markupsafe import Markup

from app import administration
from app.admin import sessions, unhandled_forms
from app.admin.services import services
from app.errors import (
    ForgedRequest,
    InvalidRequest,
    NotSignedIn,
    ReadOnlyToken,
    RoleNotAllowed,
    SecondFactorRequired,
)
from app.operations.service import AdminOperations
from app.stores.records.audit import Actor, Via
from app.stores.records.operators import ActiveSession, ActiveToken, Role, TokenScope

HOME, SIGN_IN, API_ROOT = "/admin/", "/admin/sign-in", "/admin/api"
SET_UP_SECOND_FACTOR = "security.factor"  # the only view of a session that lacks a required second factor
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
OWN_SITES = frozenset(("same-origin", "none"))  # Sec-Fetch-Site of our pages, and of typed addresses

_csrf = CSRFProtect()
View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class _Roles:
    """The roles that a view requires."""

    to_read: Role
    to_change: Role


def requires(role: Role, *, to_read: Role | None = None) -> Callable[[View], View]:
    """
    Declare the *role* that a view requires (*to_read* for reading), in place of the default by its methods.
    """

    def declare(view: View) -> View:
        view.__dict__["roles"] = _Roles(to_read or role, role)
        return view

    return declare


def required_role(endpoint: str, methods: Collection[str], method: str) -> Role:
    """
    Return the role that *method* requires at the view *endpoint*, which takes *methods*.

    The default for views without `requires`: a view that only reads is for viewers; one that can change
    something is for admins, its form included.
    """
    declared: _Roles | None = getattr(current_app.view_functions[endpoint], "roles", None)
    if declared is not None:
        return declared.to_read if method in SAFE_METHODS else declared.to_change
    return Role.VIEWER if SAFE_METHODS.issuperset(methods) else Role.ADMIN


def prepare(app: Flask) -> None:
    """Give the templates of *app* `csrf_token()`, `csrf_field()` and facts about the caller."""
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False  # checked in `check_form`, after authentication
    app.config["WTF_CSRF_TIME_LIMIT"] = None  # valid as long as its session
    app.config["WTF_CSRF_SSL_STRICT"] = False  # it compares with the Host header, which a proxy may change
    _csrf.init_app(app)
    app.jinja_env.globals["csrf_field"] = csrf_field
    app.context_processor(_caller_context)
    app.before_request(_require_content_length)


def protect(blueprint: Blueprint, *, json: bool = False) -> None:
    """Require a session, or with *json* a session or token, before any other hook of *blueprint*."""
    check: Callable[[], Any] = _require_session_or_token if json else _require_session
    hooks = blueprint.before_request_funcs.setdefault(None, [])
    if check not in hooks:
        hooks.insert(0, check)


def _require_content_length() -> None:
    """Refuse a chunked form unread: browsers send none, and chunks of one byte would cost seconds."""
    if "Transfer-Encoding" in request.headers and not request.path.startswith(API_ROOT):
        raise InvalidRequest("A form needs a Content-Length; chunked ones are not read")


def actor() -> Actor:
    """Return the authenticated caller, for the audit log. Only in protected views."""
    caller: Actor = g.actor
    return caller


def operations() -> AdminOperations:
    """Return the audited operations, made on behalf of the authenticated caller."""
    return administration.operations(services(), actor())


def operator() -> str:
    """Return the name of the caller, or of the operator of the caller's token; '' for a token without one."""
    name: str = g.operator
    return name


def csrf_token() -> str:
    token: str = generate_csrf()
    return token


def csrf_field() -> Markup:
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(csrf_token())


def check_form() -> None:
    """Raise ForgedRequest for a request that may change something and was not sent by our own pages."""
    if request.method in SAFE_METHODS:
        return
    if request.headers.get("Sec-Fetch-Site", "none") not in OWN_SITES:
        raise ForgedRequest("The request was sent by a page of another site and was rejected")
    try:
        _csrf.protect()
    except CSRFError:
        raise ForgedRequest("The form does not belong to your current session and was rejected") from None


def local_path(target: str | None) -> str:
    """
    Return *target* if it is a page of the admin application, else the home page: prevents open redirects.
    """
    if not target or len(target) > 2000 or not target.startswith("/admin"):
        return HOME
    plain = unquote(target)
    if any(letter in plain for letter in "\\\r\n\t") or not plain.isprintable():
        return HOME
    path = urlsplit(plain).path
    if not path.startswith("/admin/") or "//" in path or "/../" in f"{path}/":
        return HOME
    return HOME if path.startswith((SIGN_IN, API_ROOT + "/")) else target


def may_change() -> bool:
    """Return whether the caller's role allows changes of more than their own account."""
    role: Role | None = g.get("role")
    return role is not None and role.includes(Role.ADMIN)


def _caller_context() -> dict[str, object]:
    return {
        "signed_in_as": g.actor.name if "actor" in g else "",
        "may_change": may_change(),
        "is_owner": g.get("role") is Role.OWNER,
        "lacks_second_factor": g.get("lacks_second_factor", False),
    }


def _require_session() -> Any:
    unhandled_forms.begin()
    refused = _redirect_unless_signed_in()
    if refused is None and request.method not in SAFE_METHODS:
        check_form()  # receives the body, which may take until the session has ended or the role has changed
        refused = _redirect_unless_signed_in()
    unhandled_forms.begin_view()
    return refused


def _redirect_unless_signed_in() -> Any:
    """
    Return a redirect to the sign-in page, None for a session.

    Raises RoleNotAllowed, and NotSignedIn for a form that one of our own pages has sent.
    """
    active = sessions.current()
    if active is None:
        if request.method == "POST" and unhandled_forms.is_from_own_page():
            raise NotSignedIn("Your session has ended")
        return redirect(_sign_in_address(), 303)
    _set_caller(active, Via.PAGE)
    if active.lacks_second_factor and request.endpoint != SET_UP_SECOND_FACTOR:
        return redirect(url_for(SET_UP_SECOND_FACTOR), 303)
    _check_role()
    return None


def _require_session_or_token() -> None:
    _authenticate()
    if request.method not in SAFE_METHODS:
        request.get_data()  # as in `_require_session`
        if "Authorization" not in request.headers:
            check_form()
        _authenticate()


def _authenticate() -> None:
    """Set the caller of a call. Raises NotSignedIn, RoleNotAllowed, ReadOnlyToken, SecondFactorRequired."""
    if "Authorization" in request.headers:
        _authenticate_token()
    elif (active := sessions.current()) is not None:
        _set_caller(active, Via.API)
        if active.lacks_second_factor:
            raise SecondFactorRequired(f"Set up a second factor first: {url_for(SET_UP_SECOND_FACTOR)}")
    else:
        raise NotSignedIn("Sign in, or send an admin token as 'Authorization: Bearer pgadm-…'")
    _check_role()


def _check_role() -> None:
    """Raise RoleNotAllowed when the caller's role does not include the requested view."""
    if request.endpoint is None or request.url_rule is None:
        return  # there is no such view: routing has failed
    required = required_role(request.endpoint, request.url_rule.methods or (), request.method)
    if not g.role.includes(required):
        raise RoleNotAllowed(f"Your role is {g.role}; this requires the role {required}")


def _authenticate_token() -> None:
    scheme, _, presented = request.headers["Authorization"].strip().partition(" ")
    active = _active_token(presented.strip()) if scheme.lower() == "bearer" else None
    if active is None:
        raise NotSignedIn("The admin token is not valid: admin tokens begin with pgadm-")
    token = active.token
    if token.scope is not TokenScope.FULL and request.method not in SAFE_METHODS:
        raise ReadOnlyToken(
            f"The admin token '{token.name}' is read-only: this call changes something, or returns a secret"
        )
    g.actor, g.role = Actor(f"token:{token.name}", Via.API, sessions.address()), active.role
    g.operator = token.operator or ""


def _active_token(presented: str) -> ActiveToken | None:
    """Return the active token *presented*, after a review of its role where the role rules have changed."""
    admin_tokens = services().operator_stores.admin_tokens
    active = admin_tokens.authenticate(presented)
    if active is not None and active.is_stale:
        administration.external_sign_in(services(), sessions.address()).review(active.token.operator or "")
        active = admin_tokens.authenticate(presented)
    return active


def _set_caller(active: ActiveSession, via: Via) -> None:
    g.session, g.role, g.operator = active.session, active.role, active.session.operator
    g.lacks_second_factor = active.lacks_second_factor
    g.actor = Actor(active.session.operator, via, sessions.address())


def _sign_in_address() -> str:
    path = local_path(request.full_path.rstrip("?") if request.method == "GET" else HOME)
    return SIGN_IN if path == HOME else f"{SIGN_IN}?next={quote(path, safe='/')}"
