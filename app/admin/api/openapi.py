"""GET /admin/api/openapi.json, generated from the schemas that validate requests."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response, current_app
from marshmallow import Schema
from werkzeug.routing import Rule

from app.admin.api import (
    accounts,
    api_keys,
    audit,
    health,
    imports,
    inputs,
    limits,
    model_routes,
    operators,
    pools,
    prices,
    requests,
    setup,
    sign_ins,
    teams,
    usage,
    webhooks,
)
from app.admin.api.examples import read_examples
from app.admin.api.inputs import json_response
from app.config import package_version
from app.operations.setup.yaml_text import write_yaml
from schemas.json_schema import parameters_of
from schemas.openapi import Json, Route, body_of, described, document, in_path, json_of, tags, with_example

bp = Blueprint("openapi", __name__)

BODIES: dict[str, Schema] = {
    "api.pools.create": pools.POOL_INPUT,
    "api.pools.change": pools.POOL_CHANGE,
    **{f"api.limits.{name}": limits.LIMIT_INPUT for name in ("add_to_key", "add_to_team", "add_to_pool")},
    **{f"api.limits.{name}": limits.LIMIT_INPUT for name in ("edit_of_key", "edit_of_team", "edit_of_pool")},
    "api.accounts.add": accounts.NEW_ACCOUNT,
    "api.accounts.import_file": accounts.AUTH_JSON,
    "api.accounts.change_several": accounts.ACCOUNT_BULK,
    "api.keys.change_several": api_keys.KEY_BULK,
    "api.teams.change_several": teams.TEAM_BULK,
    "api.accounts.change": accounts.ACCOUNT_CHANGE,
    **{f"api.accounts.{name}": accounts.NOTHING for name in ("pause", "resume", "export", "forget_refused")},
    "api.accounts.test": accounts.TRIAL_INPUT,
    "api.sign_ins.begin_device": sign_ins.SIGN_IN_INPUT,
    "api.sign_ins.begin_browser": sign_ins.SIGN_IN_INPUT,
    "api.sign_ins.poll_device": sign_ins.NOTHING,
    "api.sign_ins.complete_browser": sign_ins.ADDRESS,
    "api.keys.create": api_keys.KEY_INPUT,
    "api.keys.change": api_keys.KEY_CHANGE,
    "api.keys.rotate": api_keys.ROTATION,
    **{f"api.keys.{name}": api_keys.NOTHING for name in ("disable", "enable")},
    "api.teams.create": teams.TEAM_INPUT,
    "api.teams.change": teams.TEAM_CHANGE,
    **{f"api.teams.{name}": teams.NOTHING for name in ("disable", "enable")},
    "api.prices.put": prices.PRICE_INPUT,
    "api.routes.put": model_routes.ROUTE_INPUT,
    "api.webhooks.add": webhooks.WEBHOOK_INPUT,
    "api.webhooks.change": webhooks.WEBHOOK_CHANGE,
    "api.webhooks.test": webhooks.NOTHING,
    "api.setup.apply": setup.APPLY_INPUT,
    "api.imports.litellm": imports.LITELLM_INPUT,
    "api.imports.import_accounts": imports.SIGN_INS_INPUT,
    "api.operators.change": operators.OPERATOR_CHANGE,
    "api.invitations.invite": operators.INVITATION_INPUT,
}
QUERIES: dict[str, Schema] = {  # every other endpoint takes `pool`
    **{f"api.pools.{name}": inputs.NO_QUERY for name in ("index", "create", "show", "change")},
    **{f"api.limits.{name}_pool": inputs.NO_QUERY for name in ("of", "add_to", "edit_of", "remove_of")},
    "api.accounts.remove": accounts.REMOVE_QUERY,
    "api.keys.index": api_keys.KEYS_QUERY,
    "api.usage.series": usage.SERIES_QUERY,
    "api.usage.refusals": usage.REFUSALS_QUERY,
    "api.requests.index": requests.REQUESTS_QUERY,
    "api.requests.show": requests.REQUEST_QUERY,
    "api.prices.index": prices.PRICES_QUERY,
    "api.resolution.show_resolution": model_routes.RESOLUTION_QUERY,
    "api.settings.show": inputs.NO_QUERY,
    "api.audit.index": audit.AUDIT_QUERY,
    "api.health.show": health.HEALTH_QUERY,
    "api.openapi.show": inputs.NO_QUERY,
    **{f"api.operators.{name}": inputs.NO_QUERY for name in ("index", "show", "change", "remove")},
    **{f"api.operators.{name}": inputs.NO_QUERY for name in ("sessions", "end_sessions")},
    "api.sign_in_policy.policy": inputs.NO_QUERY,
    **{f"api.invitations.{name}": inputs.NO_QUERY for name in ("open_invitations", "invite", "revoke")},
    "api.setup.apply": setup.APPLY_QUERY,
    "api.setup.dump": setup.DUMP_QUERY,
    "api.imports.litellm": imports.IMPORT_QUERY,
}
ABOUT = "The API for operators: it can show and change everything that the pages and commands can."
GROUPS = {  # by blueprint, in the order of the reference
    "accounts": "The upstream accounts of a pool.",
    "sign_ins": "Signing in to ChatGPT accounts.",
    "keys": "The API keys of a pool.",
    "teams": "Teams of API keys.",
    "limits": "The limits of keys, teams and pools.",
    "routes": "Names for models, and which accounts serve them.",
    "resolution": "Which models a name resolves to.",
    "operators": "People who may sign in to the pages, their roles and sessions.",
    "sign_in_policy": "What is required of operators who sign in.",
    "invitations": "One-time links with which people become operators.",
    "prices": "What models cost.",
    "usage": "Usage by time, key, account and model.",
    "requests": "The ledger of requests.",
    "pools": "Pools and their settings.",
    "webhooks": "Webhooks: addresses to which alerts are sent.",
    "setup": "Declarative set-ups.",
    "imports": "Importing from other gateways and programs.",
    "settings": "The settings of this installation.",
    "audit": "Who changed what.",
    "health": "What is wrong, and how to fix it.",
    "openapi": "This description.",
}
TOKEN = {"type": "http", "scheme": "bearer", "description": "An admin token: pgadm-…"}
SESSION = {
    "type": "apiKey",
    "in": "cookie",
    "description": "the session of the pages, with its X-CSRFToken for calls that change something.",
}


@bp.get("/openapi.json")
def show() -> Response:
    """Get this document."""
    inputs.query(inputs.NO_QUERY)
    return json_response(build_document())


def build_document() -> Json:
    """Return the OpenAPI document of the current application."""
    cookie = {"name": str(current_app.config["SESSION_COOKIE_NAME"])}
    operations = (Route(rule.rule, rule.methods or (), _operation(rule)) for rule in routes())
    security = {"token": TOKEN, "session": SESSION | cookie}
    built = document("Poolgate, for operators", package_version(), ABOUT, security, operations)
    return {**built, "tags": tags(GROUPS.items())}


def routes() -> Iterator[Rule]:
    rules = (rule for rule in current_app.url_map.iter_rules() if rule.endpoint.startswith("api."))
    places = {name: place for place, name in enumerate(GROUPS)}
    return iter(sorted(rules, key=lambda rule: (places[_group(rule)], rule.rule)))


def _group(rule: Rule) -> str:
    return str(rule.endpoint.split(".")[1])


def _operation(rule: Rule) -> Json:
    operation_id = rule.endpoint.removeprefix("api.").replace(".", "_")
    example = read_examples().get(operation_id, {})
    operation: Json = {
        "tags": [_group(rule)],
        **described(current_app.view_functions[rule.endpoint].__doc__),
        "operationId": operation_id,
        "security": [{"token": []}, {"session": []}],
        "parameters": in_path(rule.arguments) + parameters_of(QUERIES.get(rule.endpoint, inputs.POOL)),
        "responses": {
            "2XX": with_example(json_of({"type": "object"}), example.get("response")),
            "default": json_of("Error"),
        },
    }
    if rule.endpoint in BODIES:
        operation["requestBody"] = with_example(body_of(BODIES[rule.endpoint]), example.get("request"))
    if rule.endpoint == "api.setup.apply":
        text = write_yaml(example["request"]["document"]) if example else ""
        operation["requestBody"]["content"][setup.YAML] = {"schema": {"type": "string"}, "example": text}
    return operation
