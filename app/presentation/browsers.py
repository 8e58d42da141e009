"""The name of a browser, by the `User-Agent` header that it sends."""

from __future__ import annotations

import re

MAX_CHARS = 60  # of the header of an unknown browser
_BROWSERS = (  # the first one that matches: later ones are also in the headers of earlier ones
    ("Edge", re.compile(r"\bEdgA?/(\d+)")),
    ("Opera", re.compile(r"\bOPR/(\d+)")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/(\d+)")),
    ("Chrome", re.compile(r"\b(?:Headless)?(?:Chrome|CriOS)/(\d+)")),
    ("Safari", re.compile(r"\bVersion/(\d+)\S* (?:Mobile/\S+ )?Safari/")),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iOS", "iPhone"),
    ("iPadOS", "iPad"),
    ("macOS", "Mac OS X"),
    ("ChromeOS", "CrOS"),
    ("Linux", "Linux"),
)


def browser_name(agent: str) -> str:
    """Return `Chrome 126 on Linux` for the header *agent*; the beginning of one that is not known."""
    for name, pattern in _BROWSERS:
        if found := pattern.search(agent):
            system = next((f" on {system}" for system, mark in _SYSTEMS if mark in agent), "")
            return f"{name} {found[1][:4]}{system}"
    return agent[:MAX_CHARS]
