"""Pages of the guide as HTML."""

from __future__ import annotations

import re

import pytest

from app.docs.guide import FOLDER, GROUPS, pages


def test_every_file_is_in_the_contents() -> None:
    names = [name for group in GROUPS.values() for name in group]

    assert sorted(names) == sorted(file.stem for file in FOLDER.glob("*.md"))
    assert list(pages("/docs")) == names


@pytest.mark.parametrize("name", pages("/docs"))
def test_links_and_anchors(name: str) -> None:
    """Links between pages are addresses, with anchors that exist; nothing is fetched from elsewhere."""
    html = pages("/docs")[name].html

    for target in re.findall(r'href="(?!https://)([^"]+)"', html):
        path, _, anchor = target.partition("#")
        linked = pages("/docs")[path.removeprefix("/docs/") if path else name]
        assert not anchor or f'id="{anchor}"' in linked.html, target
    assert not re.search(r"<(img|script|iframe|link)\b", html)
    for each in pages("/docs")[name].sections:
        assert f'id="{each.anchor}"' in html


def test_anchors_of_a_page_differ() -> None:
    for page in pages("/docs").values():
        anchors = [each.anchor for each in page.sections]
        assert len(set(anchors)) == len(anchors), page.name


def test_long_names_break_between_their_words() -> None:
    """A break leaves no trace in copied text, and none in the search."""
    html = pages("/docs")["settings"].html

    assert "<code>REQUESTS_<wbr>CA_<wbr>BUNDLE</code>" in html
    assert "<code>POOLGATE_BIND</code>" in html
    assert "<wbr>" not in "".join(each.text for each in pages("/docs")["settings"].sections)
