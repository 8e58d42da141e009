"""The reference of the admin API."""

from __future__ import annotations

from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator


def test_every_operation_is_on_the_page(app: Any, inside: Any) -> None:
    with app.test_request_context():
        from app.admin.api.openapi import build_document

        paths = build_document()["paths"]
    page = inside.get("/admin/reference").text

    assert len(paths) > 40
    assert all(path in page for path in paths)
    assert "POOLGATE_TOKEN" in page
    assert "data-csrf=" in page
    assert "gateway.example.com" not in page


def test_its_document_is_valid(app: Any) -> None:
    with app.test_request_context():
        from app.admin.api.openapi import build_document

        OpenAPIV31SpecValidator(build_document()).validate()


def test_its_files(inside: Any) -> None:
    for name in ("guide.css", "reference.css", "reference.js"):
        assert inside.get(f"/admin/reference/static/{name}").status_code == 200
