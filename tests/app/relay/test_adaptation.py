"""What changes in a request that an account has refused, and when it is not sent again."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from app.accounts.account import Account, RefusedField
from app.errors import StoreUnavailable, UpstreamRejected
from app.relay.adaptation import MAX_ADAPTATIONS, Adaptation, adapted_request
from app.translation.requests.upstream_request import UpstreamRequest
from tests.support.relay import make_request

ACCOUNT = Account("a", "a", "compatible", "http://127.0.0.1/v1", protocols=("chat",))
BODY: dict[str, Any] = {
    "model": "m",
    "messages": [],
    "stream_options": {"include_usage": True},
    "stream": True,
}
CHAT = UpstreamRequest("chat", BODY, [])
REASONING = {"type": "reasoning", "id": "rs_1", "encrypted_content": "x", "summary": []}
RESPONSES = UpstreamRequest("responses", {"model": "m", "input": [REASONING]}, [])


class Repository:
    """Accounts that learn, or are away."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def learn_refused(
        self, pool: str, account: Account, protocol: str, model: str, fields: list[str]
    ) -> Account:
        if self._error is not None:
            raise self._error
        return replace(account, refused=tuple(RefusedField(protocol, field, model) for field in fields))


def refusal(message: str, status: int = 400, code: str | None = None) -> UpstreamRejected:
    return UpstreamRejected(
        message, status=status, type="invalid_request_error", code=code, upstream_status=status
    )


def attempt(request: UpstreamRequest = CHAT, *, committed: bool = False) -> Any:
    return SimpleNamespace(request=request, account=ACCOUNT, committed=committed)


def adaptation(error: Exception | None = None) -> Adaptation:
    accounts: Any = Repository(error)
    return Adaptation(make_request(), accounts)


UNKNOWN = refusal("Unrecognized request argument supplied: stream_options")
UNREADABLE = refusal("The encrypted content could not be verified.", code="invalid_encrypted_content")


class TestAdapt:
    def test_refused_field(self) -> None:
        adapted = adaptation().adapt(attempt(), UNKNOWN)

        assert adapted is not None
        assert adapted.names == ["stream_options"]
        assert adapted.account.refused_by("chat", "m") == ("stream_options",)

    def test_state_of_another_account_once(self) -> None:
        """It is left out of this request; what is refused without it is not about state."""
        adapts = adaptation()

        first = adapts.adapt(attempt(RESPONSES), UNREADABLE)

        assert first is not None
        assert (first.names, first.account) == (["encrypted_content"], ACCOUNT)
        assert adapts.lacks_foreign_state
        assert adapts.adapt(attempt(RESPONSES), UNREADABLE) is None

    @pytest.mark.parametrize(
        ("committed", "error"),
        [
            pytest.param(True, UNKNOWN, id="the client has a part of the response"),
            pytest.param(False, refusal("Slow down", 429), id="not about a field"),
            pytest.param(False, refusal("Unknown parameter: messages"), id="a field that is needed"),
        ],
    )
    def test_no_adaptation(self, committed: bool, error: UpstreamRejected) -> None:
        assert adaptation().adapt(attempt(committed=committed), error) is None

    def test_store_is_away(self) -> None:
        """A refusal that cannot be stored would recur with each request, so the client receives it."""
        assert adaptation(StoreUnavailable("away")).adapt(attempt(), UNKNOWN) is None

    def test_number(self) -> None:
        """A request is adapted only a few times to a server that names one field after the other."""
        adapts = adaptation()

        results = [adapts.adapt(attempt(), UNKNOWN) for _ in range(MAX_ADAPTATIONS + 1)]

        assert [each is not None for each in results] == [True] * MAX_ADAPTATIONS + [False]


class TestAdaptedRequest:
    def test_nothing_learned(self) -> None:
        assert adapted_request(CHAT, make_request(), ACCOUNT, lacks_foreign_state=False) is CHAT

    def test_learned(self) -> None:
        """Only fields that were refused for this protocol and model are left out."""
        refused = (
            RefusedField("chat", "stream_options", "m"),
            RefusedField("chat", "stream", "other"),
            RefusedField("responses", "messages", "m"),
        )

        request = adapted_request(
            CHAT, make_request(), replace(ACCOUNT, refused=refused), lacks_foreign_state=False
        )

        assert request.body == {"model": "m", "messages": [], "stream": True}

    def test_state_of_another_account(self) -> None:
        request = adapted_request(RESPONSES, make_request(), ACCOUNT, lacks_foreign_state=True)

        assert request.body["input"] == []
        assert request.ignored == ["encrypted_content"]
