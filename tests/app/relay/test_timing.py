"""The clocks of the relay."""

from __future__ import annotations

import time

from app.relay.timing import Timing


def test_the_real_clocks_unless_a_test_injects_others() -> None:
    timing = Timing()

    assert abs(timing.monotonic() - time.monotonic()) < 60
    assert abs(timing.unix() - time.time()) < 60
    assert Timing(monotonic=lambda: 5.0).monotonic() == 5.0


def test_each_relay_has_randomness_of_its_own() -> None:
    assert Timing().random is not Timing().random
