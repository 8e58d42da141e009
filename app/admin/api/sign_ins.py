"""Sign-in to ChatGPT accounts, with a code on any device or with a browser."""

from __future__ import annotations

from flask import Blueprint, Response

from app.accounts.account import Account
from app.admin.api import inputs
from app.admin.api.accounts import serialize_new_account
from app.admin.api.inputs import json_response
from app.admin.guard import operations
from schemas.admin import Address, Nothing, SignInInput

bp = Blueprint("sign_ins", __name__, url_prefix="/accounts/sign-ins")

SIGN_IN_INPUT, NOTHING, ADDRESS = SignInInput(), Nothing(), Address()


@bp.post("/device")
def begin_device() -> Response:
    """Start a sign-in: a person enters `user_code` at `page`."""
    pool = inputs.pool(must_exist=False)
    return json_response(
        operations().sign_ins.begin_device(pool, inputs.body(SIGN_IN_INPUT)["name"]).public(), 201
    )


@bp.post("/device/<flow>")
def poll_device(flow: str) -> Response:
    """Poll a sign-in: returns `pending`, or `done` and the account."""
    inputs.body(NOTHING)
    pool = inputs.pool(must_exist=False)
    return _progress(pool, operations().sign_ins.poll_device(pool, flow))


@bp.post("/browser")
def begin_browser() -> Response:
    """Start a sign-in: a person signs in at `page`, and then completes it with the browser's last address."""
    pool = inputs.pool(must_exist=False)
    return json_response(
        operations().sign_ins.begin_browser(pool, inputs.body(SIGN_IN_INPUT)["name"]).public(), 201
    )


@bp.post("/browser/<flow>")
def complete_browser(flow: str) -> Response:
    """Complete a sign-in with the last address in the browser."""
    fields = inputs.body(ADDRESS)
    pool = inputs.pool(must_exist=False)
    return _progress(pool, operations().sign_ins.complete_browser(pool, flow, fields["address"]))


def _progress(pool: str, account: Account | None) -> Response:
    if account is None:
        return json_response({"state": "pending", "account": None})
    listing = operations().accounts.fetch_listing(pool, account)
    return json_response({"state": "done", "account": serialize_new_account(pool, account, listing)})
