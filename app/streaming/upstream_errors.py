"""
Parse errors reported by upstreams, in any of their formats, to `UpstreamRejected`.

Sources: https://platform.openai.com/docs/guides/error-codes and
https://platform.openai.com/docs/api-reference/responses-streaming/error; other formats are
those of the ChatGPT backend and of nearly compatible servers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypedDict, cast

from app.errors import BodyShape, GatewayError, UpstreamRejected, is_plain_code
from app.streaming.lenient_json import loads
from app.streaming.retry_after import parse_wait
from schemas import bounds

MAX_MESSAGE_CHARS = 1000
MAX_LISTED_ERRORS = 20  # how many texts of a list are joined
MAX_NAME_CHARS = 200  # longest type, code or parameter
HIDDEN = "[hidden]"  # in place of a secret

# The status of an error inside a stream, by its code or else its type; 502 for others.
STATUS_BY_CODE = {
    "no_accounts": 503,
    "no_plan_support_for_model": 503,
    "additional_quota_data_unavailable": 503,
    "quota_exhausted": 503,
    "no_additional_quota_eligible_accounts": 503,
    "rate_limit_exceeded": 429,
    "usage_limit_reached": 429,
    "usage_not_included": 429,
    "insufficient_quota": 429,
    "rate_limit_error": 429,
    "invalid_api_key": 401,
    "invalid_authentication": 401,
    "token_invalidated": 401,
    "authentication_error": 401,
    "invalid_request_error": 400,
    "context_length_exceeded": 400,  # the ChatGPT backend omits its type
    "invalid_prompt": 400,
    # The request is the cause: clients must not retry.
    "content_filter": 400,
    "content_policy_violation": 400,
    "cyber_policy": 400,
    "data_inspection_failed": 400,
    "moderation_blocked": 400,
    "image_generation_user_error": 400,
    "string_above_max_length": 400,
    "invalid_encrypted_content": 400,
    "unsupported_parameter": 400,
    "unsupported_value": 400,
    "unknown_parameter": 400,
    "previous_response_not_found": 502,  # whatever its type: the client is not at fault
}

# Codes of MiniMax, which reports a failure in a 200 as `base_resp`: rate, key and balance.
_MINIMAX_CODES = {1002: "rate_limit_exceeded", 1004: "invalid_api_key", 1008: "insufficient_quota"}

# (type, code) of an error that has neither, by status.
_NAMES_BY_STATUS = {
    401: ("authentication_error", "invalid_api_key"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}
_CLIENT_ERROR = ("invalid_request_error", "invalid_request_error")
_UPSTREAM_ERROR = ("server_error", "upstream_error")

_WINDOWS = ("primary", "secondary")  # windows of a limit in the headers of the ChatGPT backend

_ERROR_KEYS = ("error", "detail", "errors")  # where servers put an error, or several
_MESSAGE_KEYS = ("message", "msg", "detail", "error", "title")  # where an error has its text
# Inside a stream, a text is an error only if the object has no other fields than these.
_NEXT_TO_MESSAGE = frozenset(
    ("message", "msg", "code", "param", "success", "status_code", "request_id", "requestId", "trace_id")
)

_NEXT_TO_NAMED_MESSAGE = _NEXT_TO_MESSAGE | {"type", "object", "status"}

_CONTEXT_CODES = frozenset(("context_length_exceeded", "exceed_context_size_error"))
_CONTEXT_WORDS = re.compile(
    r"\bcontext (?:length|size|window|limit)"  # OpenAI, vLLM, SGLang, llama.cpp, Ollama, MiniMax, Anthropic
    r"|\b(?:prompt|input) is too long"  # Anthropic, Bedrock, Fireworks
    r"|\bprompt exceeds max length"  # Zhipu
    r"|\bmaximum (?:prompt|model|input) length"  # xAI, vLLM
    r"|\brange of input length"  # DashScope
    r"|\bmodel token limit"  # Moonshot
    r"|\binput tokens?\b.{0,60}\bexceeds? the (?:maximum|configured)"  # Gemini, OpenAI
    r"|`inputs` (?:tokens \+|must have less)"  # text-generation-inference
    r"|\btokens in the prompt cannot exceed",  # Cohere
    re.IGNORECASE,
)
_MARKUP = re.compile(r"\s*<[a-z!?/]", re.IGNORECASE)  # the messages of DashScope begin with `<400> `
_SECRET = re.compile(r"(?<![^\W_])(?:sk-[\w*.-]{4,}|eyJ[\w.-]{8,}|bearer\s+\S+)", re.IGNORECASE)


def has_failed_base(payload: Mapping[str, Any]) -> bool:
    """Return whether *payload* is a failure that MiniMax reports as `base_resp` in place of a response."""
    base = payload.get("base_resp")
    return isinstance(base, dict) and bool(base.get("status_code")) and not payload.get("choices")


_ERROR_WORDS = frozenset(["detail", "errors", "message", "msg"])  # fields of errors that have no `error`


def reports_error(payload: Mapping[str, Any]) -> bool:
    """Return whether *payload*, which is neither a response nor a part of one, reports an error."""
    if payload.get("error") or payload.get("type") == "error" or payload.get("object") == "error":
        return True
    if _ERROR_WORDS.isdisjoint(payload):
        return False
    if payload.get("detail") or payload.get("errors"):
        return True
    return has_message(payload) and (
        payload.keys() <= _NEXT_TO_MESSAGE
        or (is_error_name(payload.get("type")) and payload.keys() <= _NEXT_TO_NAMED_MESSAGE)
    )


def is_error_name(kind: Any) -> bool:
    """Return whether *kind* names an error, such as `BadRequestError` or `server_error`."""
    return isinstance(kind, str) and kind.lower().endswith("error")


def has_message(payload: Mapping[str, Any]) -> bool:
    """Return whether *payload* has a message: in place of a complete response it is that of an error."""
    message = payload.get("message") or payload.get("msg")
    return isinstance(message, str) and message != ""


def is_too_long(error: GatewayError) -> bool:
    """Return whether *error* is about a prompt that is too long for the context of its model."""
    return error.code in _CONTEXT_CODES or _is_about_context(error.message)


def _is_about_context(message: Any) -> bool:
    return isinstance(message, str) and _CONTEXT_WORDS.search(message) is not None


def rejection_from_event(payload: Mapping[str, Any]) -> UpstreamRejected:
    """Return the error in a chat `{"error": …}`, a flat or nested `error` event, or a `response.failed`."""
    response = payload.get("response")
    error = _error_object(response if isinstance(response, dict) and response.get("error") else dict(payload))
    code = error.get("code")
    status = STATUS_BY_CODE.get(_key(code)) or STATUS_BY_CODE.get(_key(error.get("type")))
    if status is None and type(code) is int and 400 <= code < 600:  # some servers put the status there
        status = code
    if status is None:
        status = 400 if _is_about_context(error.get("message")) else 502
    return _rejection(error, {}, status=status, upstream_status=None)


def rejection_from_body(status: int, body: bytes, headers: Mapping[str, str]) -> UpstreamRejected:
    """Return the error of an HTTP response; a *status* below 400 becomes 502."""
    error, shape = _error_in(body.strip())
    lowered = {name.lower(): value for name, value in headers.items()}
    family = _limit_family(lowered)
    if family and error.get("resets_at") is None and error.get("resets_in_seconds") is None:
        error = {**error, **_family_reset(family, lowered)}
    rejection = _rejection(
        error,
        lowered,
        status=status if 400 <= status < 600 else 502,
        upstream_status=status,
    )
    rejection.shape, rejection.limit_family = shape, family
    return rejection


class ErrorObject(TypedDict, total=False):
    """The `error` of an upstream; its values may have any type."""

    message: Any
    type: Any
    code: Any
    param: Any
    plan_type: Any
    resets_at: Any
    resets_in_seconds: Any


def _error_in(body: bytes) -> tuple[ErrorObject, BodyShape]:
    """Return (the error object of a body, the format of the body)."""
    text = body.decode("utf-8", "replace")
    if not body:
        return {}, BodyShape.EMPTY
    if _MARKUP.match(text):
        return {"message": text}, BodyShape.HTML
    try:
        error = _error_object(loads(body.removeprefix(b"data:").strip()))  # DashScope sends an SSE line
    except ValueError:
        return {"message": text}, BodyShape.TEXT
    texts = (error.get("message"), error.get("type"), error.get("code"))
    known = any(isinstance(text, str) and text for text in texts)
    return error, BodyShape.ENVELOPE if known else BodyShape.JSON


def _limit_family(headers: Mapping[str, str]) -> str:
    """
    Return the name of the limit that was reached, "" if it is the account's main limit.

    The ChatGPT backend has separate limits for some model families, in `x-<limit>-primary-…`.
    """
    name = headers.get("x-codex-active-limit", "").strip().lower().replace("_", "-")
    reported = any(f"x-{name}-{window}-used-percent" in headers for window in _WINDOWS)
    return name[:80] if name and name != "codex" and reported else ""


def _family_reset(family: str, headers: Mapping[str, str]) -> ErrorObject:
    """Return when the last full window of the limit *family* resets, as fields of an error object."""
    resets = []
    for window in _WINDOWS:
        begin = f"x-{family}-{window}"
        if bounds.percent(headers.get(f"{begin}-used-percent")) == bounds.MAX_PERCENT:
            at = bounds.moment(headers.get(f"{begin}-reset-at"))
            seconds = bounds.wait_seconds(headers.get(f"{begin}-reset-after-seconds"))
            resets.append((at or 0.0, seconds or 0.0))
    at, seconds = max(resets, default=(0.0, 0.0))
    return {"resets_at": at or None, "resets_in_seconds": seconds or None}


def _error_object(body: Any) -> ErrorObject:
    """Return the object in *body* with the message, type and code."""
    if isinstance(body, list) and body:
        body = body[0]  # Gemini's compatible endpoint wraps its envelope in a list
    if isinstance(body, str):
        return {"message": body}
    if not isinstance(body, dict):
        return {}
    for key in _ERROR_KEYS:
        inner = body.get(key)
        if isinstance(inner, dict):
            return _with_message(inner)
        if isinstance(inner, str) and inner:
            return cast(ErrorObject, {**body, "message": body.get("message") or inner})
        if isinstance(inner, list) and inner:  # FastAPI's validation errors, or those of a JSON API
            only = inner[0] if len(inner) == 1 and key != "detail" and isinstance(inner[0], dict) else {}
            return cast(ErrorObject, {**only, "message": _texts_of(inner) or body.get("message")})
    if isinstance(base := body.get("base_resp"), dict):
        number = base.get("status_code")
        code = _MINIMAX_CODES.get(number) if type(number) is int else None
        return {"message": base.get("status_msg"), "code": code or str(number)}
    return _with_message(body)


def _with_message(error: dict[str, Any]) -> ErrorObject:
    """Return *error* with its text as `message`, where the text has another name."""
    message = error.get("message")
    if not isinstance(message, str) and (text := _text_in(error)):
        error = {**error, "message": text}
    return cast(ErrorObject, error)


def _text_in(error: dict[str, Any]) -> str:
    """Return the text of *error*, "" if it has none: under a known name, perhaps in a list or object."""
    for key in _MESSAGE_KEYS:
        value = error.get(key)
        if isinstance(value, dict):  # Mistral's: `{"message": {"detail": […]}}`
            value = value.get("detail") or value.get("message")
        if isinstance(value, list):
            value = _texts_of(value)
        if isinstance(value, str) and value:
            return value
    return ""


def _texts_of(errors: list[Any]) -> str:
    """Return the texts of *errors*, each with the location that it names, if any."""
    texts = []
    for error in errors[:MAX_LISTED_ERRORS]:
        if isinstance(error, str):
            texts.append(error)
        elif isinstance(error, dict):
            text = next((error[key] for key in _MESSAGE_KEYS if isinstance(error.get(key), str)), "")
            place = error.get("loc")
            names = [str(name) for name in place if name != "body"] if isinstance(place, list | tuple) else []
            texts.append(f"{text}: {'.'.join(names)}" if names else text)
    return "; ".join(filter(None, texts))


def _rejection(
    error: Mapping[str, Any],
    headers: Mapping[str, str],
    *,
    status: int,
    upstream_status: int | None,
) -> UpstreamRejected:
    default_type, default_code = _NAMES_BY_STATUS.get(status) or (
        _CLIENT_ERROR if status < 500 else _UPSTREAM_ERROR
    )
    kind, code = _name(error.get("type")), _name(error.get("code"))
    if kind in ("error", "response.failed"):  # the type of the event, not of the error
        kind = None
    reported = code or kind
    if kind is None and code is None:
        code = default_code
    default_message = (
        "The upstream failed"
        if upstream_status is None
        else f"The upstream answered with status {upstream_status}"
    )
    seconds, resets_at = parse_wait(error, headers)
    rejection = UpstreamRejected(
        _message(error.get("message")) or default_message,
        status=status,
        type=kind or default_type,
        code=code,
        upstream_status=upstream_status,
        param=_name(error.get("param")),
        retry_after_seconds=seconds,
        resets_at=resets_at,
        extra=_extra(error),
    )
    rejection.upstream_code = reported if reported and is_plain_code(reported) else ""
    return rejection


def _message(value: Any) -> str | None:
    """Return a message for clients: no HTML, no secret, at most `MAX_MESSAGE_CHARS`; else None."""
    if not isinstance(value, str) or _MARKUP.match(value):
        return None
    return _SECRET.sub(HIDDEN, value.strip()[:MAX_MESSAGE_CHARS]) or None


def _extra(error: Mapping[str, Any]) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if plan := _short_text(error.get("plan_type")):
        extra["plan_type"] = plan
    if (seconds := bounds.wait_seconds(error.get("resets_in_seconds"))) is not None:
        extra["resets_in_seconds"] = int(seconds)
    return extra


def _name(value: Any) -> str | None:
    """Return a type, a code or a parameter for clients, in which some servers quote a key: without it."""
    name = _short_text(value)
    return _SECRET.sub(HIDDEN, name) if name else None


def _short_text(value: Any) -> str | None:
    return bounds.text(value, MAX_NAME_CHARS)


def _key(value: Any) -> str:
    return value.lower() if isinstance(value, str) else ""
