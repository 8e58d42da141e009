"""Accounts: the upstream identities of a pool."""

from __future__ import annotations

from functools import partial

import orjson
from flask import Blueprint, Response

from app.accounts.account import Account
from app.admin.api import inputs
from app.admin.api.bulk import bulk_response
from app.admin.api.inputs import checked_pool, json_response, list_response
from app.admin.guard import operations, requires
from app.admin.services import services
from app.errors import InvalidRequest
from app.operations.account_rules import KIND_RULES
from app.operations.accounts import bulk_part
from app.operations.each import unless_equal
from app.operations.first_listing import FirstListing, FirstListingJson
from app.presentation.accounts import ListedAccountJson, serialize_account
from app.stores.records.operators import Role
from schemas.admin import (
    AccountChange,
    AuthJson,
    NewAccount,
    Nothing,
    RemoveAccountQuery,
    TrialInput,
)
from schemas.bulk import AccountBulk

bp = Blueprint("accounts", __name__, url_prefix="/accounts")

NEW_ACCOUNT, ACCOUNT_CHANGE, AUTH_JSON = NewAccount(KIND_RULES), AccountChange(), AuthJson()
TRIAL_INPUT, NOTHING, REMOVE_QUERY = TrialInput(), Nothing(), RemoveAccountQuery()
ACCOUNT_BULK = AccountBulk()


@bp.get("")
def index() -> Response:
    """List accounts by name, with their settings and state."""
    pool, now = inputs.pool(), services().clock.now()
    rests = services().model_rests.all(pool, now)
    accounts = services().accounts.all(pool)
    return list_response([serialize_account(each, now, rests.get(each.id, ())) for each in accounts])


@bp.post("")
def add() -> Response:
    """
    Add an account by its API key or access token, and list its models. Creates the pool if needed.

    `first_look` is the result of that first listing; with `must_answer` the account is added only if it
    succeeds. `warnings` are sentences about what it took over from a removed account of its name.
    """
    pool, fields = inputs.pool(must_exist=False), inputs.body(NEW_ACCOUNT)
    secret = {name: fields.pop(name, "") for name in ("credential", "chatgpt_account_id")}
    if fields.pop("must_answer", False):
        added, listing = operations().accounts.add_if_reachable(pool, fields, **secret)
    else:
        added = operations().accounts.add(pool, fields, **secret)
        listing = operations().accounts.fetch_listing(pool, added)
    return json_response(serialize_new_account(pool, added, listing), 201)


@bp.post("/bulk")
def change_several() -> Response:
    """
    Change several accounts, and return a result for each: a failure does not stop the others.

    `do` is `pause`, `resume`, `remove` (see `force`), or `change` with `fields`: weight, group and cap.
    `warnings` of a removal are sentences about the model routes and keys that named the removed accounts.
    """
    pool, sent = inputs.pool(), inputs.body(ACCOUNT_BULK)
    accounts = operations().accounts
    stored = partial(services().accounts.find_without_credential, pool)
    warnings: list[str] = []
    if sent["do"] == "remove":
        removable = accounts.find_removable(pool, sent["names"], although_bound=sent["force"])
        warnings = accounts.find_removal_warnings(pool, removable)
    return bulk_response(
        sent,
        {
            "pause": unless_equal(stored, lambda name: accounts.pause(pool, name), bulk_part),
            "resume": lambda name: accounts.resume(pool, name),
            "change": unless_equal(
                stored, lambda name: accounts.change(pool, name, sent["fields"]), bulk_part
            ),
            "remove": lambda name: accounts.remove(pool, name, although_bound=sent["force"]),
        },
        warnings=warnings,
    )


@bp.post("/import")
def import_file() -> Response:
    """
    Import the ChatGPT sign-in in Codex's auth.json, and list its models.

    `warnings` are those of an account that is added.
    """
    pool, fields = inputs.pool(must_exist=False), inputs.body(AUTH_JSON)
    try:
        file = orjson.dumps(fields["auth_json"])
    except TypeError:  # orjson parses deeper nesting than it serializes
        raise InvalidRequest("auth_json is nested too deeply", param="auth_json") from None
    try:
        stored = operations().sign_ins.import_auth_json(pool, fields["name"], file)
    except InvalidRequest as error:
        error.param = error.param or "auth_json"
        raise
    return json_response(
        serialize_new_account(pool, stored, operations().accounts.fetch_listing(pool, stored)), 201
    )


class NewAccountJson(ListedAccountJson):
    first_look: FirstListingJson
    warnings: list[str]


def serialize_new_account(pool: str, account: Account, listing: FirstListing) -> NewAccountJson:
    """
    Return the JSON of *account*, just added, signed in or changed: with the result of listing its models,
    and its remarks.
    """
    stored = services().accounts.find_without_credential(pool, account.name)
    return {**_serialize(pool, stored), "first_look": listing.public(), "warnings": list(account.remarks)}


@bp.get("/<name>")
def show(name: str) -> Response:
    """Get an account."""
    pool = inputs.pool()
    return json_response(_serialize(pool, services().accounts.find_without_credential(pool, name)))


@bp.patch("/<name>")
def change(name: str) -> Response:
    """
    Change the given fields of an account. An empty `models` allows every model.

    With a `credential`, the server is queried for its models, and `first_look` has the result.
    """
    pool, fields = inputs.pool(), inputs.body(ACCOUNT_CHANGE)
    credential = fields.pop("credential", "")
    changed = operations().accounts.change(pool, name, fields, credential=credential)
    if not credential:
        return json_response(_serialize(pool, changed))
    return json_response(
        serialize_new_account(pool, changed, operations().accounts.fetch_listing(pool, changed))
    )


@bp.delete("/<name>")
def remove(name: str) -> Response:
    """
    Remove an account and its credential; `force=true` also if keys are restricted to it.

    `warnings` in the response are sentences about the model routes and keys that named it.
    """
    fields, accounts = inputs.query(REMOVE_QUERY), operations().accounts
    pool = checked_pool(fields["pool"])
    warnings = accounts.find_removal_warnings(pool, [name])
    accounts.remove(pool, name, although_bound=fields.get("force") == "true")
    return json_response({"name": name, "deleted": True, "warnings": warnings})


@bp.post("/<name>/pause")
def pause(name: str) -> Response:
    """Pause an account: it gets no new requests."""
    inputs.body(NOTHING)
    pool = inputs.pool()
    return json_response(_serialize(pool, operations().accounts.pause(pool, name)))


@bp.post("/<name>/resume")
def resume(name: str) -> Response:
    """Make an account available again, whatever took it or its models out of use."""
    inputs.body(NOTHING)
    pool = inputs.pool()
    return json_response(_serialize(pool, operations().accounts.resume(pool, name)))


@bp.post("/<name>/forget-refused")
def forget_refused(name: str) -> Response:
    """Send an account again the fields that its server has refused."""
    inputs.body(NOTHING)
    pool = inputs.pool()
    return json_response(_serialize(pool, operations().accounts.forget_refused(pool, name)))


@bp.post("/<name>/test")
def test(name: str) -> Response:
    """Test an account with a small real request, which is not recorded in the ledger."""
    fields = inputs.body(TRIAL_INPUT)
    return json_response(operations().accounts.test(inputs.pool(), name, fields.get("model", "")).public())


@bp.post("/<name>/export")
@requires(Role.OWNER)
def export(name: str) -> Response:
    """Export the sign-in of an account as Codex's auth.json, a secret."""
    inputs.body(NOTHING)
    return Response(operations().sign_ins.export_auth_json(inputs.pool(), name), mimetype="application/json")


def _serialize(pool: str, account: Account) -> ListedAccountJson:
    now = services().clock.now()
    return serialize_account(account, now, services().model_rests.of_account(pool, account.id, now))
