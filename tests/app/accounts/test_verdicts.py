"""Verdicts on upstream failures. Each case is a real answer of some upstream."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.accounts.failures import CONSEQUENCES, CallerError, Failure, Scope
from app.accounts.verdicts import RULES, is_closed, judge
from app.errors import (
    BodyShape,
    EndpointMissing,
    ResponsesDiffer,
    StreamEventTooLarge,
    StreamIdleTimeout,
    StreamIncomplete,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamRedirected,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.streaming.upstream_errors import rejection_from_body, rejection_from_event

KINDS = ("openai", "chatgpt", "compatible", "demo")
PAGE = b"<!DOCTYPE html><html><title>Just a moment...</title></html>"
BEFORE_LONG = {"retry-after": "3600"}


def answered(status: int, body: Any = b"", headers: dict[str, str] | None = None) -> UpstreamError:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return rejection_from_body(status, data, headers or {})


def error(
    status: int, message: str = "No.", *, headers: dict[str, str] | None = None, **more: Any
) -> UpstreamError:
    return answered(status, {"error": {"message": message, **more}}, headers)


def event(**more: Any) -> UpstreamError:
    return rejection_from_event({"error": {"message": "No.", **more}})


def repeated(rejected: UpstreamError) -> UpstreamError:
    """Return *rejected* with every word of the request."""
    assert isinstance(rejected, UpstreamRejected)
    rejected.echoes_request = lambda words: True
    return rejected


GOOGLE_KEY = "API key not valid. Please pass a valid API key."
FAMILY = {"x-codex-active-limit": "codex_small", "x-codex-small-primary-used-percent": "100"}
CASES: list[tuple[str, UpstreamError, Failure]] = [
    # what came of the connection and the stream
    ("differs", ResponsesDiffer("x"), Failure.DIFFERS),
    ("cut", StreamIncomplete("x"), Failure.CUT),
    ("silent", StreamIdleTimeout("x"), Failure.SLOW),
    ("too large", StreamEventTooLarge("x"), Failure.GARBLED),
    ("garbled", UpstreamProtocolError("x"), Failure.GARBLED),
    ("redirected", UpstreamRedirected(301), Failure.REDIRECTED),
    ("late", UpstreamTimeout("x"), Failure.DEADLINE),
    ("no endpoint", EndpointMissing("embeddings", "m"), Failure.ENDPOINT_MISSING),
    ("reset", UpstreamUnreachable("x", sent=True), Failure.RESET),
    ("unreachable", UpstreamUnreachable("x"), Failure.UNREACHABLE),
    ("unknown error", UpstreamError("x"), Failure.SERVER_ERROR),
    # the prompt, the request
    ("too long", error(400, code="context_length_exceeded"), Failure.CALLER),
    ("content policy at 403", error(403, code="content_policy_violation"), Failure.CALLER),
    ("flagged", error(403, "Your input was flagged", code=403), Failure.CALLER),
    ("moderation", error(403, "This model requires moderation", code=403), Failure.CALLER),
    (
        "too dear",
        error(402, "This request requires more credits, or fewer max_tokens. You can only afford 12."),
        Failure.CALLER,
    ),
    (
        "prompt too dear",
        error(402, "Prompt tokens limit exceeded: 64128 > 6964. To increase, upgrade to a paid account"),
        Failure.CALLER,
    ),
    ("invalid value", error(400, code="decimal_below_min_value", param="n"), Failure.CALLER),
    ("a field's fault", answered(422, {"detail": [{"msg": "value is not an integer"}]}), Failure.CALLER),
    ("an old response", error(404, "Response with id 'resp_1' not found."), Failure.CALLER),
    ("text 400", answered(400, b"bad request"), Failure.CALLER),
    # for good
    ("deactivated", error(403, code="account_deactivated"), Failure.CREDENTIAL),
    ("suspended", error(400, code="account_suspended"), Failure.CREDENTIAL),
    ("workspace", answered(402, {"detail": {"code": "deactivated_workspace"}}), Failure.CREDENTIAL),
    ("wrong key", error(401, code="invalid_api_key"), Failure.CREDENTIAL),
    ("wrong key at 400", error(400, code="invalid_api_key"), Failure.CREDENTIAL),
    (
        "wrong key at Google",
        answered(400, [{"error": {"message": GOOGLE_KEY, "code": 400}}]),
        Failure.CREDENTIAL,
    ),
    (
        "wrong key at xAI",
        answered(400, {"code": "Invalid argument", "error": "Incorrect API key provided: xa***ey."}),
        Failure.CREDENTIAL,
    ),
    (
        "suspended, and flagged",
        error(403, "Your account was flagged by moderation", code="account_suspended"),
        Failure.CREDENTIAL,
    ),
    ("expired token", error(401, code="token_expired"), Failure.CREDENTIAL),
    ("bare 401", answered(401), Failure.CREDENTIAL),
    ("text 401", answered(401, b"Unauthorized"), Failure.CREDENTIAL),
    ("key in a stream", event(code="invalid_api_key"), Failure.CREDENTIAL),
    # this model
    ("unknown model", error(404, code="model_not_found"), Failure.MODEL_MISSING),
    ("project without access", error(403, code="model_not_found"), Failure.MODEL_MISSING),
    (
        "organisation not verified",
        error(403, "Your organization must be verified to use the model `gpt-image-1`."),
        Failure.MODEL_MISSING,
    ),
    (
        "a model in the caller's words",
        repeated(error(400, "Unknown: 'access to the model'")),
        Failure.UNSUPPORTED,
    ),
    ("an id in the caller's words", repeated(error(404, "No 'access to the model'")), Failure.UNSUPPORTED),
    (
        "not with ChatGPT",
        answered(400, {"detail": "The 'm' model is not supported when using Codex with a ChatGPT account."}),
        Failure.MODEL_MISSING,
    ),
    ("not pulled", error(404, 'model "m" not found, try pulling it first'), Failure.MODEL_MISSING),
    (
        "vLLM",
        error(404, "The model `m` does not exist.", type="NotFoundError", code=404),
        Failure.MODEL_MISSING,
    ),
    ("Azure", error(404, code="DeploymentNotFound"), Failure.MODEL_MISSING),
    ("LiteLLM", error(401, type="key_model_access_denied", code="401"), Failure.MODEL_MISSING),
    ("limit of a family", error(429, type="usage_limit_reached", headers=FAMILY), Failure.MODEL_LIMITED),
    ("not in the plan", error(429, type="usage_not_included"), Failure.MODEL_LIMITED),
    (
        "limit of m",
        error(429, "Rate limit reached for m on tokens per day", headers=BEFORE_LONG),
        Failure.MODEL_LIMITED,
    ),
    ("burst at an API", error(429, code="rate_limit_exceeded", type="tokens"), Failure.MODEL_LIMITED),
    ("overloaded", error(503, code="server_is_overloaded"), Failure.OVERLOADED),
    ("at capacity", event(message="The model is at capacity"), Failure.OVERLOADED),
    ("loading", error(503, "Loading model", type="unavailable_error", code=503), Failure.OVERLOADED),
    ("busy engine", error(429, type="engine_overloaded_error"), Failure.OVERLOADED),
    ("529", answered(529), Failure.OVERLOADED),
    # what is used up
    ("usage limit", error(429, type="usage_limit_reached", resets_in_seconds=60), Failure.WINDOW_SPENT),
    ("quota", error(429, code="insufficient_quota", type="insufficient_quota"), Failure.PAYMENT_REQUIRED),
    ("arrears", error(400, code="Arrearage", type="Arrearage"), Failure.PAYMENT_REQUIRED),
    ("balance by words", error(403, "Your team has used all available credits"), Failure.PAYMENT_REQUIRED),
    (
        "balance at 402",
        error(402, "Payment required", code="invalid_request_error"),
        Failure.PAYMENT_REQUIRED,
    ),
    ("quota with a reset", error(429, code="insufficient_quota", headers=BEFORE_LONG), Failure.WINDOW_SPENT),
    ("plan by words", error(403, "You have reached your usage limit"), Failure.WINDOW_SPENT),
    ("long wait", error(429, "Wait", headers=BEFORE_LONG), Failure.WINDOW_SPENT),
    ("budget in flight", error(402, "Later", headers={"retry-after": "3"}), Failure.BURST_LIMITED),
    ("parallel requests", error(429, "Too many concurrent requests"), Failure.BURST_LIMITED),
    ("burst in a stream", event(type="rate_limit_reached_error"), Failure.BURST_LIMITED),
    ("429 of a proxy", answered(429, PAGE), Failure.BURST_LIMITED),
    # whom
    ("challenge", answered(403, PAGE), Failure.BLOCKED),
    ("bare 403", answered(403), Failure.BLOCKED),
    ("unknown JSON 403", answered(403, {"ok": False}), Failure.BLOCKED),
    ("unknown 403", error(403, code="unsupported_country_region_territory"), Failure.BLOCKED),
    ("402 of a proxy", answered(402, PAGE), Failure.BLOCKED),
    ("401 of a proxy", answered(401, PAGE), Failure.BLOCKED),
    ("400 of a proxy", answered(400, PAGE), Failure.BLOCKED),
    ("bare 418", answered(418), Failure.BLOCKED),
    (
        "scopes",
        error(401, "You have insufficient permissions. Missing scopes: model.request"),
        Failure.UNSUPPORTED,
    ),
    # where
    ("bare 404", answered(404), Failure.ENDPOINT_MISSING),
    ("404 page", answered(404, PAGE), Failure.ENDPOINT_MISSING),
    ("unknown url", error(404, "Invalid URL (POST /v1/responses)"), Failure.ENDPOINT_MISSING),
    ("FastAPI 404", answered(404, {"detail": "Not Found"}), Failure.ENDPOINT_MISSING),
    ("405", answered(405, {"detail": "Method Not Allowed"}), Failure.ENDPOINT_MISSING),
    ("501", answered(501), Failure.ENDPOINT_MISSING),
    # what another account may support
    (
        "cannot stream",
        error(400, "Your organization must be verified to stream this model", param="stream"),
        Failure.UNSUPPORTED,
    ),
    (
        "no image tool",
        error(400, "Tool choice 'image_generation' not found in 'tools' parameter."),
        Failure.UNSUPPORTED,
    ),
    ("parameter", error(400, code="unsupported_parameter", param="max_tokens"), Failure.UNSUPPORTED),
    ("Mistral", answered(422, {"detail": [{"msg": "Extra inputs are not permitted"}]}), Failure.UNSUPPORTED),
    ("Groq", error(400, "property 'prompt_cache_key' is unsupported"), Failure.UNSUPPORTED),
    ("Codex", answered(400, {"detail": "Unsupported parameter: metadata"}), Failure.UNSUPPORTED),
    ("restricted", error(400, code="organization_restricted"), Failure.UNSUPPORTED),
    ("restricted at 403", error(403, code="organization_restricted"), Failure.UNSUPPORTED),
    ("too large", answered(413), Failure.UNSUPPORTED),
    (
        "larger than the limit",
        error(429, "Request too large for m: Limit 1, Requested 2"),
        Failure.UNSUPPORTED,
    ),
    # the server
    ("500", error(500), Failure.SERVER_ERROR),
    ("502 page", answered(502, PAGE), Failure.SERVER_ERROR),
    ("408", answered(408), Failure.SERVER_ERROR),
    ("in a stream", event(), Failure.SERVER_ERROR),
    # in a stream, where no status stands before the code
    ("suspended in a stream", event(code="account_suspended"), Failure.CREDENTIAL),
    ("model in a stream", event(code="model_not_found"), Failure.MODEL_MISSING),
    ("parameter in a stream", event(code="unsupported_parameter"), Failure.UNSUPPORTED),
    ("plan in a stream", event(type="usage_not_included"), Failure.MODEL_LIMITED),
]


@pytest.mark.parametrize(("given", "failure"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_failure_of(given: UpstreamError, failure: Failure) -> None:
    assert judge(given, "openai", "m").failure is failure


def test_a_burst_at_a_sign_in_is_of_the_account() -> None:
    """Its backend limits accounts; the limits of APIs are per model."""
    assert judge(error(429, code="rate_limit_exceeded"), "chatgpt", "m").failure is Failure.BURST_LIMITED
    assert judge(event(code="rate_limit_exceeded"), "chatgpt", "m").failure is Failure.BURST_LIMITED


def test_every_row_is_reached() -> None:
    """No row is shadowed by those before it."""
    reached = {
        next(number for number, rule in enumerate(RULES) if rule.fits(given, kind, "m"))
        for _, given, _ in CASES
        for kind in KINDS
    }

    assert [number for number in range(len(RULES)) if number not in reached] == []


@pytest.mark.parametrize("kind", [*KINDS, ""])
@pytest.mark.parametrize(
    "body", [b"", PAGE, b"words", b'{"a":1}', b'{"error":{"message":"No."}}', b"[]", b"null", b"1"]
)
def test_every_response_has_a_verdict(kind: str, body: bytes) -> None:
    """No status alone disables an account permanently, except 401."""
    refused = [
        status
        for status in (*range(400, 600), 600, 999)  # some servers invent one
        if judge(answered(status, body), kind, "m").consequence.scope is Scope.CREDENTIAL
    ]

    assert refused == ([] if body is PAGE else [401])


def test_every_failure_has_a_consequence_and_a_row() -> None:
    assert set(CONSEQUENCES) == set(Failure) == {rule.failure for rule in RULES}


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (b"", BodyShape.EMPTY),
        (b" \n", BodyShape.EMPTY),
        (PAGE, BodyShape.HTML),
        (b"  <html>", BodyShape.HTML),
        (b"Not found", BodyShape.TEXT),
        (b'{"error":{"code":"x"}}', BodyShape.ENVELOPE),
        (b'{"detail":"Not Found"}', BodyShape.ENVELOPE),
        (b'[{"error":{"code":400,"message":"x"}}]', BodyShape.ENVELOPE),
        (b'{"message":"flat"}', BodyShape.ENVELOPE),
        (b'{"code":"A sentence","error":"Another"}', BodyShape.ENVELOPE),
        (b'data: {"error":{"message":"one line of a stream"}}', BodyShape.ENVELOPE),
        (b'{"status":"ok"}', BodyShape.JSON),
        (b"[1]", BodyShape.JSON),
        (b"\xff\xfe", BodyShape.TEXT),
    ],
)
def test_shape_of_a_body(body: bytes, shape: BodyShape) -> None:
    assert rejection_from_body(403, body, {}).shape is shape


@pytest.mark.parametrize(
    ("headers", "family"),
    [
        (FAMILY, "codex-small"),
        ({"x-codex-active-limit": "codex"}, ""),
        ({"x-codex-active-limit": "premium"}, ""),
        ({}, ""),
    ],
)
def test_limit_family(headers: dict[str, str], family: str) -> None:
    """Only a family that the response reports on is one of some models."""
    assert rejection_from_body(429, b"", headers).limit_family == family


def test_what_a_background_query_proves() -> None:
    assert is_closed(error(403, code="account_deactivated"))
    assert not is_closed(error(401, code="token_invalidated"))
    assert not is_closed(answered(401))


def test_what_callers_receive() -> None:
    assert judge(error(404, code="model_not_found")).consequence.caller_error is CallerError.MODEL_NOT_FOUND
    assert judge(error(401, code="invalid_api_key")).consequence.caller_error is CallerError.GATEWAY
    assert judge(error(403, "flagged")).consequence.caller_error is CallerError.UPSTREAM
