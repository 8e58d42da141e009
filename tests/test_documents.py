"""The pages in `.github` name what is there: keys, scripts, parts, modules and recipes' files."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from app.stores import keys
from app.stores.scripts import PARTS

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / ".github").glob("*.md"))
ARCHITECTURE = (ROOT / ".github" / "ARCHITECTURE.md").read_text()
PLACES = re.compile(r"`((?:app|schemas|workers|tests|\.ci|\.github)/[\w./-]*)`")


def cells(column: int) -> set[str]:
    """Return the names in backticks in a column of all tables of the architecture page."""
    rows = [line.split("|") for line in ARCHITECTURE.splitlines() if line.startswith("|")]
    return {name for row in rows if len(row) > column for name in re.findall(r"`([^`]+)`", row[column])}


def test_every_key_is_described() -> None:
    functions = {
        name
        for name, each in inspect.getmembers(keys, inspect.isfunction)
        if each.__module__ == keys.__name__
    }

    assert functions - {"root"} - cells(2) == set()


def test_every_key_that_only_scripts_use_is_described() -> None:
    text = (ROOT / "app" / "stores" / "lua" / "keys.lua").read_text()
    names = set(re.findall(r"root \.\. '([a-z:-]+)'", text))
    described = {re.sub(r"<.*", "", name) for name in cells(1)} | {
        name.rpartition("}:")[2] for name in cells(1)
    }
    described |= {name.rpartition("}:")[2].partition("<")[0] for name in cells(1)}

    assert names - described == set()


@pytest.mark.parametrize("kind", ["scripts", "parts"])
def test_every_script_is_described(kind: str) -> None:
    names = set(PARTS) if kind == "scripts" else {part for parts in PARTS.values() for part in parts}

    assert names - cells(1) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_exist(page: Path) -> None:
    missing = [place for place in PLACES.findall(page.read_text()) if not (ROOT / place).exists()]

    assert missing == []


def test_links_exist() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
