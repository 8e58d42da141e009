"""How requests of each endpoint are sent to accounts."""

from __future__ import annotations

import orjson
import pytest

from app.accounts.account import Account
from app.config import TimeLimits
from app.errors import InvalidRequest, ModelNotFound, NotSupported
from app.relay.context import RequestContext
from app.relay.endpoint_types import (
    COMPACTION,
    IMAGES,
    MODEL,
    PASSTHROUGH,
    UNSTREAMED_SECONDS,
    endpoint_type_of,
)
from app.relay.images_attempt import ImagesAttempt
from app.relay.model_attempt import ModelAttempt
from app.relay.passthrough import PassthroughAttempt
from tests.support.relay import FakeAttempt, make_request

OPENAI = Account("a", "a", "openai", "http://127.0.0.1:1/v1")
CHATGPT = Account("a", "a", "chatgpt", "http://127.0.0.1:1", protocols=("responses",))
COMPACT = make_request(client_protocol="responses/compact", body={"model": "m", "input": [{"role": "user"}]})


def test_by_client_protocol() -> None:
    assert endpoint_type_of(make_request()) is MODEL
    assert endpoint_type_of(make_request(client_protocol="responses")) is MODEL
    assert endpoint_type_of(COMPACT) is COMPACTION
    assert endpoint_type_of(make_request(client_protocol="embeddings")) is PASSTHROUGH


def test_upstreams_that_do_not_stream_may_be_silent_for_longer() -> None:
    limits = TimeLimits()

    assert MODEL.time_limits(limits) is limits
    assert PASSTHROUGH.time_limits(limits).first_progress == max(UNSTREAMED_SECONDS, limits.first_progress)


def test_a_model_attempt_is_sent_in_the_accounts_protocol() -> None:
    context = make_request(body={"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
    attempt = MODEL.begin(FakeAttempt(CHATGPT, context=context).inputs)

    assert isinstance(attempt, ModelAttempt)
    assert attempt.request.protocol == "responses"


def test_compaction_is_a_request_with_a_trigger_at_the_chatgpt_backend() -> None:
    attempt = COMPACTION.begin(FakeAttempt(CHATGPT, context=COMPACT).inputs)

    assert isinstance(attempt, ModelAttempt)
    assert attempt.context.request.client_protocol == "responses"
    assert attempt.request.body["input"][-1] == {"type": "compaction_trigger"}
    assert COMPACT.request.body["input"] == [{"role": "user"}]


def test_compaction_is_an_endpoint_of_the_openai_api() -> None:
    attempt = COMPACTION.begin(FakeAttempt(OPENAI, context=COMPACT).inputs)

    assert isinstance(attempt, PassthroughAttempt)
    assert orjson.loads(b"".join(attempt.context.request.raw_body)) == COMPACT.request.body


@pytest.mark.parametrize(
    ("kinds", "error"), [({"chatgpt", "demo"}, NotSupported), ({"chatgpt", "openai"}, ModelNotFound)]
)
def test_a_pool_that_cannot_pass_through(kinds: set[str], error: type[Exception]) -> None:
    assert isinstance(PASSTHROUGH.unserved(make_request(client_protocol="embeddings"), kinds), error)


def test_a_pool_that_cannot_compact() -> None:
    assert isinstance(COMPACTION.unserved(COMPACT, {"compatible"}), NotSupported)
    assert MODEL.unserved(make_request(), set()) is None


class TestImages:
    def context(self, **fields: object) -> RequestContext:
        body = {"model": "gpt-image-2", "prompt": "A cat", **fields}
        return make_request(
            client_protocol="images/generations", model=str(body["model"]), body=body, raw_body=(b"{}",)
        )

    @pytest.mark.parametrize(("account", "kind"), [(OPENAI, PassthroughAttempt), (CHATGPT, ImagesAttempt)])
    def test_each_kind_by_its_means(self, account: Account, kind: type) -> None:
        assert endpoint_type_of(self.context()) is IMAGES
        assert isinstance(IMAGES.begin(FakeAttempt(account, context=self.context()).inputs), kind)

    @pytest.mark.parametrize(
        ("fields", "field", "is_fit"),
        [
            ({}, None, True),
            ({"model": "flux"}, None, False),
            ({"n": 11}, "n", False),
            ({"svg": {"a": 1}}, "svg", False),
            ({"model": "flux", "n": 11}, None, False),
        ],
    )
    def test_accounts_with_the_tool(
        self, fields: dict[str, object], field: str | None, *, is_fit: bool
    ) -> None:
        requirements = IMAGES.requirements(self.context(**fields))

        assert requirements.field == field
        assert ("chatgpt" in requirements.ineligible_kinds, requirements.unlisted_kinds) == (
            not is_fit,
            ("chatgpt",) if is_fit else (),
        )
        assert "demo" in requirements.ineligible_kinds
        assert "openai" not in requirements.ineligible_kinds

    @pytest.mark.parametrize(
        ("fields", "kinds", "error"),
        [
            ({"n": 11}, {"chatgpt"}, InvalidRequest),
            ({"model": "flux"}, {"chatgpt"}, ModelNotFound),
            ({}, {"openai"}, ModelNotFound),
            ({}, {"demo"}, NotSupported),
            ({}, set(), NotSupported),
        ],
    )
    def test_a_pool_without_such_accounts(
        self, fields: dict[str, object], kinds: set[str], error: type[Exception]
    ) -> None:
        assert isinstance(IMAGES.unserved(self.context(**fields), kinds), error)
