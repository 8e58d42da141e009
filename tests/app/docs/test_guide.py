"""Pages of the guide as HTML, and the search over them."""

from __future__ import annotations

import re

import pytest

from app.docs.guide import (
    EXCERPT_CHARS,
    FOLDER,
    GROUPS,
    MAX_HITS,
    MAX_QUERY_CHARS,
    Section,
    anchor_of,
    pages,
    search,
)

ALL = tuple(section for page in pages("/docs").values() for section in page.sections)


def section(title: str, text: str) -> Section:
    return Section("page", title, anchor_of(title), text)


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


class TestSearch:
    def test_all_words_are_in_a_section(self) -> None:
        first, *_ = search("idempotency-key ten minutes replayed", iter(ALL))

        assert first.section.anchor == "repeats-of-a-request"

    def test_words_in_the_title_come_first(self) -> None:
        first, second = section("Other", "teams teams teams"), section("Teams", "none")

        assert [hit.section for hit in search("TEAMS", iter((first, second)))] == [second, first]

    @pytest.mark.parametrize(
        ("query", "first"),
        [
            ("base url", "clients#base-url-and-api-key"),
            ("api key", "clients#base-url-and-api-key"),
            ("limit", "keys#limits"),
            ("codex", "clients#codex-cli"),
            ("price", "keys#prices"),
            ("429", "errors#rate_limit_exceeded"),
            ("docker", "deploy#containers"),
            ("nginx", "deploy#nginx"),
            ("metrics", "monitoring#logs-and-metrics"),
            ("forgot password", "administration#pages"),
            ("spend alert slack", "alerts#alerts"),
            ("price unknown model", "keys#limits"),
            ("rescued", "accounts#the-list-of-accounts"),
            ("redis down", "reliability#without-redis"),
            ("stream interrupted midway", "errors#stream_incomplete"),
        ],
    )
    def test_what_a_newcomer_searches_for(self, query: str, first: str) -> None:
        found = search(query, iter(ALL))[0].section

        assert f"{found.page}#{found.anchor}" == first

    def test_explanations_of_what_lists_have_as_well(self) -> None:
        pages_found = [hit.section.page for hit in search("timeout slow model", iter(ALL))[:3]]

        assert {"reliability", "accounts"} <= set(pages_found)

    def test_sections_with_more_words_come_first(self) -> None:
        """Those with less than half of the words are found only if no section has more."""
        one, two, all_words = (section("Title", text) for text in ("alpha", "alpha beta", "gamma beta alpha"))

        assert [hit.section for hit in search("alpha beta gamma", iter((one, two, all_words)))] == [
            all_words,
            two,
        ]
        assert [hit.section for hit in search("alpha x y", iter((one, section("Title", "z"))))] == [one]

    def test_synonyms(self) -> None:
        (hit,) = search("spend", iter([section("Title", "what it costs")]))

        assert [text for text, found in hit.excerpt if found] == ["cost"]

    def test_common_words_are_left_out(self) -> None:
        hits = search("how do I limit a key to tokens", iter(ALL))

        assert hits == search("limit key tokens", iter(ALL))
        assert hits

    def test_a_query_of_common_words_alone(self) -> None:
        assert search("the", iter(ALL))

    def test_the_excerpt_marks_the_words(self) -> None:
        long = section("Title", "x " * 200 + "a Key of <Redis> " + "y " * 200)

        (hit,) = search("redis key", iter((long,)))

        assert [text for text, found in hit.excerpt if found] == ["Key", "Redis"]
        assert sum(len(text) for text, _ in hit.excerpt) <= 2 * EXCERPT_CHARS + 2
        assert "".join(text for text, _ in hit.excerpt).strip("…") in long.text

    @pytest.mark.parametrize("query", ["", "  ", "word-that-is-nowhere", "(", "\\", "[a-z]", "\x00"])
    def test_nothing(self, query: str) -> None:
        assert search(query, iter([section("Title", "text")])) == []

    def test_bounds(self) -> None:
        many = [section("Title", f"a text {number}") for number in range(MAX_HITS + 10)]

        assert len(search("text", iter(many))) == MAX_HITS
        assert len(search("text" + " " * MAX_QUERY_CHARS + "missing", iter(many))) == MAX_HITS
