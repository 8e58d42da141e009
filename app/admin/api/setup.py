"""Declarative set-ups: a pool as a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from app import administration
from app.admin.api import inputs
from app.admin.api.inputs import checked_pool, json_response
from app.admin.guard import operations
from app.admin.services import services
from app.errors import GatewayError, InvalidRequest, NotJson
from app.operations.setup.changes import make_changes
from app.operations.setup.dump import dump_setup
from app.operations.setup.mistakes import find_mistakes
from app.operations.setup.plan import SetupPlan, plan_document
from app.operations.setup.yaml_text import parse_yaml, write_yaml
from app.yielding import end_turn
from schemas.setup_requests import TRUE, ApplyInput, ApplyQuery, DumpQuery

YAML = "application/yaml"
YAML_TYPES = frozenset((YAML, "application/x-yaml", "text/yaml", "text/x-yaml"))

bp = Blueprint("setup", __name__)

APPLY_INPUT, APPLY_QUERY, DUMP_QUERY = ApplyInput(), ApplyQuery(), DumpQuery()


@bp.post("/apply")
def apply() -> Response:
    """
    Change a pool to match a document. With `dry_run=true`, only list the changes and the warnings about them.

    `document` is an object, or a text in YAML; the body may also be the document itself, in JSON or as
    `application/yaml`. `secrets` has the values of the environment variables that the document names: the
    variables of the server are never read. New secrets are returned once. In a dry run, `missing_secrets` are
    the secrets that applying the document would need.
    """
    params = inputs.query(APPLY_QUERY)
    pool = checked_pool(params["pool"], must_exist=False)
    fields = _fields()
    plan = plan_for(pool, read_content(fields["document"], "document"), fields["secrets"])
    return apply_plan(pool, plan, dry_run=params["dry_run"] in TRUE)


@bp.get("/dump")
def dump() -> Response:
    """Get a pool as a document, which has no secrets. `format` is json or yaml."""
    params = inputs.query(DUMP_QUERY)
    document = dump_setup(checked_pool(params["pool"]), administration.setup_stores(services()))
    if params["format"] == "yaml":
        return Response(write_yaml(document), mimetype=YAML)
    return json_response(document)


def _fields() -> Mapping[str, Any]:
    """Return the document and the secrets in the body, which may be the document alone."""
    if request.mimetype in YAML_TYPES:
        return {"document": inputs.data(), "secrets": {}}
    try:
        payload = inputs.payload()
    except NotJson as error:
        raise InvalidRequest(f"{error.message}; send a document in YAML as {YAML}") from None
    if isinstance(payload, dict) and payload and not payload.keys() & APPLY_INPUT.fields.keys():
        return {"document": payload, "secrets": {}}
    fields: Mapping[str, Any] = APPLY_INPUT.load(payload)
    return fields


def read_content(content: Any, param: str) -> Any:
    """Return *content*, parsed if it is a text in YAML. Raises InvalidRequest with *param*."""
    if not isinstance(content, str | bytes):
        return content
    text = content.encode("utf-8", "replace") if isinstance(content, str) else content
    try:
        return parse_yaml(text, end_turn)
    except InvalidRequest as error:
        raise InvalidRequest(f"{param}: {error.message}", param=param) from None


def plan_for(pool: str, content: Any, secrets: Mapping[str, str]) -> SetupPlan:
    """
    Return the plan that changes *pool* to match the document *content*. Raises InvalidRequest with a param.
    """
    try:
        return plan_document(content, pool, operations(), administration.setup_stores(services()), secrets)
    except InvalidRequest as error:
        message = error.message if error.param else f"document {error.message}"
        raise InvalidRequest(message, param=error.param or "document") from None


def apply_plan(pool: str, plan: SetupPlan, *, dry_run: bool, **extra: Any) -> Response:
    """
    Apply *plan* and return the response, with the *extra* fields.

    If a change fails, the error response lists the changes made before it, since secrets are returned only
    once.
    """
    if plan.missing and not dry_run:
        text = f"These secrets are missing: {plan.listed_missing()}"
        raise InvalidRequest(text, param=next(iter(plan.missing.values())))
    made: list[dict[str, Any]] = []
    body: dict[str, Any] = {"object": "list", "data": made, "dry_run": dry_run, **extra}
    if dry_run:
        missing = [{"name": name, "path": path} for name, path in plan.missing.items()]
        body |= {"missing_secrets": missing}
    try:
        for each in make_changes(plan.changes, dry_run=dry_run):
            made.append(each.public())
    except GatewayError as error:
        if not any(change.is_change for change in plan.changes[: len(made)]):
            raise
        return json_response({**error.envelope(), **body}, error.status)
    stores, now = administration.setup_stores(services()), services().clock.now()
    body["warnings"] = [
        {change.section.removesuffix("s"): change.name, "text": sentence}
        for change, sentence in find_mistakes(stores, pool, plan.changes, now)
    ]
    return json_response(body)
