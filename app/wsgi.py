"""The WSGI entry point: reads the environment, calls create_app."""

from __future__ import annotations

import os

from app import create_app
from app.config import Settings
from app.log import configure
from app.wiring import build

settings = Settings.from_environment(os.environ)
configure(settings.log_level)
services = build(settings, demo="POOLGATE_DEMO_KEY" in os.environ)
app = create_app(services)
