"""The clocks and the randomness of the relay, injected so that tests control them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Timing:
    """`monotonic` measures durations, `unix` dates; both return seconds."""

    monotonic: Callable[[], float] = time.monotonic
    unix: Callable[[], float] = time.time
    random: random.Random = field(default_factory=random.Random)
