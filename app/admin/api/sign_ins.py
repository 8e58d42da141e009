"""Signing in to ChatGPT accounts, by a code for any device or by a browser."""

from __future__ import annotations

from flask import Blueprint, Response

from app.admin.api import asking
from app.admin.api.accounts import looked_at_shape
from app.admin.api.asking import answer, desk
from app.pool.account import Account
from schemas.admin import Address, Nothing, SignInInput

bp = Blueprint("sign_ins", __name__, url_prefix="/accounts/sign-ins")

SIGN_IN_INPUT, NOTHING, ADDRESS = SignInInput(), Nothing(), Address()


@bp.post("/device")
def begin_device() -> Response:
    """Begin a sign-in: a person enters `user_code` at `page`."""
    pool = asking.pool(must_be=False)
    return answer(desk().begin_device(pool, asking.body(SIGN_IN_INPUT)["name"]).public(), 201)


@bp.post("/device/<flow>")
def poll_device(flow: str) -> Response:
    """Ask whether the code was entered: `pending`, or `done` and the account."""
    asking.body(NOTHING)
    pool = asking.pool(must_be=False)
    return _progress(pool, desk().poll_device(pool, flow))


@bp.post("/browser")
def begin_browser() -> Response:
    """Begin a sign-in: a person signs in at `page`, whose last address is the answer."""
    pool = asking.pool(must_be=False)
    return answer(desk().begin_browser(pool, asking.body(SIGN_IN_INPUT)["name"]).public(), 201)


@bp.post("/browser/<flow>")
def complete_browser(flow: str) -> Response:
    """End a sign-in with the address that the browser ended at."""
    said = asking.body(ADDRESS)
    pool = asking.pool(must_be=False)
    return _progress(pool, desk().complete_browser(pool, flow, said["address"]))


def _progress(pool: str, account: Account | None) -> Response:
    if account is None:
        return answer({"state": "pending", "account": None})
    found = desk().look_at_account(pool, account)
    return answer({"state": "done", "account": looked_at_shape(pool, account, found)})
