"""README, guide and the pages in `.github` name what is there: keys, scripts, modules, files, other pages."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from app.docs.guide import anchor_of
from app.stores import keys
from app.stores.scripts import PARTS

ROOT = Path(__file__).parents[1]
GUIDE = sorted((ROOT / "app" / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", *sorted((ROOT / ".github").glob("*.md")), *GUIDE]
ARCHITECTURE = (ROOT / ".github" / "ARCHITECTURE.md").read_text()
# Outside `keys.py`: a string after a root, in a format or with the prefix "pg:"; suffixes such as ":told".
STORE_FILES = sorted(
    file
    for file in (ROOT / "app" / "stores").rglob("*.*")
    if file.suffix in (".py", ".lua") and file.name != "keys.py"
)
KEY_NAMES = re.compile(
    r"""(?:\broot|KEYS\[1\]|\broot\([^()]*\)) (?:\.\.|\+) ['"]([a-z:-]+)['"]"""
    r"""|(?:string\.format\('%s|"(?=pg:))([a-z-]+:[a-z]*)"""
)
KEY_SUFFIXES = re.compile(r"""(?:\.\.|\+) ['"](:[a-z-]+)['"]""")
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


def test_every_key_that_is_built_elsewhere_is_described() -> None:
    names, suffixes = set(), set()
    for file in STORE_FILES:
        text = file.read_text()
        names |= {first or second for first, second in KEY_NAMES.findall(text)}
        suffixes |= set(KEY_SUFFIXES.findall(text))
    described = {name.rpartition("}:")[2].partition("<")[0] for name in cells(1)}

    assert {"ready:", "ans:bytes", "op-ses:", "virtual-clock", "pg:probe", "roll:"} <= names
    assert names - described == set()
    assert suffixes >= {":told", ":asked"}
    assert {
        each for each in suffixes if not any(name.endswith(each) for name in cells(1) | cells(3))
    } == set()


@pytest.mark.parametrize("kind", ["scripts", "parts"])
def test_every_script_is_described(kind: str) -> None:
    names = set(PARTS) if kind == "scripts" else {part for parts in PARTS.values() for part in parts}

    assert names - cells(1) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_exist(page: Path) -> None:
    missing = [place for place in PLACES.findall(page.read_text()) if not (ROOT / place).exists()]

    assert missing == []


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of *page*, as forges make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return set(map(anchor_of, headings))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_exist(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)]+)\)", page.read_text()):
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_the_readme_links_to_every_page_of_the_guide() -> None:
    linked = re.findall(r"\]\((app/docs/[\w-]+\.md)\)", (ROOT / "README.md").read_text())

    assert sorted(set(linked)) == sorted(str(page.relative_to(ROOT)) for page in GUIDE)


@pytest.mark.parametrize("script", ["run", "quick"])
def test_the_tests_that_scripts_name_exist(script: str) -> None:
    text = (ROOT / ".ci" / script).read_text()
    named = [
        begin + each + end
        for begin, middle, end in re.findall(r"\b(tests/[\w/]*)(?:\{([\w,]+)\})?([\w/.]*)", text)
        for each in middle.split(",")
    ]

    assert len(named) >= 3
    assert [name for name in named if not (ROOT / name).exists()] == []
