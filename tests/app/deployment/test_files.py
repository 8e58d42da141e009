"""Dashboard and alerts speak of what /metrics has, in expressions that Prometheus understands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib import resources
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli import main
from app.cli.ops import FILES
from tests.support.guide import page

TABLE = dict(re.findall(r"^\| `(poolgate_[a-z_]+)` \| (.*?) \|", page("monitoring"), re.M))
WORD = re.compile(r"poolgate_[a-z_]+")
PROMTOOL = shutil.which("promtool")


def printed(what: str) -> str:
    result = CliRunner().invoke(main, ["ops", what])
    assert result.exit_code == 0, result.output
    return result.output


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(printed("grafana"))
    return found


def expressions() -> list[str]:
    """Of the dashboard and of the alerts; those lie on one line, or indented under `expr: |`."""
    found = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    for match in re.finditer(r"^ +expr: (\|\n((?: {10}.*\n)+)|.*\n)", printed("alerts"), re.M):
        found.append(match[2] or match[1])
    return found


def metric(name: str) -> str:
    return re.sub(r"_(bucket|sum|count)$", "", name)


@pytest.mark.parametrize("what", FILES)
def test_it_is_what_the_package_has(what: str) -> None:
    assert printed(what) == (resources.files("app.deployment") / FILES[what]).read_text()


def test_every_metric_is_in_the_table_of_the_readme() -> None:
    """Which tests/service/test_observing.py holds against /metrics itself."""
    for expression in expressions():
        names = {metric(name) for name in WORD.findall(expression)}
        assert names
        assert names <= TABLE.keys(), expression


def test_every_label_is_one_that_the_metric_has() -> None:
    for expression in expressions():
        named = set(re.findall(r"(\w+)\s*(?:=~|!=|=)\s*\"", expression))
        for group in re.findall(r"by \(([^)]*)\)", expression):
            named |= {label.strip() for label in group.split(",")}
        known = {"le"}.union(
            *(re.findall(r"`(\w+)`", TABLE[metric(name)]) for name in WORD.findall(expression))
        )
        assert named <= known, expression


def test_brackets_are_closed() -> None:
    for expression in expressions():
        for opening, closing in ("()", "[]", "{}"):
            assert expression.count(opening) == expression.count(closing), expression


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian: prometheus) is not installed")
def test_prometheus_takes_the_alerts(tmp_path: Any) -> None:
    rules = tmp_path / "alerts.yml"
    rules.write_text(printed("alerts"))
    for number, panel in enumerate(dashboard()["panels"]):
        expressions = [target["expr"].replace("$__rate_interval", "1m") for target in panel["targets"]]
        lines = [f"  - record: p{number}_{place}\n    expr: {each}" for place, each in enumerate(expressions)]
        (tmp_path / f"{number}.yml").write_text(f"groups:\n- name: g{number}\n  rules:\n" + "\n".join(lines))
    files = [str(path) for path in tmp_path.iterdir()]

    checked = subprocess.run([str(PROMTOOL), "check", "rules", *files], capture_output=True, text=True)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_unit_is_not_roots_and_may_gain_nothing() -> None:
    lines = printed("unit").splitlines()
    assert "User=poolgate" in lines
    assert "NoNewPrivileges=yes" in lines
    stop, drain = (
        int(re.search(rf"{name}=(\d+)", printed("unit"))[1])
        for name in ("TimeoutStopSec", "GRACEFUL_TIMEOUT")
    )  # type: ignore[index]
    assert stop > drain
