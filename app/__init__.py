"""Poolgate: one OpenAI-compatible endpoint in front of a pool of upstream accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.web_wiring import WebServices


def create_app(services: WebServices) -> Flask:
    """Return the WSGI application with all blueprints registered."""
    from app.api import (
        basic_auth_chat,
        bifrost_chat,
        chat,
        codex,
        codex_usage,
        cors,
        errors,
        guide,
        health,
        idempotency,
        key_metrics,
        metrics,
        models,
        openapi,
        passthrough,
        request_ids,
        request_lifecycle,
        responses,
        unsupported,
        usage,
        websockets,
    )
    from app.api.context import EXTENSION
    from app.api.flask_app import Gateway

    app = Gateway("poolgate", static_folder=None)
    app.url_map.merge_slashes = False  # an unknown address is an error, not a redirect
    app.extensions[EXTENSION] = services
    errors.register(app)
    idempotency.register(app)
    websockets.register(app)
    request_ids.register(app)
    cors.register(app, services.settings.cors_origins)  # preflights take no capacity
    request_lifecycle.register(app, key_metrics.of_service(services.settings.metrics_keys))
    app.register_blueprint(health.bp)
    app.register_blueprint(openapi.bp)
    app.register_blueprint(guide.bp)
    app.register_blueprint(metrics.bp)
    for blueprint in (chat.bp, responses.bp, models.bp, usage.bp, passthrough.bp):
        app.register_blueprint(blueprint, url_prefix="/v1")
        app.register_blueprint(
            blueprint, url_prefix="/backend-api/codex/v1", name=f"codex_v1_{blueprint.name}"
        )
    app.register_blueprint(unsupported.bp)
    app.register_blueprint(codex.bp, url_prefix="/backend-api/codex")
    app.register_blueprint(codex_usage.bp, url_prefix="/api/codex")
    app.register_blueprint(basic_auth_chat.bp, url_prefix="/api/v1/openai")
    app.register_blueprint(bifrost_chat.bp, url_prefix="/openai")
    return app
