"""One minute of what `python -m tests.soak.streams` does for half an hour."""

from __future__ import annotations

import pytest

from tests.soak.streams import soak


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_nothing_grows_and_nothing_is_left() -> None:
    assert soak(60.0, 200).wrongs() == []
