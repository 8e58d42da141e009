"""Names and prose use the words of the field: see the glossary in `.github/CONTRIBUTING.md`."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Words that are in no name: each has a plain equivalent in the glossary.
NOT_IN_NAMES = {
    *(
        "told",
        "tell",
        "tells",
        "said",
        "say",
        "says",
        "asked",
        "ask",
        "asks",
        "asking",
        "wish",
        "wished",
        "wanted",
    ),
    *("beside", "anew", "mend", "mended", "mends", "whoever", "nobody", "somebody", "kept", "keeps"),
    *(
        "manner",
        "manners",
        "errand",
        "errands",
        "visit",
        "visits",
        "door",
        "doors",
        "desk",
        "office",
        "patience",
    ),
    *("keeper", "whole", "mine", "ours"),
}
# A method of files, and a public setting of pools.
# `mend` and `asked` are JSON fields, of a diagnostic and of an outcome, in the records that describe these.
ALLOWED_NAMES = {"tell", "tells_windows", "mend", "asked"}
# `booked` is a JSON field of the differences that the check of a ledger finds.
NOT_IN_TEST_NAMES = NOT_IN_NAMES | {"book", "books", "booked", "wishes", "want", "wants"}
ALLOWED_TEST_NAMES = ALLOWED_NAMES | {"booked"}

NOT_IN_PROSE = re.compile(
    r"\b(told|tells?|telling|said|says?|saying|asked|asks?|asking|wish|wishes|wanted|wants|beside|anew|mend|mends"
    r"|mended|whoever|whomever|nobody|somebody|nobody's|kept|keeps|manners?|errands?|visits?|doors?|desk|office"
    r"|patience|keepers?|(?<!all )(?<!each )(?<!any )(?<!none )of (it|them)|of whom|of theirs)\b",
    re.IGNORECASE,
)
CODE = re.compile(r"`[^`]*`")
PROSE_FILES = (".py", ".lua", ".html", ".md", ".conf", ".service", ".yml", ".json")
LOOSE_FILES = (
    "README.md",
    "gunicorn.conf.py",
    ".importlinter",
    ".pre-commit-config.yaml",
    ".ci/run",
    ".ci/quick",
)

# Lines with such a word in another sense: quotations, stored values and fields, a question to an operator.
LINES_LEFT = {"app/admin": 3, "app/api": 1, "app/ledger": 2, "app/deployment": 1}


def room_of(file: Path) -> str:
    parts = file.relative_to(ROOT).parts[:-1]
    return "/".join(parts[:2]) or file.name


def files() -> list[Path]:
    found = [file for room in ("app", "schemas", "workers") for file in (ROOT / room).rglob("*")]
    found = [file for file in found if file.suffix in PROSE_FILES]
    return sorted([*found, *(ROOT / ".github").glob("*.md"), *(ROOT / name for name in LOOSE_FILES)])


def words(name: str) -> set[str]:
    """Return the parts of a name: `isToldTo_whom` is made of is, told, to and whom."""
    return {each.lower() for each in re.split(r"_|(?<=[a-z0-9])(?=[A-Z])", name)}


def names_in_python(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every name in a module, those in f-strings' code as well."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], token.string


def names_in_lua(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every local name, parameter and loop variable of a script."""
    declared = re.compile(
        r"\blocal (?!function)([\w, ]+)|\bfunction *\w*\(([\w, ]*)\)|\bfor ([\w, ]+?) (?:in|=)"
    )
    for number, line in enumerate(text.splitlines(), 1):
        for match in declared.finditer(line.partition("--")[0]):
            for name in re.findall(r"\w+", " ".join(each or "" for each in match.groups())):
                yield number, name
        for name in re.findall(r"\bfunction (\w+)", line):
            yield number, name


def prose_in_python(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of comments, docstrings and other strings of more than one word."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            for number, line in enumerate(token.string.splitlines(), token.start[0]):
                if token.type == tokenize.COMMENT or " " in line.strip():
                    yield number, line


def prose(file: Path) -> Iterator[tuple[int, str]]:
    text = file.read_text()
    if file.suffix == ".py":
        yield from prose_in_python(text)
        return
    for number, line in enumerate(text.splitlines(), 1):
        if file.suffix != ".lua":
            yield number, line
        elif "--" in line:
            yield number, line.partition("--")[2]


def over(found: dict[str, list[str]], left: dict[str, int]) -> str:
    rooms = {room: places for room, places in found.items() if len(places) > left.get(room, 0)}
    return "\n".join(
        f"{room}: {len(places)}, at most {left.get(room, 0)} expected\n  " + "\n  ".join(places)
        for room, places in rooms.items()
    )


def bad_names() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file in files():
        if file.suffix not in (".py", ".lua"):
            continue
        names = names_in_python if file.suffix == ".py" else names_in_lua
        for line, name in names(file.read_text()):
            if words(name) & NOT_IN_NAMES and name not in ALLOWED_NAMES:
                found.setdefault(room_of(file), []).append(f"{file.relative_to(ROOT)}:{line}: {name}")
    return found


def bad_names_of_tests() -> list[str]:
    return [
        f"{file.relative_to(ROOT)}:{line}: {name}"
        for file in sorted((ROOT / "tests").rglob("*.py"))
        for line, name in names_in_python(file.read_text())
        if words(name) & NOT_IN_TEST_NAMES and name not in ALLOWED_TEST_NAMES
    ]


def bad_lines() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file in files():
        for number, line in prose(file):
            if NOT_IN_PROSE.search(CODE.sub("", line)):
                found.setdefault(room_of(file), []).append(
                    f"{file.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
                )
    return found


def test_names() -> None:
    report = over(bad_names(), {})
    assert not report, report


def test_names_of_tests() -> None:
    assert not bad_names_of_tests()


def test_prose() -> None:
    report = over(bad_lines(), LINES_LEFT)
    assert not report, report


class TestTheSearch:
    def test_names(self) -> None:
        assert [name for _, name in names_in_python("told = f'{asked}'  # wish")][:1] == ["told"]
        assert words("wasToldBy_whom2Ask") == {"was", "told", "by", "whom2", "ask"}

    def test_lua(self) -> None:
        text = "local told, n = 1 -- wish\nlocal function tell(whom) end\nfor _, desk in ipairs(t) do end"
        assert {name for _, name in names_in_lua(text)} >= {"told", "n", "tell", "whom", "desk"}

    def test_prose(self) -> None:
        assert [line for line, _ in prose_in_python('x = "told"\ny = "was told"  # asked')] == [2, 2]
