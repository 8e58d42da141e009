"""
Sign-in by an OpenID Connect issuer. The browser that begins it has its state, encrypted, in the cookie.

    GET /admin/oidc            to the issuer: to sign in, or with `invitation` to accept it
    GET /admin/oidc/callback   back from the issuer
    POST /admin/security/link  connect the sign-in at the issuer, or of the proxy, to the own operator
    POST /admin/security/unlink  disconnect it
"""

from __future__ import annotations

import base64
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from flask import Blueprint, flash, g, redirect, render_template, request, session, url_for

from app import administration
from app.admin import sessions
from app.admin.guard import actor, local_path, operator, requires
from app.admin.header_sign_in import header_user
from app.admin.pages.forms import Form
from app.admin.passwords import is_confirmed
from app.admin.services import services
from app.errors import GatewayError, NotFound, RoleNotAllowed, SignInRefused
from app.operators.external_users import ExternalUser, PendingSignIn
from app.stores.records.audit import Actor, Via
from app.stores.records.operators import Role, SignInMethod
from app.stores.secrets import UnreadableSecret, Vault

if TYPE_CHECKING:
    from app.operators.oidc import OidcClient

PENDING = "sso"  # in the cookie
PENDING_SECONDS = 600
PURPOSE = "single sign-on"
SECURITY = "/admin/security"

bp = Blueprint("single_sign_on", __name__)
link_bp = Blueprint("link", __name__)  # behind authentication
log = structlog.get_logger()


@bp.get("/admin/oidc")
def begin() -> Any:
    """Send the browser to the issuer."""
    page, pending = _client().begin(_redirect_uri())
    link_to = _linking()
    about = {
        "next": local_path(request.args.get("next")),
        "invitation": request.args.get("invitation", "")[:200],
        "link_to": link_to,
    }
    session[PENDING] = _seal({**asdict(pending), **about, "until": time.time() + PENDING_SECONDS})
    return redirect(page, 303)


@bp.get("/admin/oidc/callback")
def finish() -> Any:
    """Sign in the person whom the issuer verified."""
    client = _client()
    pending = _open(session.pop(PENDING, ""))
    throttle, address = services().operator_stores.sign_in_throttle, sessions.address()
    attempt = throttle.begin(f"oidc from {address}", address)
    try:
        if "error" in request.args:
            raise SignInRefused("The sign-in service did not sign you in: begin again")
        about = {name: pending.pop(name) for name in ("next", "invitation", "link_to", "until")}
        user = client.finish(PendingSignIn(**pending), request.args.to_dict())
        where = _link(user, about["link_to"]) if about["link_to"] else _sign_in(user, about)
    except GatewayError as error:
        log.warning("sign_in_refused", address=address, method=SignInMethod.OIDC, code=error.code)
        raise
    throttle.succeed(attempt)
    return redirect(where, 303)


@link_bp.route(f"{SECURITY}/link", methods=["GET", "POST"])
@requires(Role.VIEWER)
def link() -> Any:
    """Connect the sign-in at the issuer, or of the proxy, to the signed-in operator."""
    user, form = header_user(), Form(request.form, "password")
    if services().oidc is None and user is None:
        raise NotFound("There is nothing at this address")
    if is_confirmed(form):
        if user is not None:
            return redirect(_link(user, operator()), 303)
        session["link"] = _seal({"operator": operator(), "until": time.time() + PENDING_SECONDS})
        return render_template("security/link.html", section="settings.show", form=form, is_confirmed=True)
    page = render_template("security/link.html", section="settings.show", form=form, is_confirmed=False)
    return page, form.status


@link_bp.route(f"{SECURITY}/unlink", methods=["GET", "POST"])
@requires(Role.VIEWER)
def unlink() -> Any:
    """Disconnect the signed-in operator from single sign-on; sessions that began by it end."""
    _require_free_role()
    form = Form(request.form, "password", under={"identity": ""})
    if is_confirmed(form):
        with form.collect_errors():
            administration.operator_operations(services(), actor()).unlink(operator())
            flash("Single sign-on was disconnected.")
            return redirect(SECURITY, 303)
    return render_template("security/unlink.html", section="settings.show", form=form), form.status


def _require_free_role() -> None:
    """Raise RoleNotAllowed for an operator whose role comes from rules: this would be a way around them."""
    me = services().operator_stores.operators.find(operator())
    if me.role_by_rules and g.role is not Role.OWNER:
        raise RoleNotAllowed("Rules assign your role at single sign-on: only an owner can disconnect it")


def sign_in_verified(user: ExternalUser, invitation: str = "") -> None:
    """Sign in a verified person, and audit it. Raises SignInRefused."""
    address = sessions.address()
    signed_in = administration.external_sign_in(services(), address).sign_in(user, invitation)
    sessions.sign_in(signed_in.name, user.identity)
    services().audit.note(Actor(signed_in.name, Via.PAGE, address), "session.open", "", signed_in.name)


def _sign_in(user: ExternalUser, about: dict[str, Any]) -> str:
    sign_in_verified(user, about["invitation"])
    where: str = about["next"]
    return where


def _link(user: ExternalUser, name: str) -> str:
    """Connect *user* to the operator *name*, who must still be signed in here."""
    active = sessions.current()
    if active is None or active.session.operator != name:
        raise SignInRefused("You are not signed in any more as the operator to be connected: begin again")
    administration.external_sign_in(services(), sessions.address()).link(name, user, but=sessions.secret())
    flash("Your sign-in was connected.")
    return SECURITY


def _linking() -> str:
    """Return the operator who has just confirmed connecting a sign-in, '' if there is none."""
    sealed = session.pop("link", "") if request.args.get("link") else ""
    return str(_open(sealed)["operator"]) if sealed else ""


def _client() -> OidcClient:
    client = services().oidc
    if client is None:
        raise NotFound("There is nothing at this address")
    return client


def _redirect_uri() -> str:
    return f"{request.host_url.rstrip('/')}{url_for('single_sign_on.finish')}"


def _seal(data: dict[str, Any]) -> str:
    return _vault().seal(orjson.dumps(data).decode())


def _open(sealed: object) -> dict[str, Any]:
    """Return sealed data. Raises SignInRefused if there is none, or it is too old."""
    try:
        data: dict[str, Any] = orjson.loads(_vault().open(sealed if isinstance(sealed, str) else ""))
    except (UnreadableSecret, ValueError):
        data = {"until": 0.0}
    if data["until"] < time.time():
        raise SignInRefused("This sign-in was begun in another browser, or too long ago: begin again")
    return data


def _vault() -> Vault:
    keys = (bytes.fromhex(key) for key in services().vault.derived(PURPOSE))
    return Vault(tuple(base64.urlsafe_b64encode(key).decode() for key in keys))
