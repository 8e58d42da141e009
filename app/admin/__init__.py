"""The admin application: API and pages, separate from the gateway so that they cost it nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.server.dispatch import Application
    from app.web_wiring import WebServices


def create_admin_app(services: WebServices, gateway: Application) -> Flask:
    """Return the WSGI application for `/admin`, whose playground sends requests to *gateway*."""
    from flask import Flask

    from app.admin import (
        api,
        client_timeouts,
        compression,
        errors,
        gateway_requests,
        guard,
        headers,
        invitations,
        people,
        root,
        security,
        sessions,
        sign_in,
        single_sign_on,
    )
    from app.admin.pages import blueprint
    from app.admin.services import EXTENSION
    from app.errors import documented_codes

    app = Flask("app.admin", static_url_path="/admin/static")
    app.url_map.merge_slashes = app.url_map.strict_slashes = False  # no redirects by werkzeug
    app.extensions[EXTENSION] = services
    app.jinja_env.globals["guide"] = "/docs" if services.settings.admin_port is None else ""
    app.jinja_env.tests["documented"] = documented_codes().__contains__
    app.config["MAX_CONTENT_LENGTH"] = services.settings.max_body_bytes
    sessions.COOKIE.prepare(app, services.operator_stores.cookie_keys)
    guard.prepare(app)
    headers.register(app)
    compression.register(app)
    gateway_requests.register(app, gateway)
    client_timeouts.register(app, services.settings.slow_client_seconds)
    errors.register(app)
    app.register_blueprint(root.bp)
    app.register_blueprint(sign_in.bp)
    app.register_blueprint(invitations.bp)
    for own in (security.bp, people.bp, single_sign_on.link_bp):
        guard.protect(own)
        app.register_blueprint(own)
    app.register_blueprint(single_sign_on.bp)
    api.register(app)
    blueprint.register(app)
    return app
