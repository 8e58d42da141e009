"""A short outage; `python -m tests.faults.flapping` has one of a minute."""

from __future__ import annotations

import pytest

from tests.faults.flapping import OUTAGES, flap, is_well
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

OUTAGE_SECONDS = 3.0


@pytest.mark.parametrize("outage", OUTAGES)
def test_no_client_notices(pool: PoolOfTest, upstream: ScriptedUpstream, outage: str) -> None:
    reply = flap(pool, upstream, OUTAGES[outage], OUTAGE_SECONDS)

    assert is_well(reply), reply
