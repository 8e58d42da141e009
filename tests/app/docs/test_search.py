"""The search of the guide: what newcomers and operators find, and how sections are ranked."""

from __future__ import annotations

import pytest

from app.docs.guide import Section, anchor_of, pages
from app.docs.search import EXCERPT_CHARS, MAX_HITS, MAX_QUERY_CHARS, search_sections

ALL = tuple(section for page in pages("/docs").values() for section in page.sections)


def section(title: str, text: str) -> Section:
    return Section("page", title, anchor_of(title), text)


def addresses(query: str) -> list[str]:
    """Return the addresses that a search finds, such as `keys#limits`."""
    return [f"{hit.section.page}#{hit.section.anchor}" for hit in search_sections(query, ALL)]


def test_all_words_are_in_a_section() -> None:
    first, *_ = search_sections("idempotency-key ten minutes replayed", ALL)

    assert first.section.anchor == "repeats-of-a-request"


def test_words_in_the_title_come_first() -> None:
    first, second = section("Other", "teams teams teams"), section("Teams", "none")

    assert [hit.section for hit in search_sections("TEAMS", ((first, second)))] == [second, first]


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
        ("rescued", "accounts#the-list-of-accounts"),
        ("lease_expired", "errors#lease_expired"),
        ("599", "errors#lease_expired"),
        ("too busy or too slow", "errors#store_unavailable"),
        ("redis down", "reliability#without-redis"),
        ("stream interrupted midway", "errors#stream_incomplete"),
        ("timeout", "reliability#timeouts"),
        ("timeout slow model", "reliability#timeouts"),
    ],
)
def test_what_a_newcomer_searches_for(query: str, first: str) -> None:
    assert addresses(query)[0] == first


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("codex config", "clients#codex-cli"),
        ("rate limit per user", "keys#limits"),
        ("rotate key", "keys#keys"),
        ("account exhausted", "errors#usage_limit_reached"),
        ("price unknown model", "keys#limits"),
        ("prices", "keys#prices"),
        ("backup", "deploy#backup"),
        ("sso", "administration#single-sign-on"),
        ("azure", "accounts#add-an-account"),
        ("embedding", "endpoints#endpoints"),
        ("slow", "reliability#timeouts"),
        ("stream stops", "errors#stream_incomplete"),
        ("503", "errors#no_accounts"),
        ("retry", "reliability#fallbacks-and-retries"),
        ("queue", "reliability#waiting-for-an-account"),
        ("invite colleague", "administration#invitations"),
        ("disable user", "keys#keys"),
        ("cost per team", "keys#keys-teams-and-limits"),
        ("load balancing", "reliability#routing-policies"),
        ("langchain", "client-configurations#langchain"),
    ],
)
def test_what_an_operator_searches_for(query: str, expected: str) -> None:
    """It is among the first three."""
    assert expected in addresses(query)[:3]


def test_rare_words_weigh_more() -> None:
    frequent = [section(f"Title {number}", "account") for number in range(9)]
    rare = section("Title", "quota")

    assert search_sections("account quota", [*frequent, rare])[0].section == rare


def test_words_begin_at_words() -> None:
    """As prefixes; a plural is also found as the singular."""
    assert not search_sections("cut", [section("Title", "executed")])
    assert search_sections("prices", [section("Title", "a price")])
    assert search_sections("embedding", [section("Title", "/v1/embeddings")])
    assert not search_sections("redis", [section("Title", "redirected")])


def test_sections_with_more_words_come_first() -> None:
    """Those with less than half of the words are found only if no section has more."""
    one, two, all_words = (section("Title", text) for text in ("alpha", "alpha beta", "gamma beta alpha"))

    assert [hit.section for hit in search_sections("alpha beta gamma", ((one, two, all_words)))] == [
        all_words,
        two,
    ]
    assert [hit.section for hit in search_sections("alpha x y", ((one, section("Title", "z"))))] == [one]


def test_synonyms() -> None:
    (hit,) = search_sections("spend", ([section("Title", "what it costs")]))

    assert [text for text, found in hit.excerpt if found] == ["cost"]


def test_common_words_are_left_out() -> None:
    hits = search_sections("how do I limit a key to tokens", ALL)

    assert hits == search_sections("limit key tokens", ALL)
    assert hits


def test_a_query_of_common_words_alone() -> None:
    assert search_sections("the", ALL)


def test_the_excerpt_marks_the_words() -> None:
    long = section("Title", "x " * 200 + "a Key of <Redis> " + "y " * 200)

    (hit,) = search_sections("redis key", ((long,)))

    assert [text for text, found in hit.excerpt if found] == ["Key", "Redis"]
    assert sum(len(text) for text, _ in hit.excerpt) <= 2 * EXCERPT_CHARS + 2
    assert "".join(text for text, _ in hit.excerpt).strip("…") in long.text


@pytest.mark.parametrize("query", ["", "  ", "word-that-is-nowhere", "(", "\\", "[a-z]", "\x00"])
def test_nothing(query: str) -> None:
    assert search_sections(query, ([section("Title", "text")])) == []


def test_bounds() -> None:
    many = [section("Title", f"a text {number}") for number in range(MAX_HITS + 10)]

    assert len(search_sections("text", many)) == MAX_HITS
    assert len(search_sections("text" + " " * MAX_QUERY_CHARS + "missing", many)) == MAX_HITS


def test_the_excerpt_is_around_the_rarest_word() -> None:
    many = [section(f"Title {number}", "account") for number in range(9)]
    long = section("Title", "accounts " * 50 + "have a POOLGATE_TIMEOUT")

    (hit, *_) = search_sections("account timeout", [*many, long])

    assert hit.excerpt[-1] == ("TIMEOUT", True)
    assert hit.excerpt[1] == ("account", True)
