"""Poolgate: one OpenAI-compatible endpoint in front of a pool of upstream accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.web_wiring import WebServices


def create_app(services: WebServices) -> Flask:
    """Return the WSGI application with all blueprints registered."""
    from app.api import (
        blueprints,
        cors,
        errors,
        idempotency,
        key_metrics,
        request_ids,
        request_lifecycle,
        websockets,
    )
    from app.api.context import EXTENSION
    from app.api.flask_app import GatewayApplication

    app = GatewayApplication("poolgate", static_folder=None)
    app.url_map.merge_slashes = False  # an unknown address is an error, not a redirect
    app.extensions[EXTENSION] = services
    errors.register(app)
    idempotency.register(app)
    websockets.register(app)
    request_ids.register(app)
    cors.register(app, services.settings.cors_origins)  # preflights take no capacity
    request_lifecycle.register(app, key_metrics.of_service(services.settings.metrics_keys))
    blueprints.register(app)
    return app
