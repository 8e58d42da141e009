"""The guide is served without the admin pages, so it has copies of their icon and colours."""

from __future__ import annotations

import re
from pathlib import Path

APP = Path(__file__).parents[3] / "app"
ADMIN, GUIDE = APP / "admin" / "static", APP / "docs" / "static"
SHARED = {"ink", "muted", "line", "accent", "nav", "nav-ink"}


def colours(sheet: Path) -> list[dict[str, str]]:
    """Return the colours for light and for dark, by name."""
    light, _, rest = sheet.read_text().partition("@media (prefers-color-scheme: dark)")
    dark = rest.partition("}\n}")[0]
    return [dict(re.findall(r"--([\w-]+): (#\w+)", text)) for text in (light, dark)]


def test_the_same_icon() -> None:
    assert (GUIDE / "icon.svg").read_bytes() == (ADMIN / "icon.svg").read_bytes()


def test_the_same_colours() -> None:
    for guide, admin in zip(colours(GUIDE / "guide.css"), colours(ADMIN / "poolgate.css"), strict=True):
        assert {name: guide[name] for name in SHARED} == {name: admin[name] for name in SHARED}
