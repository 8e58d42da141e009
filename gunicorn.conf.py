"""What `gunicorn`, started in this folder, reads by itself."""

from app.gunicorn_settings import *  # noqa: F403
