"""Addresses outside `/admin` that browsers request where the pages have a port of their own."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, url_for

bp = Blueprint("root", __name__)


@bp.get("/")
def home() -> Any:
    """Redirect to the pages."""
    return redirect("/admin/")


@bp.get("/favicon.ico")
def icon() -> Any:
    """Redirect to the icon: browsers request this address for every site."""
    return redirect(url_for("static", filename="icon.svg"), 301)
