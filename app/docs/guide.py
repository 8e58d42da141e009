"""
The pages of the guide, as HTML generated from Markdown, and their sections.

Pages link to each other as files (`keys.md#teams`), which forges need; in the HTML, links are addresses under
a root. Anchors of headings are those of GitHub.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from app.formatting import name_parts

if TYPE_CHECKING:
    from markdown_it.token import Token

FOLDER = Path(__file__).parent
# The order of the pages, under the headings of the table of contents.
GROUPS = {
    "First steps": ("getting-started", "clients", "client-configurations"),
    "Set up": ("accounts", "keys", "model-routes", "setup-files"),
    "Operate": ("deploy", "administration", "usage", "monitoring", "alerts", "security", "sizing"),
    "Reference": ("endpoints", "reliability", "errors", "settings", "cli", "comparison"),
}
MAX_UNBROKEN = 16  # characters of inline code that stay on one line
_FILE = re.compile(r"([\w-]+)\.md(#.*)?")


@dataclass(frozen=True, slots=True)
class Section:
    """The text from one heading to the next, without markup."""

    page: str
    title: str
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page; its first section is that of the title."""

    name: str
    title: str
    html: str
    sections: tuple[Section, ...]


@cache
def pages(root: str) -> dict[str, Page]:
    """Return all pages by name, in order; their links begin with *root*, such as "/docs"."""
    names = (name for group in GROUPS.values() for name in group)
    return {name: _page(name, (FOLDER / f"{name}.md").read_text(encoding="utf-8"), root) for name in names}


def anchor_of(heading: str) -> str:
    """Return the anchor of *heading*, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")


def _page(name: str, markdown: str, root: str) -> Page:
    from markdown_it import MarkdownIt  # imported here: used once, by few processes

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("code_inline", _render_code)
    tokens = parser.parse(markdown)
    sections = tuple(_sections(name, tokens))
    for token in _all(tokens):
        if token.type == "link_open" and (linked := _FILE.fullmatch(str(token.attrs["href"]))):
            token.attrs["href"] = f"{root}/{linked[1]}{linked[2] or ''}"
        elif token.type == "table_open":
            token.attrs["tabindex"] = "0"  # makes tables scroll, also by keyboard, like code
    html: str = parser.renderer.render(tokens, parser.options, {})
    html = html.replace("<pre>", '<pre tabindex="0">').replace("<th></th>", "<td></td>")  # not a heading
    return Page(name, sections[0].title, html, sections)


def _render_code(_: object, tokens: Sequence[Token], index: int, *__: object) -> str:
    """Return inline code as HTML, in which a long name may break between its parts only."""
    text = tokens[index].content
    parts = name_parts(text) if len(text) > MAX_UNBROKEN else [text]
    return f"<code>{'<wbr>'.join(map(escape, parts))}</code>"


def _sections(name: str, tokens: Sequence[Token]) -> Iterator[Section]:
    """Yield the sections of *tokens*, and give anchors to their headings."""
    title, anchor, texts = "", "", list[str]()
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            if title:
                yield Section(name, title, anchor, " ".join(texts))
            title, texts = _text(tokens[index + 1]), []
            token.attrs["id"] = anchor = anchor_of(title)
        elif token.type == "inline" and tokens[index - 1].type != "heading_open":
            texts.append(_text(token))
        elif token.type == "fence":
            texts.append(token.content)
    yield Section(name, title, anchor, " ".join(texts))


def _text(inline: Token) -> str:
    parts = inline.children or ()
    return "".join(" " if part.type == "softbreak" else part.content for part in parts)


def _all(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or ())
