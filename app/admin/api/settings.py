"""What is in force: settings of this installation, without what is secret."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version

from flask import Blueprint, Response

from app.admin.api import asking
from app.admin.api.asking import answer
from app.admin.services import services
from app.pool.pools import POLICIES
from schemas.admin import NoQuery

bp = Blueprint("settings", __name__, url_prefix="/settings")

NO_QUERY = NoQuery()
TOLD = (
    *("bind", "port", "workers", "log_level", "originator", "user_agent"),
    *("openai_base_url", "chatgpt_base_url", "oauth_issuer"),
    *("max_body_bytes", "max_responses_body_bytes", "store_timeout_seconds"),
    *("graceful_timeout_seconds", "slow_client_seconds", "admin"),
)


@bp.get("")
def show() -> Response:
    """What this process was started with; a pool's own settings are at `/pools/<pool>`."""
    asking.query(NO_QUERY)
    settings = services().settings
    told = {name: getattr(settings, name) for name in TOLD if hasattr(settings, name)}
    return answer(
        {
            "version": version("poolgate"),
            "settings": told,
            "time_limits": asdict(settings.limits),
            "policies": POLICIES,
        }
    )
