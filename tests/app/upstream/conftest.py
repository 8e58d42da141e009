from __future__ import annotations

import pytest

from app.upstream.client import UpstreamClient


@pytest.fixture
def client() -> UpstreamClient:
    return UpstreamClient(connect_timeout_seconds=2, originator="poolgate", user_agent="poolgate/test")
