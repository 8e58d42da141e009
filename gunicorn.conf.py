"""What `gunicorn`, started in this folder, reads by itself."""

from app.server.gunicorn_settings import *  # noqa: F403
