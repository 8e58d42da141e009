"""The WSGI entry point: reads the environment and constructs the applications."""

from __future__ import annotations

import os
import sys

from app import create_app
from app.admin import create_admin_app
from app.config import ConfigError, Settings
from app.holders import create_holder_app
from app.log import configure
from app.server.dispatch import Dispatcher
from app.tracing import tracing_for
from app.web_wiring import build_web

settings = Settings.from_environment(os.environ)
configure(settings.log_level, settings.log_format)
try:
    services = build_web(
        settings,
        demo="POOLGATE_DEMO_KEY" in os.environ,
        tracing=tracing_for(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")),
    )
except ConfigError as error:
    sys.exit(str(error))
gateway = create_app(services)
app = Dispatcher(
    services,
    gateway,
    None if settings.admin == "off" else create_admin_app(services, gateway),
    None if settings.key_page == "off" else create_holder_app(services),
)
