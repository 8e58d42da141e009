"""Report the settings that an installation was started with, without secrets."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any, TypedDict

from app.accounts.pools import POLICIES
from app.config import Settings, package_version

READABLE_SETTINGS = (
    *(
        "bind",
        "port",
        "web_concurrency",
        "admin",
        "key_page",
        "log_level",
        "log_format",
        "originator",
        "user_agent",
    ),
    *("openai_base_url", "chatgpt_base_url", "oauth_issuer"),
    *("max_body_bytes", "max_responses_body_bytes", "store_timeout_seconds"),
    *("graceful_timeout_seconds", "slow_client_seconds", "idempotency", "max_recorded_bytes", "cors_origins"),
    *("websocket", "websockets_per_key", "websocket_idle_seconds", "websocket_age_seconds"),
)
_URL_CREDENTIALS = re.compile(r"(?<=//)[^/@]*@")  # the user and password in front of a URL's host


class SettingsJson(TypedDict):
    version: str
    settings: dict[str, Any]
    time_limits: dict[str, float]  # seconds
    policies: tuple[str, ...]


def serialize_settings(settings: Settings) -> SettingsJson:
    """Return {version, settings, time_limits (seconds), policies}."""
    values = {name: _readable(getattr(settings, name)) for name in READABLE_SETTINGS}
    return {
        "version": package_version(),
        "settings": values,
        "time_limits": asdict(settings.limits),
        "policies": POLICIES,
    }


def _readable(value: Any) -> Any:
    if isinstance(value, tuple):
        return ", ".join(value) or "off"
    return _URL_CREDENTIALS.sub("", value) if isinstance(value, str) else value
