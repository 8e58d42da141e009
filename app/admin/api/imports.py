"""Imports from other gateways and programs."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from app.accounts.sign_in_files import find_sign_ins
from app.admin.api import inputs
from app.admin.api.inputs import checked_pool, json_response, list_response
from app.admin.api.setup import apply_plan, plan_for, read_content
from app.admin.guard import operations
from app.errors import InvalidRequest
from app.operations.setup.litellm import convert_litellm
from app.yielding import end_turn
from schemas.setup_requests import TRUE, ApplyQuery, LiteLLMInput, SignInsInput

MAX_BYTES = 8 * 1024 * 1024  # thousands of keys

bp = Blueprint("imports", __name__, url_prefix="/import")

LITELLM_INPUT, IMPORT_QUERY, SIGN_INS_INPUT = LiteLLMInput(), ApplyQuery(), SignInsInput()


@bp.post("/litellm")
def litellm() -> Response:
    """
    Import LiteLLM's configuration. `remarks` list what was not imported, and what works differently here.

    `config` is the content of config.yaml, an object or its text; `keys` and `teams` are the lists of
    LiteLLM's admin API. `secrets` has the values of `os.environ/NAME`: the variables of the server are never
    read. With `dry_run=true` nothing is changed, and the response has the `document` for `/apply`.
    """
    params = inputs.query(IMPORT_QUERY)
    pool = checked_pool(params["pool"], must_exist=False)
    fields = inputs.body(LITELLM_INPUT, MAX_BYTES)
    dry_run = params["dry_run"] in TRUE
    converted = convert_litellm(
        read_content(fields["config"], "config"),
        fields["secrets"],
        keys=fields.get("keys"),
        teams=fields.get("teams"),
        reads_included=False,
    )
    remarks = [remark.public() for remark in converted.remarks]
    if "accounts" not in converted.document:
        error = InvalidRequest("config: no deployment can be imported", param="config")
        return json_response({**error.envelope(), "remarks": remarks}, error.status)
    end_turn()
    plan = plan_for(pool, converted.document, {**fields["secrets"], **converted.secrets})
    extra: dict[str, Any] = {"document": converted.document} if dry_run else {}
    return apply_plan(pool, plan, dry_run=dry_run, remarks=remarks, **extra)


@bp.post("/accounts")
def import_accounts() -> Response:
    """
    Import the sign-ins and API keys in a file of another program: one account, a list, or an export.

    `content` is the content of a file of Codex, codex-lb, CLIProxyAPI, sub2api, codex-switcher or OpenCode.
    `data` has the result for each account. A second import changes nothing.
    """
    pool, fields = inputs.pool(must_exist=False), inputs.body(SIGN_INS_INPUT, MAX_BYTES)
    importer = operations().account_import
    items = find_sign_ins(fields["content"])
    return list_response(
        [importer.import_item(pool, item, fields.get("name", "")).public() for item in items]
    )
