"""Compression, for clients that accept it: of pages only where no text of the URL is next to a secret."""

from __future__ import annotations

import gzip

import pytest

from tests.support.admin import Visitor

STYLES = "/admin/static/poolgate.css"
ACCEPTING = {"Accept-Encoding": "gzip, deflate, br"}


@pytest.mark.parametrize("path", [STYLES, "/admin/static/poolgate.js", "/admin/static/icon.svg"])
def test_a_static_file(inside: Visitor, path: str) -> None:
    plain, compressed = inside.get(path), inside.get(path, headers=ACCEPTING)

    assert gzip.decompress(compressed.data) == plain.data
    assert len(compressed.data) < len(plain.data)
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert int(compressed.headers["Content-Length"]) == len(compressed.data)
    assert {response.headers["Vary"] for response in (plain, compressed)} == {"Accept-Encoding"}
    assert compressed.headers["ETag"] != plain.headers["ETag"]


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "identity"])
def test_only_for_clients_that_accept_it(inside: Visitor, accepted: str) -> None:
    assert "Content-Encoding" not in inside.get(STYLES, headers={"Accept-Encoding": accepted}).headers


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_an_unchanged_file_is_not_sent_again(inside: Visitor, encoding: str) -> None:
    headers = {"Accept-Encoding": encoding}
    etag = inside.get(STYLES, headers=headers).headers["ETag"]

    again = inside.get(STYLES, headers={**headers, "If-None-Match": etag})

    assert (again.status_code, again.data) == (304, b"")


def test_the_reference_is_compressed_and_has_no_text_from_its_url(inside: Visitor) -> None:
    plain, compressed = (inside.get("/admin/reference?q=abc1", headers=h) for h in ({}, ACCEPTING))

    assert b"abc1" not in plain.data
    assert len(gzip.decompress(compressed.data)) == len(plain.data)


@pytest.mark.parametrize("path", ["/admin/", "/admin/sign-in", "/admin/static/nothing.css"])
def test_pages_are_never_compressed(inside: Visitor, path: str) -> None:
    assert "Content-Encoding" not in inside.get(path, headers=ACCEPTING).headers
