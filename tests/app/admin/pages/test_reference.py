"""The reference of the admin API."""

from __future__ import annotations

import gzip
import re
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


def test_a_first_load_is_small(inside: Any) -> None:
    """As they are sent, compressed."""
    compressed = {"Accept-Encoding": "gzip, br"}
    page = inside.get("/admin/reference", headers=compressed)
    assets = re.findall(r'(?:href|src)="(/[^"]+/static/[^"]+)"', gzip.decompress(page.data).decode())

    assert len(assets) > 3
    loaded = [page, *(inside.get(asset, headers=compressed) for asset in set(assets))]
    assert sum(len(one.data) for one in loaded) < 150_000


def test_what_an_operation_does(inside: Any) -> None:
    page = inside.get("/admin/reference").text

    assert "List completed requests, newest first.</span>" in page
    assert "<p>The newest refused requests are included" in page
    assert page.count("<summary>Response</summary>") > 80


def test_its_document_is_valid(app: Any) -> None:
    with app.test_request_context():
        from app.admin.api.openapi import build_document

        OpenAPIV31SpecValidator(build_document()).validate()


def test_its_files(inside: Any) -> None:
    for name in ("guide.css", "reference.css", "reference.js"):
        assert inside.get(f"/admin/reference/static/{name}").status_code == 200
