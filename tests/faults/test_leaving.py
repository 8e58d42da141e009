"""Three hundred clients that leave; `python -m tests.faults.leaving` has ten thousand."""

from __future__ import annotations

import random

from tests.faults.leaving import leave
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream


def test_the_upstream_is_closed_at_once_and_nothing_is_left(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    reply = leave(pool, upstream, 300, random.Random(1))

    assert reply.well, reply
