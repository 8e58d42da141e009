"""Estimates of a model's input are corrected by the usage that its upstream reported before."""

from __future__ import annotations

import pytest

from app.limits.input_ratio import MAX_MODELS, InputRatio


def test_nothing_known_changes_nothing() -> None:
    assert InputRatio().ratio("m") == 1.0


def test_the_first_report_counts_fully() -> None:
    calibration = InputRatio()
    calibration.learn("m", 40, 10)

    assert calibration.ratio("m") == 0.25
    assert calibration.ratio("other") == 1.0


def test_later_ones_move_it() -> None:
    calibration = InputRatio()
    calibration.learn("m", 10, 10)
    for _ in range(50):
        calibration.learn("m", 10, 20)

    assert calibration.ratio("m") == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize(("guessed", "actual"), [(0, 10), (10, 0), (0, 0)])
def test_nothing_teaches_nothing(guessed: int, actual: int) -> None:
    calibration = InputRatio()
    calibration.learn("m", guessed, actual)

    assert calibration.ratio("m") == 1.0


def test_names_that_callers_invent_do_not_pile_up() -> None:
    calibration = InputRatio()
    for number in range(MAX_MODELS * 3):
        calibration.learn(f"m{number}", 1, 2)

    assert len(calibration._ratios) <= MAX_MODELS
