import pytest

from app.durations import parse_duration, seconds_in


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("24h", 86400), ("1h30m", 5400), ("90s", 90), ("7d", 604800), ("20ms", 0.02), ("1.5s", 1.5)],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds_in(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "h", "5", "5x", "1h and 3m", "-", "٣h", "1" * 70 + "s"])
def test_not_a_duration(text):
    assert parse_duration(text) is None


def test_durations_in_another_text():
    assert seconds_in("about 1h, or 30m more") == 5400
