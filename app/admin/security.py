"""The page where operators look after their own sign-in."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template

from app.admin.guard import operator
from app.admin.services import services

bp = Blueprint("security", __name__, url_prefix="/admin/security")


@bp.get("")
def show() -> Any:
    doors = services().doors
    return render_template(
        "security.html",
        me=doors.operators.find(operator()),
        sessions=doors.sessions.all(operator()),
        this=g.session.id,
    )
