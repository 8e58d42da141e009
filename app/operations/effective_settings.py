"""What an installation was started with, without what is secret."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from app.accounts.pools import POLICIES
from app.config import Settings, package_version

READABLE_SETTINGS = (
    *("bind", "port", "web_concurrency", "admin", "log_level", "originator", "user_agent"),
    *("openai_base_url", "chatgpt_base_url", "oauth_issuer"),
    *("max_body_bytes", "max_responses_body_bytes", "store_timeout_seconds"),
    *("graceful_timeout_seconds", "slow_client_seconds"),
)
_CREDENTIALS = re.compile(r"(?<=//)[^/@]*@")  # in front of a URL's host


def in_force(settings: Settings) -> dict[str, Any]:
    told = {name: getattr(settings, name) for name in READABLE_SETTINGS}
    told = {name: _CREDENTIALS.sub("", one) if isinstance(one, str) else one for name, one in told.items()}
    return {
        "version": package_version(),
        "settings": told,
        "time_limits": asdict(settings.limits),
        "policies": POLICIES,
    }
