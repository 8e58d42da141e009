"""Webhooks: addresses to which alerts are sent. A secret that Poolgate generates is returned once."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.inputs import deleted_response, json_response, list_response
from app.admin.guard import operations
from app.admin.services import services
from app.presentation.webhooks import webhook_views
from app.stores.records.webhooks import Webhook
from schemas.admin import Nothing
from schemas.webhooks import WebhookChange, WebhookInput

bp = Blueprint("webhooks", __name__, url_prefix="/webhooks")

WEBHOOK_INPUT, WEBHOOK_CHANGE, NOTHING = WebhookInput(), WebhookChange(), Nothing()


@bp.get("")
def index() -> Response:
    """List the webhooks of a pool, with the state of their deliveries."""
    pool = inputs.pool()
    return list_response(_serialize(pool, services().alerting.webhooks.all(pool)))


@bp.post("")
def add() -> Response:
    """Add a webhook. With the format json and no `secret`, one is generated, and returned only once."""
    pool, fields = inputs.pool(must_exist=False), inputs.body(WEBHOOK_INPUT)
    webhook = operations().webhooks.add(pool, fields)
    made = {"secret": webhook.secret} if webhook.secret and "secret" not in fields else {}
    return json_response({**_serialize(pool, [webhook])[0], **made}, 201)


@bp.get("/<name>")
def show(name: str) -> Response:
    """Get a webhook, with the state of its deliveries. Of its `url`, only scheme and host are shown."""
    pool = inputs.pool()
    return json_response(_serialize(pool, [services().alerting.webhooks.find(pool, name)])[0])


@bp.patch("/<name>")
def change(name: str) -> Response:
    """Change the given fields of a webhook."""
    pool, fields = inputs.pool(), inputs.body(WEBHOOK_CHANGE)
    return json_response(_serialize(pool, [operations().webhooks.change(pool, name, fields)])[0])


@bp.delete("/<name>")
def remove(name: str) -> Response:
    """Remove a webhook and its pending messages."""
    operations().webhooks.remove(inputs.pool(), name)
    return deleted_response(name)


@bp.post("/<name>/test")
def test(name: str) -> Response:
    """Send a test message to a webhook now. `delivered` is whether it was accepted, `error` why not."""
    inputs.body(NOTHING)
    attempt = operations().webhooks.test(inputs.pool(), name)
    return json_response({"name": name, "delivered": attempt.is_delivered, "error": attempt.error or None})


def _serialize(pool: str, webhooks: list[Webhook]) -> list[Any]:
    return webhook_views(services().alerting.alerts, pool, webhooks)
