"""What is not known must not look like what is known to be sound."""

from __future__ import annotations

from typing import Any

from tests.supply.audit import verdict

SOUND: dict[str, Any] = {"name": "flask", "version": "3.1", "vulns": []}
UNKNOWN = {"name": "gevent", "skip_reason": "Dependency not found"}
OWN = {"name": "poolgate", "skip_reason": "Dependency not found"}
HOLE = {"name": "jinja2", "version": "2.10", "vulns": [{"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"]}]}


def test_a_hole() -> None:
    assert verdict({"dependencies": [SOUND, UNKNOWN, HOLE]}) == (
        1,
        "jinja2 2.10: PYSEC-2019-217, fixed in 2.10.1",
    )


def test_no_registry_answered() -> None:
    status, reply = verdict({"dependencies": [UNKNOWN, OWN]})

    assert status == 0
    assert reply.startswith("not checked")


def test_some_answered() -> None:
    assert verdict({"dependencies": [SOUND, UNKNOWN, OWN]}) == (
        0,
        "1 of 2 packages checked, no known hole",
    )
