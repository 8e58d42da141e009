"""What upstreams billed is charged, to the token or to a bound, and no strict limit is exceeded by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.billing.run import Plan, run
from tests.support.gateway import running_gateway
from tests.support.upstream_client import ScriptedUpstream


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [1])
def test_exact_ledger(redis_url: str, tmp_path: Path, upstream: ScriptedUpstream, seed: int) -> None:
    """The short form of `python -m tests.billing`."""
    with running_gateway(redis_url, tmp_path) as gateway:
        findings = run(gateway.pool(), upstream, Plan(seed=seed, room=0.5))

    assert findings.faults == []
    assert findings.counts["failures of ours"] == 0
    seen = (
        "requests billed",
        "reported",
        "charged at a bound",
        "of several attempts",
        "refused",
        "clients who left",
    )
    assert [what for what in seen if not findings.counts[what]] == []
