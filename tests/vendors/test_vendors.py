"""
Each vendor's responses and failures, through chat and Responses, streamed and whole.

A file of `shapes` is a vendor. `NOT_YET` lists what is known to fail, with the reason; a case that passes
must be removed from it.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.upstream_client import ScriptedUpstream
from tests.vendors.clients import WAYS, Reading, send_request
from tests.vendors.vendor import Frame, Vendor, VendorResponse

NAMES = sorted(path.stem for path in (Path(__file__).parent / "shapes").glob("*.py"))
VENDORS: dict[str, Vendor] = {
    vendor.name: vendor
    for vendor in (importlib.import_module(f"tests.vendors.shapes.{name}").VENDOR for name in NAMES)
}
CASES = ("text", "tools", "reasoning", "refusal", "failure")
NOT_YET: dict[tuple[str, str, str], str] = {}  # (vendor, case, way): reason


@pytest.fixture(scope="module")
def gateway(gateways_redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(gateways_redis_url, tmp_path_factory.mktemp("home"), workers=1) as running:
        yield running


def cases(names: Sequence[str]) -> list[Any]:
    """Return a test case for each vendor, case and way, those of `NOT_YET` as expected failures."""
    return [
        pytest.param(
            vendor,
            case,
            way,
            id=f"{vendor}-{case}-{way.replace(' ', '-')}",
            marks=[pytest.mark.xfail(reason=reason, strict=True)] if reason else [],
        )
        for vendor in VENDORS
        for case in names
        for way in WAYS
        for reason in [NOT_YET.get((vendor, case, way))]
    ]


def stream_of(frames: Sequence[Frame], content_type: str) -> dict[str, Any]:
    """Return the play that sends *frames*."""
    texts = [frame if isinstance(frame, str) else f"data: {json.dumps(frame)}\n\n" for frame in frames]
    return {"headers": {"content-type": content_type}, "steps": [{"send": "".join(texts)}]}


def serve(
    gateway: Gateway, upstream: ScriptedUpstream, way: str, streamed: Any, complete: Any
) -> tuple[PoolOfTest, Reading]:
    """Return what a client reads through a pool of one account, which plays *streamed* or *whole*."""
    pool = gateway.pool()
    pool.account("a", upstream.base_url(), kind="compatible", protocols=("chat",))
    upstream.script({"play": "fitting", "plays": {"chat": {"streamed": streamed, "whole": complete}}})
    return pool, send_request(pool, pool.key(), way)


@pytest.mark.parametrize(("name", "case", "way"), cases(CASES[:3]))
def test_response(gateway: Gateway, upstream: ScriptedUpstream, name: str, case: str, way: str) -> None:
    """The client gets every word and call once, and the ledger has what the vendor bills."""
    vendor = VENDORS[name]
    response: VendorResponse = getattr(vendor, case)
    pool, reading = serve(
        gateway,
        upstream,
        way,
        stream_of(response.stream, vendor.content_type),
        {"play": "json", "body": response.complete},
    )

    assert (reading.status, reading.error) == (200, None)
    assert (reading.text, reading.reasoning) == (response.text, response.reasoning)
    assert reading.calls == list(response.calls)
    assert reading.sources == list(response.sources)
    assert len(set(reading.call_ids)) == len(response.calls)
    assert reading.end == ("completed" if "responses" in way else "tool_calls" if response.calls else "stop")
    (row,) = pool.wait_for_rows(1)
    tokens = response.tokens
    booked = [
        row.get(each) or 0 for each in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
    ]
    assert booked == [tokens.input, tokens.output, tokens.cached, tokens.reasoning]


@pytest.mark.parametrize(("name", "case", "way"), cases(["refusal"]))
def test_refusal(gateway: Gateway, upstream: ScriptedUpstream, name: str, case: str, way: str) -> None:
    """The client gets the vendor's words, with a status that says that the request is at fault."""
    refusal = VENDORS[name].refusal
    play = {
        "play": "json",
        "status": refusal.status,
        "body": refusal.body if isinstance(refusal.body, str) else json.dumps(refusal.body),
        "headers": {"content-type": refusal.content_type},
    }
    _, reading = serve(gateway, upstream, way, play, play)

    assert 400 <= reading.status < 500
    assert refusal.words in (reading.error or "")


@pytest.mark.parametrize(("name", "case", "way"), cases(["failure"]))
def test_failure(gateway: Gateway, upstream: ScriptedUpstream, name: str, case: str, way: str) -> None:
    """A response that the vendor broke off never looks complete, and the vendor's words are passed on."""
    vendor, failure = VENDORS[name], VENDORS[name].failure
    _, reading = serve(
        gateway,
        upstream,
        way,
        stream_of(failure.stream, vendor.content_type),
        {"play": "json", "status": failure.status, "body": json.dumps(failure.complete)},
    )

    assert not reading.looks_complete, reading
    assert failure.words in (reading.error or "")
