from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.accounts.account import Account
from app.errors import UpstreamError, UpstreamRedirected, UpstreamUnreachable
from app.limits.bounds import Bounds
from app.limits.prices import PriceTable, load_shipped_prices
from app.relay.request_record import CLIENT_CLOSED, RequestRecord
from app.stores.records.admission import Selection
from app.stores.records.api_keys import ApiKey
from app.streaming.upstream_errors import rejection_from_body, rejection_from_event
from app.streaming.usage import Usage
from schemas.bounds import MAX_COST
from tests.support.relay import FakeAttempt, FakeReader, make_request

TABLE = load_shipped_prices()
USED = Usage(1000, 100, 1100, cached_tokens=200, reasoning_tokens=50)


def settled(
    usage: Usage | None,
    *,
    model: str = "gpt-4.1",
    kind: str = "openai",
    tier: str | None = None,
    requested_tier: str | None = None,
    output_bytes: int = 0,
    left: bool = False,
    failed: bool = False,
    input_ratio: float = 1.0,
) -> dict[str, Any]:
    """The ledger row of a request whose only attempt ended with *usage*."""
    record = RequestRecord()
    record.input_ratio = input_ratio
    record.price = TABLE.find(model)
    record.bounds = Bounds({}, {"input_tokens": 30, "output_tokens": 10, "cost": 5})
    reader = FakeReader(usage, output_bytes=output_bytes, service_tier=tier)
    context = make_request(
        model=model, body={"service_tier": requested_tier}, key=ApiKey("key_1", "k", "p", now=1.0)
    )
    account = Account("acct_1", "main", kind, "http://127.0.0.1:1/v1")
    record.start_attempt(FakeAttempt(account, context=context, reader=reader), Selection("acct_1"))
    if left:
        record.fail(GeneratorExit())
    if failed:
        record.fail(UpstreamError("The upstream failed"))
    return record.settle(context, 1.5, {}).row


class TestUsage:
    def test_reported_by_the_upstream(self) -> None:
        row = settled(USED)

        assert row["source"] == "upstream"
        assert (row["input_tokens"], row["output_tokens"]) == (1000, 100)
        assert (row["cached_tokens"], row["reasoning_tokens"]) == (200, 50)
        assert "cache_write_tokens" not in row

    def test_zeros(self) -> None:
        """A server that counts nothing reports them: they are no usage of a response with output."""
        none = Usage(0, 0, 0)

        row = settled(none, output_bytes=41)
        assert (row["source"], row["unreported"], row["unlimited"]) == ("estimated", "not_reported", True)
        assert (row["input_tokens"], row["output_tokens"]) == (30, 11)
        assert settled(none)["source"] == "upstream"

    def test_estimated(self) -> None:
        """Without usage from the upstream, the ledger entry names how it was counted."""
        row = settled(None, output_bytes=41)

        assert (row["source"], row["counted_by"]) == ("estimated", "bytes/4")
        assert (row["input_tokens"], row["output_tokens"]) == (30, 11)

    @pytest.mark.parametrize(("ratio", "read"), [(0.5, 15), (0.001, 1), (10, 300)])
    def test_estimated_as_upstreams_count(self, ratio: float, read: int) -> None:
        """The prompt was processed, however little the output is."""
        assert settled(None, output_bytes=41, input_ratio=ratio)["input_tokens"] == read

    @pytest.mark.parametrize(
        ("end", "status", "read"),
        [({"failed": True}, 502, 0), ({"left": True}, CLIENT_CLOSED, 30), ({}, 200, 30)],
    )
    def test_nothing_produced(self, end: dict[str, bool], status: int, read: int) -> None:
        """Input counts as read if the upstream answered or the client left, not if the upstream failed."""
        row = settled(None, **end)  # type: ignore[arg-type]

        assert (row["input_tokens"], row["output_tokens"], row["status"]) == (read, 0, status)

    def test_never_sent(self) -> None:
        row = RequestRecord().settle(make_request(), 0.0, {}).row

        assert (row["input_tokens"], row["output_tokens"], row["cost"]) == (0, 0, 0)


class TestCost:
    def test_list_price(self) -> None:
        """The ledger entry has the cost and the price list."""
        row = settled(USED)

        assert row["cost"] == 800 * 2 + 200 // 2 + 100 * 8
        assert row["price"] == TABLE.rows()["gpt-4.1"]["version"]

    def test_served_tier(self) -> None:
        """The cost is that of the service tier that was used, else of the requested one."""
        assert settled(USED, tier="priority", requested_tier="auto")["cost"] == 4375
        assert settled(USED, tier="default", requested_tier="priority")["cost"] == 2500
        assert settled(USED, requested_tier="priority")["cost"] == 4375

    def test_no_price(self) -> None:
        """The ledger entry has no cost; a balanced limit is charged at the ceiling all the same."""
        row = settled(USED, model="llama")

        assert "cost" not in row
        assert (row["price"], row["ceiling_cost"]) == ("none", 15_000)

    def test_demo(self) -> None:
        """The simulated upstream costs nothing, whatever the model."""
        row = settled(USED, kind="demo")

        assert (row["price"], row["cost"]) == ("demo", 0)

    def test_attempts_beyond_what_an_entry_holds(self) -> None:
        """The ledger entry has the sum of the charges of all attempts."""
        record = RequestRecord()
        record.price = PriceTable({"m": {"standard": {"input": 10**11, "output": 10**11}}}, "1").find("m")
        record.bounds = Bounds({"input_tokens": 9, "output_tokens": 10**13}, {"input_tokens": 9})
        context = make_request(model="m", key=ApiKey("key_1", "k", "p", now=1.0))
        for name in ("a", "b"):
            account = Account(name, name, "compatible", "http://127.0.0.1:1/v1")
            reader = FakeReader(output_bytes=4 * 10**12)
            record.start_attempt(FakeAttempt(account, context=context, reader=reader), Selection(name))
            record.fail_attempt(UpstreamError("The upstream failed"))
        record.fail(UpstreamError("The upstream failed"))

        row = record.settle(context, 1.0, {}).row

        for name in ("cost", "unreported_cost", "output_tokens", "unreported_output_tokens"):
            charged = [attempt.get(name, 0) for attempt in row["attempts"]]
            assert sum(charged) == row.get(name, 0) <= MAX_COST
        assert row["cost"] == row["unreported_cost"] == MAX_COST


class TestFailedAttempt:
    def failed(self, error: UpstreamError) -> dict[str, Any]:
        """The row of an attempt that failed with *error*."""
        record, context = RequestRecord(), make_request(key=ApiKey("key_1", "k", "p", now=1.0))
        account = Account("acct_1", "main", "compatible", "http://127.0.0.1:1/v1")
        record.start_attempt(FakeAttempt(account, context=context, reader=FakeReader()), Selection("acct_1"))
        record.fail_attempt(error)
        return dict(record.settle(context, 1.0, {}).row["attempts"][0])

    def test_a_response_of_the_upstream(self) -> None:
        """The row has the status and the code of the error, but not its text."""
        body = b'{"error": {"message": "Ann\'s prompt was refused", "code": "slow_down", "type": "t"}}'

        row = self.failed(rejection_from_body(503, body, {}))

        assert (row["upstream_status"], row["upstream_code"]) == (503, "slow_down")
        assert "prompt" not in str(row)

    def test_an_error_in_its_stream(self) -> None:
        row = self.failed(rejection_from_event({"error": {"message": "x", "type": "overloaded_error"}}))

        assert ("upstream_status" in row, row["upstream_code"]) == (False, "overloaded_error")

    @pytest.mark.parametrize("code", ["two words", "x" * 65, "sk-secret", "<b>", "ключ", "", 5, None])
    def test_what_is_no_code(self, code: object) -> None:
        body = orjson.dumps({"error": {"message": "x", "code": code}})

        attempt = self.failed(rejection_from_body(500, body, {}))

        assert ("upstream_code" in attempt, attempt["error"]) == (False, "upstream_error")

    @pytest.mark.parametrize("code", ["two words", "x" * 65, "sk-secret", "<b>", "a\nb", "=1+1"])
    def test_a_text_as_the_code_of_the_request(self, code: str) -> None:
        """The code in the row is always a name, even if the client was sent a text as the code."""
        record = RequestRecord()

        record.fail(rejection_from_event({"error": {"message": "x", "code": code}}))

        assert record.error_code == "upstream_error"

    def test_a_redirect(self) -> None:
        assert self.failed(UpstreamRedirected(302))["upstream_status"] == 302

    def test_no_response(self) -> None:
        row = self.failed(UpstreamUnreachable("The connection was refused"))

        assert row.keys().isdisjoint({"upstream_status", "upstream_code"})
