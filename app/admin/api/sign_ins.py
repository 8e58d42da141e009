"""Signing in to ChatGPT accounts, by a code for any device or by a browser."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from app.admin.api import asking
from app.admin.api.asking import answer, desk
from app.admin.api.shapes import account_shape
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
    return _told(desk().poll_device(asking.pool(must_be=False), flow))


@bp.post("/browser")
def begin_browser() -> Response:
    """Begin a sign-in: a person signs in at `page`, whose last address is the answer."""
    pool = asking.pool(must_be=False)
    return answer(desk().begin_browser(pool, asking.body(SIGN_IN_INPUT)["name"]).public(), 201)


@bp.post("/browser/<flow>")
def complete_browser(flow: str) -> Response:
    """End a sign-in with the address that the browser ended at."""
    said = asking.body(ADDRESS)
    return _told(desk().complete_browser(asking.pool(must_be=False), flow, said["address"]))


def _told(account: Account | None) -> Response:
    told: dict[str, Any] = {"state": "pending" if account is None else "done", "account": None}
    if account is not None:
        told["account"] = account_shape(account)
    return answer(told)
