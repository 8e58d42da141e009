"""Pages of a key's holder need a session, and may read only what belongs to its key."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, redirect, request, url_for

from app import administration
from app.admin import unhandled_forms
from app.admin.guard import SAFE_METHODS, check_form
from app.admin.services import services
from app.admin.sessions import address
from app.errors import NotSignedIn
from app.holders import sessions
from app.operations.service import AdminOperations
from app.stores.records.api_keys import ApiKey
from app.stores.records.audit import Actor, Via

SIGN_IN = "sign_in.show"


def protect(blueprint: Blueprint) -> None:
    """Require a session before any other hook of *blueprint*."""
    blueprint.before_request_funcs.setdefault(None, []).insert(0, _require_session)


def holder() -> ApiKey:
    """Return the key of the session, with its limits and those of its team and pool."""
    key: ApiKey = g.holder
    return key


def actor(key: ApiKey) -> Actor:
    """Return the actor of changes for the audit log: the holder of *key*."""
    return Actor(f"key:{key.name}", Via.PAGE, address())


def operations() -> AdminOperations:
    """Return the audited operations of the holder; views use only those that holders may use."""
    return administration.operations(services(), actor(holder()))


def _require_session() -> Any:
    unhandled_forms.begin()
    key = sessions.current()
    if key is not None and request.method not in SAFE_METHODS:
        check_form()  # receives the body, which may take until the session has ended
        key = sessions.current()
    if key is None and request.method == "POST" and unhandled_forms.is_from_own_page():
        raise NotSignedIn("Your session has ended")
    if key is None:
        return redirect(url_for(SIGN_IN), 303)
    unhandled_forms.begin_view()
    g.holder, g.pool = key, key.pool
    return None
