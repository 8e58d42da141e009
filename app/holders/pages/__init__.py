"""The pages of a key's holder, each behind a session."""

from __future__ import annotations

from app.holders.guard import protect
from app.holders.pages import clients, models, overview, requests, rotation

BLUEPRINTS = (overview.bp, requests.bp, models.bp, clients.bp, rotation.bp)
for blueprint in BLUEPRINTS:
    protect(blueprint)
