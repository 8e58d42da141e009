"""Recorded streams, cut everywhere."""

from __future__ import annotations

import pytest

from tests.faults.cuts import KINDS, wrongs
from tests.support.gateway import Gateway
from tests.support.upstream_client import ScriptedUpstream


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wire", ["chat", "responses"])
@pytest.mark.parametrize("endpoint", ["chat", "responses"])
def test_a_cut_is_never_a_finish(
    gateway: Gateway, upstream: ScriptedUpstream, endpoint: str, wire: str, kind: str
) -> None:
    assert wrongs(gateway.pool(), upstream, endpoint, wire, kind) == []
