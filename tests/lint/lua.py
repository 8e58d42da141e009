"""
Lint the Lua scripts as Redis runs them: `python -m tests.lint.lua`.

A file of `app/stores/lua` is a fragment, so luacheck reads each operation joined with what it uses of
its parts; a helper that does not exist is then an undefined variable. Problems are reported once, at the
fragment's own file and line. What no operation uses of a part is reported as well.

Needs luacheck (Debian: lua-check). Status 0: no problems; 1: problems; 3: luacheck is not installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path

from app.stores.script_source import RARE, definitions, join_script
from app.stores.scripts import PARTS

CONFIG = Path(__file__).parents[2] / ".luacheckrc"
NOT_INSTALLED = 3
_PROBLEM = re.compile(r"^(?P<file>.+?):(?P<line>\d+):(?P<column>\d+)(?:-\d+)?: (?P<text>.*)$")


def fragments() -> dict[str, str]:
    """Return the text of each Lua file without marks of rare functions, by its name without the suffix."""
    folder = resources.files("app.stores") / "lua"
    return {each.name.removesuffix(".lua"): each.read_text().replace(RARE, "") for each in folder.iterdir()}


def joined(operation: str, files: Mapping[str, str]) -> str:
    """Return the script of an operation, with each definition on its top level."""
    return join_script((definitions(files[part]) for part in PARTS[operation]), files[operation])


def problems(scripts: Mapping[str, str], files: Mapping[str, str]) -> list[str]:
    """
    Return what luacheck finds in *scripts*, joined texts by operation, each problem once.

    Places are given in *files*, the fragments by name. Raises OSError when luacheck cannot run.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, text in scripts.items():
            (Path(folder) / f"{name}.lua").write_text(text)
        command = ["luacheck", "--config", str(CONFIG), "--no-cache", "--formatter", "plain"]
        command += ["--codes", "--ranges", "."]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ran.returncode > 2:  # 1: warnings, 2: errors in syntax, more: it did not work
        raise OSError(f"luacheck failed: {ran.stderr or ran.stdout}")
    found = (_PROBLEM.match(line.removeprefix("./")) for line in ran.stdout.splitlines())
    return sorted({_placed(each, scripts, files) for each in found if each})


def unused(files: Mapping[str, str], operations: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the definitions in parts that no script of *operations* contains."""
    used = "".join(joined(operation, files) for operation in operations)
    parts = {part for each in operations.values() for part in each}
    return [
        f"{part}.lua: no operation uses {', '.join(definition.names)}"
        for part in sorted(parts)
        for definition in definitions(files[part])
        if definition.text not in used
    ]


def _placed(problem: re.Match[str], scripts: Mapping[str, str], files: Mapping[str, str]) -> str:
    """Return a problem with its place in the fragment that its line came from."""
    operation = problem["file"].removesuffix(".lua")
    number, text = int(problem["line"]), scripts[operation]
    for name, at, definition in _pieces(operation, files):
        start = text.find(definition)
        first = text.count("\n", 0, start) + 1
        if start >= 0 and first <= number < first + definition.count("\n"):
            return f"{name}.lua:{at + number - first}: {problem['text']}"
    return f"{operation}.lua (joined):{number}: {problem['text']}"


def _pieces(operation: str, files: Mapping[str, str]) -> Iterator[tuple[str, int, str]]:
    """Yield what a joined script may be made of: the file's name, the line where it begins, the text."""
    yield operation, 1, files[operation]
    for part in PARTS[operation]:
        for definition in definitions(files[part]):
            before = files[part].partition(definition.text.rstrip("\n"))[0]
            yield part, before.count("\n") + 1, definition.text


def main() -> int:
    if not shutil.which("luacheck"):
        print("luacheck is not installed (Debian: apt-get install lua-check)")
        return NOT_INSTALLED
    files = fragments()
    found = problems({name: joined(name, files) for name in PARTS}, files) + unused(files, PARTS)
    print("\n".join(found) or f"{len(PARTS)} scripts, no problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
