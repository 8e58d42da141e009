"""How the dialects of upstream servers differ."""

from __future__ import annotations

from app.accounts.kinds import KINDS, RESTRICTED_KINDS
from app.translation.requests.dialects import DIALECTS, Dialect


def test_every_kind_has_a_known_dialect() -> None:
    assert {kind.dialect for kind in KINDS.values()} <= set(DIALECTS)


def test_kinds_of_the_restricted_dialect() -> None:
    """Only the backend of ChatGPT takes a few fields alone."""
    assert RESTRICTED_KINDS == ("chatgpt",)
    assert [dialect for dialect in DIALECTS if dialect.is_restricted] == [Dialect.CHATGPT]


def test_only_the_openai_api_takes_custom_tools_in_chat() -> None:
    assert [dialect for dialect in DIALECTS if dialect.takes_custom_tools] == [Dialect.OPENAI]
