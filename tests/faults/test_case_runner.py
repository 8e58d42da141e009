"""Every fault of an upstream, on either surface, streamed and whole, over either wire."""

from __future__ import annotations

import pytest

from tests.faults.case_runner import Setting, settings_of
from tests.faults.cases import CASES
from tests.faults.conftest import Scores

TASKS = [(name, setting) for name, case in CASES.items() for setting in settings_of(case)]


@pytest.mark.parametrize(("name", "setting"), TASKS, ids=[f"{name}-{setting}" for name, setting in TASKS])
def test_the_client_receives_the_complete_response(scores: Scores, name: str, setting: Setting) -> None:
    score = scores.of(name, setting)

    assert (score.verdict, score.remarks) == ("pass", [])
