"""The texts of the user guide, for tests that compare them with the code, and its code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "app" / "docs"
MAX_TITLE_CHARS = 40
GENERATED = ("cli", "client-configurations")  # tests compare them with what they are generated from
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A code block of a page; `language` is '' for a drawing."""

    page: str
    language: str
    text: str

    @property
    def title(self) -> str:
        """The beginning of its first line."""
        return self.text.strip().partition("\n")[0][:MAX_TITLE_CHARS].strip()


def page(name: str) -> str:
    """Return the Markdown of the page *name*, such as "settings"."""
    return (GUIDE / f"{name}.md").read_text()


def blocks() -> Iterator[Block]:
    """Yield the blocks of the README and of all pages that are not GENERATED."""
    files = [ROOT / "README.md", *(file for file in sorted(GUIDE.glob("*.md")) if file.stem not in GENERATED)]
    for file in files:
        for found in _FENCED.finditer(file.read_text()):
            yield Block(file.stem, found[1], found[2])


def block(name: str, language: str) -> str:
    """Return the text of the only block of a page in *language*."""
    (text,) = (one.text for one in blocks() if (one.page, one.language) == (name, language))
    return text
