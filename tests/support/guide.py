"""The texts of the user guide, for tests that compare them with the code."""

from __future__ import annotations

from pathlib import Path

GUIDE = Path(__file__).parents[2] / "app" / "docs"


def page(name: str) -> str:
    """Return the Markdown of the page *name*, such as "settings"."""
    return (GUIDE / f"{name}.md").read_text()
