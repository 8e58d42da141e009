"""
The cases of the Autobahn test suite, against an echo over the gateway's connection class, in its worker.

The endpoint itself answers a message that is no request with an error; the cases expect their own messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from kosoku import FailureError, run_fuzzingclient

from tests.support.gateway import running_gateway

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # by the cases themselves

CASES = {
    "framing": ["1.*"],
    "pings and pongs": ["2.*"],
    "reserved bits": ["3.*"],
    "opcodes": ["4.*"],
    "fragmentation": ["5.*"],
    "UTF-8": ["6.*"],
    "closing": ["7.*"],
    # some that take a second at most; the others differ only in the number of bytes
    "large messages": ["9.1.*", "9.2.*", "9.3.9", "9.4.9"],
    "many messages": ["9.5.*", "9.6.*", "9.7.4", "9.8.4"],
    "sends in one frame": ["10.*"],
    "compression": ["12.1.4", "12.1.5", "12.2.4", "12.3.4", "12.4.4", "12.5.4"],
    "offers of compression": [f"13.{number}.4" for number in range(1, 8)],
}


@pytest.fixture(scope="module")
def address(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home: Path = tmp_path_factory.mktemp("home")
    with running_gateway(redis_url, home, workers=1, app="tests.support.websocket_echo:app") as running:
        yield running.url.replace("http", "ws", 1)


async def failures(address: str, cases: list[str]) -> list[str]:
    """Run *cases*; return those that failed, and how."""
    try:
        results = await run_fuzzingclient(address, cases)
    except FailureError as error:
        return [f"{one.case_id}: {one.result} {one.result_close}" for one in error.results if not one.passed]
    assert len(results) >= len(cases)
    return []


@pytest.mark.parametrize("family", CASES)
def test_cases(address: str, family: str) -> None:
    """Each is passed, or has no verdict because any behaviour is right."""
    assert asyncio.run(failures(address, CASES[family])) == []
