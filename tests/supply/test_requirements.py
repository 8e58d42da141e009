"""Every package that the product imports is declared in setup.cfg, with a range."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from configparser import ConfigParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAUNCHER = ROOT / "app" / "launcher" / "__init__.py"
OWN = {"app", "schemas", "workers"}
BOUNDED = (
    "gevent",
    "greenlet",
    "urllib3",
    "werkzeug",
    "markupsafe",
    "redis",
    "gunicorn",
    "flask",
    "requests",
)


def requirements(section: str) -> dict[str, str]:
    """Return distribution (as PyPI compares names) -> its line."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = (
        config["options"]["install_requires"] if section == "" else config["options.extras_require"][section]
    )
    found = (line.strip() for line in lines.splitlines())
    return {normal(re.split(r"[<>=\[;]", line)[0]): line for line in found if line and line[0] != "#"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def imported() -> dict[str, Path]:
    """Return top-level module -> a file that imports it."""
    found = {}
    for folder in OWN:
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.level == 0:
                    names = [node.module or ""]
                found |= {name.partition(".")[0]: file for name in names}
    return {name: file for name, file in found.items() if name not in sys.stdlib_module_names | OWN}


def test_what_is_imported_is_declared():
    declared = set(requirements("")) | set(requirements("otel"))
    distributions = packages_distributions()
    missing = {
        name: str(file)
        for name, file in imported().items()
        if not {normal(one) for one in distributions.get(name, [name])} & declared
    }
    # gunicorn installs a namespace package, and opentelemetry several distributions: any will do
    assert missing == {}


@pytest.mark.parametrize("name", BOUNDED)
def test_where_private_parts_are_used_there_is_an_upper_bound(name):
    assert re.search(r">=[\d.]+,<\d", requirements("")[name])


def test_types_are_shipped():
    assert all((ROOT / folder / "py.typed").exists() for folder in OWN)


class TestForeignPackages:
    """Another project's `app` comes first on PYTHONPATH, or lies where ours was."""

    def test_on_the_path(self, tmp_path):
        (tmp_path / "app").mkdir()
        (tmp_path / "app" / "__init__.py").write_text("raise SystemExit('the foreign one')")
        code = (
            "import importlib.util, sys; sys.argv = ['poolgate', '--help']\n"
            f"spec = importlib.util.spec_from_file_location('launcher', {str(LAUNCHER)!r})\n"
            "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module); module.main()"
        )
        result = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
        )

        assert (result.returncode, result.stderr) == (0, "")
        assert "Usage:" in result.stdout

    def test_overwritten(self, tmp_path):
        folder = tmp_path / "site-packages" / "poolgate_launcher"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(LAUNCHER.read_text())
        (folder.parent / "app").mkdir()
        result = subprocess.run(
            [sys.executable, "-c", "from poolgate_launcher import main; main()"],
            cwd=folder.parent,
            capture_output=True,
            text=True,
        )

        assert result.returncode == 1
        assert result.stderr.startswith("Error: the packages `app`, `schemas` and `workers`")
        assert "Traceback" not in result.stderr
