"""
The pages for holders of API keys, on the port of the gateway under `/my`.

This is a separate application: it has none of the operators' views, and its own cookie. Every view reads only
the data of one key, that of its session.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.web_wiring import WebServices

ROOT = "/my"


def create_holder_app(services: WebServices) -> Flask:
    """Return the WSGI application for `/my`, with the layout and the style of the operators' pages."""
    from flask import Flask
    from jinja2 import ChoiceLoader, PackageLoader

    from app import admin
    from app.admin import client_timeouts, compression, guard, headers
    from app.admin.services import EXTENSION
    from app.holders import errors, layout, sessions, sign_in
    from app.holders.pages import BLUEPRINTS

    static = Path(admin.__file__).parent / "static"
    app = Flask("app.holders", static_folder=static, static_url_path=f"{ROOT}/static")
    app.jinja_loader = ChoiceLoader([PackageLoader("app.holders"), PackageLoader("app.admin")])
    app.url_map.merge_slashes = app.url_map.strict_slashes = False  # no redirects by werkzeug
    app.extensions[EXTENSION] = services
    app.config["MAX_CONTENT_LENGTH"] = client_timeouts.ANONYMOUS_BYTES
    sessions.COOKIE.prepare(app, services.operator_stores.cookie_keys)
    guard.prepare(app)
    layout.register(app)
    headers.register(app)
    compression.register(app)
    client_timeouts.register(app, services.settings.slow_client_seconds)
    errors.register(app)
    app.register_blueprint(sign_in.bp, url_prefix=ROOT)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint, url_prefix=ROOT)
    return app
