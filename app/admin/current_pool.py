"""The pool that a page belongs to."""

from __future__ import annotations

from flask import g, session

from app.accounts.pools import DEFAULT


def current_pool() -> str:
    """Return the pool in this page's address; for a page without one, the pool that was viewed last."""
    pool: str = g.get("pool") or session.get("pool") or DEFAULT
    return pool
