"""The blueprints of the public endpoints, and where they are served."""

from __future__ import annotations

from flask import Flask

from app.api import (
    basic_auth_chat,
    bifrost_chat,
    chat,
    codex,
    codex_usage,
    guide,
    health,
    metrics,
    models,
    openapi,
    passthrough,
    responses,
    unsupported,
    usage,
)


def register(app: Flask) -> None:
    """Serve all endpoints with *app*."""
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
