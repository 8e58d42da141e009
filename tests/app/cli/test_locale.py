"""Files of Poolgate are UTF-8, whatever the locale is, also if Python does not replace it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.wiring import Services

ROOT = Path(__file__).parents[3]
RUN = "from app.cli import main; main(prog_name='poolgate')"
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    "args", [("key", "list"), ("ops", "grafana"), ("doctor", "states"), ("key", "--help")]
)
def test_commands_in_a_locale_of_ascii(environ: dict[str, str], services: Services, args: tuple[str, ...]):
    services.pools.ensure("default")
    services.api_keys.create("default", "ann", owner="山田")

    ended = subprocess.run(
        [sys.executable, "-c", RUN, *args],
        cwd=ROOT,
        env={**os.environ, **environ, **ASCII},
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout


def text_files_without_encoding(source: str) -> list[int]:
    """Return the lines of calls that read or write a text in the encoding of the locale."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [
        call.lineno
        for call in calls
        if is_text(call) and "encoding" not in {one.arg for one in call.keywords}
    ]


def is_text(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr in ("read_text", "write_text")
    modes = [one.value for one in call.keywords if one.arg == "mode"] + call.args[1:2]
    is_binary = any(isinstance(mode, ast.Constant) and "b" in str(mode.value) for mode in modes)
    return isinstance(call.func, ast.Name) and call.func.id == "open" and not is_binary


def test_every_text_file_has_an_encoding():
    assert text_files_without_encoding(
        "open('x')\nopen('x', 'rb')\nopen('x', encoding='utf-8')\np.read_text()"
    ) == [1, 4]

    found = {
        str(file.relative_to(ROOT)): lines
        for folder in ("app", "schemas", "workers")
        for file in (ROOT / folder).rglob("*.py")
        if (lines := text_files_without_encoding(file.read_text(encoding="utf-8")))
    }
    assert found == {}
