"""`app.wsgi`, whose WebSocket connections send a ping twice a second."""

from __future__ import annotations

from functools import partial
from typing import Any

from app.websocket import registry

module: Any = registry
module.ConnectionLimits = partial(registry.ConnectionLimits, ping_seconds=0.5)

from app.wsgi import app  # noqa: E402

__all__ = ["app"]
