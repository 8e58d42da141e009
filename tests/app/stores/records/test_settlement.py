"""The arguments of the scripts that record how attempts and requests ended."""

from __future__ import annotations

from app.stores.records.settlement import AttemptReport, Outcome, Settlement


def test_reports() -> None:
    outcome = Outcome({"ok": True}, exceeded="{}")

    assert AttemptReport(2, outcome, {"cost": 1}, ["a"], []).arguments() == {
        "attempt": 2,
        "mark": {"ok": True, "exceeded": "{}"},
        "tried": ["a"],
        "never": [],
        "may_wait": False,
        "charge": {"cost": 1},
    }
    assert "charge" not in AttemptReport(1).arguments()


def test_settlements() -> None:
    assert Settlement("r", Outcome(), {"id": "r"}, {}, "o", "c").arguments() == {
        "id": "r",
        "mark": {},
        "row": {"id": "r"},
        "calendar": {},
        "ownership": "o",
        "conversation": "c",
    }
