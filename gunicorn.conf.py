"""Read by `gunicorn` when it starts in this folder."""

from app.server.gunicorn_settings import *  # noqa: F403
