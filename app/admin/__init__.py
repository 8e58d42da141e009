"""The admin API and the pages: an application of its own, so that the gateway pays nothing for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.wiring import Services


def create_admin_app(services: Services) -> Flask:
    """Return the WSGI application that answers under `/admin`: registers blueprints, no more."""
    from flask import Flask

    from app.admin.services import EXTENSION

    app = Flask("poolgate.admin", static_folder=None)
    app.extensions[EXTENSION] = services
    return app
