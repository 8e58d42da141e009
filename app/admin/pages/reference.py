"""The reference of the admin API, generated from its OpenAPI document."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from markupsafe import escape

from app.admin.api.openapi import ABOUT, build_document
from app.docs import guide, reference
from app.docs.code_samples import ORIGIN

PAGE = "/admin/reference"

bp = Blueprint(
    "reference",
    __name__,
    url_prefix=PAGE,
    template_folder=str(guide.FOLDER / "templates"),
    static_folder=str(guide.FOLDER / "static"),
)


@bp.get("")
def show() -> str:
    """Show every operation with its fields and examples."""
    document = build_document()
    page = render_template(
        "guide/admin_api.html",
        about=ABOUT,
        assets=f"{PAGE}/static",
        reference=reference.groups(document),
        security=document["components"]["securitySchemes"],
        credential="An admin token",
    )
    return page.replace(ORIGIN, str(escape(request.host_url.rstrip("/"))))
