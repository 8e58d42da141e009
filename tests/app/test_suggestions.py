"""Names that were probably meant."""

from __future__ import annotations

import time

import pytest

from app.suggestions import MAX_NAMES, suggestion

NAMES = ["ann", "bob", "main", "production", "Research", "gpu1", "gpu2"]


@pytest.mark.parametrize(
    ("name", "similar"),
    [
        ("anm", "ann"),  # another letter
        ("mian", "main"),  # swapped letters
        ("man", "main"),  # a letter too few
        ("annn", "ann"),  # one too many
        ("prodcution", "production"),
        ("prod", "production"),  # the beginning
        ("reserach", "Research"),  # letter case does not matter
        ("ANN", "ann"),
    ],
)
def test_a_similar_name(name: str, similar: str) -> None:
    assert suggestion(name, NAMES).startswith(f". Did you mean '{similar}'")


def test_several_similar_names() -> None:
    """The closest first, and then those that begin with it."""
    names = [*NAMES, "gpu33", "gpu3-in-the-east"]

    assert suggestion("gpu3", names) == ". Did you mean 'gpu33' or 'gpu2' or 'gpu1'?"
    assert suggestion("gpu3", names[-2:]) == ". Did you mean 'gpu33' or 'gpu3-in-the-east'?"


@pytest.mark.parametrize("name", ["", "x", "xyz", "annabel", "ann", "of-customers", "n" * 10_000])
def test_no_similar_name(name: str) -> None:
    """A name that is there is no suggestion for itself."""
    assert suggestion(name, NAMES) == ""


def test_as_many_names_as_have_16000_characters_are_compared() -> None:
    """Names of 64 characters are slow to compare; short ones, and beginnings of names, are all considered."""
    long = [f"{'a' * 60}{number:04}" for number in range(MAX_NAMES)]
    short = [f"gpu-{number:04}" for number in range(MAX_NAMES)]

    assert suggestion(f"{'b' * 62}49", [*["a" * 64] * 249, f"{'b' * 63}9"]) != ""
    assert suggestion(f"{long[900][:-4]}z900", long).startswith(f". Did you mean '{long[0][:58]}")
    assert suggestion("gpux0999", short).startswith(". Did you mean 'gpu-0999'")
    assert suggestion("prod", [*long[1:], "production"]) == ". Did you mean 'production'?"


def test_many_long_names() -> None:
    """The work has a bound, whatever the names are: the first ones are compared."""
    names = [f"{'customer-' * 6}{number:08}" for number in range(100_000)]

    start = time.process_time()
    assert suggestion(names[7][:-1] + "x", names) != ""
    assert suggestion(f"{'b' * 32}{'c' * 32}", ["a" * 30 + "b" * 4 + "c" * 30] * 100_000) == ""
    assert suggestion(names[MAX_NAMES][:-8] + "99991001", iter(names)) == ""
    assert time.process_time() - start < 2
