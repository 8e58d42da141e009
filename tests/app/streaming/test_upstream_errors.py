from __future__ import annotations

import orjson
import pytest

from app.errors import UpstreamRejected
from app.streaming.upstream_errors import (
    MAX_MESSAGE_CHARS,
    STATUS_BY_CODE,
    has_failed_base,
    rejection_from_body,
    rejection_from_event,
    reports_error,
)


def body(payload: object, status: int = 400, **headers: str) -> UpstreamRejected:
    return rejection_from_body(status, orjson.dumps(payload), headers)


def facts(error: UpstreamRejected) -> tuple[str, str, str | None]:
    return error.message, error.type, error.code


class TestEventShapes:
    ERROR = {
        "message": "no more",
        "type": "rate_limit_error",
        "code": "rate_limit_exceeded",
        "param": "model",
    }

    @pytest.mark.parametrize(
        "payload",
        [
            {"error": ERROR},
            {"type": "error", "error": ERROR, "sequence_number": 3},
            {"type": "error", "status": 429, "error": ERROR, "headers": {}},
            {"type": "response.failed", "response": {"id": "resp_1", "status": "failed", "error": ERROR}},
            {"object": "chat.completion.chunk", "choices": [{"finish_reason": "error"}], "error": ERROR},
        ],
    )
    def test_nested(self, payload):
        error = rejection_from_event(payload)

        assert facts(error) == ("no more", "rate_limit_error", "rate_limit_exceeded")
        assert (error.status, error.upstream_status, error.param) == (429, None, "model")

    def test_flat(self):
        """`type` names the event here, not the error."""
        error = rejection_from_event(
            {"type": "error", "code": "server_error", "message": "sorry", "param": None, "sequence_number": 1}
        )

        assert facts(error) == ("sorry", "server_error", "server_error")
        assert error.status == 502

    @pytest.mark.parametrize(
        ("number", "code", "status"),
        [
            (1002, "rate_limit_exceeded", 429),
            (1004, "invalid_api_key", 401),
            (1008, "insufficient_quota", 429),
        ],
    )
    def test_minimax(self, number, code, status):
        """MiniMax reports a failure in the object of a response, which has no choices."""
        payload = {"id": "x", "choices": None, "base_resp": {"status_code": number, "status_msg": "No."}}

        error = rejection_from_event(payload)

        assert (error.message, error.code, error.status) == ("No.", code, status)
        assert has_failed_base(payload)

    @pytest.mark.parametrize("base", [{"status_code": 0, "status_msg": "success"}, {}, None, "no"])
    def test_minimax_without_a_failure(self, base):
        assert not has_failed_base({"choices": [], "base_resp": base})

    def test_minimax_with_a_response(self):
        base = {"status_code": 1002, "status_msg": "No."}

        assert not has_failed_base({"choices": [{"index": 0}], "base_resp": base})

    def test_a_prompt_that_is_too_long_is_the_callers_fault(self):
        too_long = rejection_from_event({"error": {"message": "Prompt exceeds max length", "code": "1261"}})

        assert (too_long.status, too_long.code) == (400, "1261")

    def test_text(self):
        assert facts(rejection_from_event({"error": "sorry"})) == ("sorry", "server_error", "upstream_error")

    @pytest.mark.parametrize(
        "payload",
        [
            {"error": ["no", "no way"]},
            {"errors": [{"message": "no"}, {"title": "no way"}, {"x": 1}, None, 5]},
            {"detail": ["no", {"msg": "no way"}]},
            {"errors": ["no", "no way", *[""] * 30, "nothing"]},
        ],
    )
    def test_several(self, payload):
        assert rejection_from_event(payload).message == "no; no way"

    def test_the_only_one_of_a_list(self):
        payload = {"errors": [{"message": "no", "code": "rate_limit_exceeded"}]}

        assert facts(rejection_from_event(payload)) == ("no", "rate_limit_error", "rate_limit_exceeded")

    @pytest.mark.parametrize(
        ("payload", "is_one"),
        [
            ({"detail": "no"}, True),
            ({"errors": ["no"]}, True),
            ({"message": "no", "code": 1, "request_id": "x"}, True),
            ({"msg": "no", "success": False}, True),
            ({"object": "error"}, True),
            ({"message": "Loading the model", "progress": 7}, False),
            ({"message": {"role": "assistant"}}, False),
            ({"message": ""}, False),
            ({"detail": None, "errors": [], "error": None}, False),
            ({"type": "ping"}, False),
            ({}, False),
        ],
    )
    def test_what_is_one(self, payload, is_one):
        assert reports_error(payload) is is_one

    def test_older_flat(self):
        """`{"object": "error", …}` with a type of its own and the status as code."""
        error = rejection_from_event(
            {"object": "error", "message": "too long", "type": "BadRequestError", "param": None, "code": 400}
        )

        assert facts(error) == ("too long", "BadRequestError", None)
        assert error.status == 400

    @pytest.mark.parametrize(
        "payload",
        [
            {"type": "error"},
            {"type": "error", "error": None},
            {"type": "error", "error": {}},
            {"type": "response.failed"},
            {"type": "response.failed", "response": None},
            {"type": "response.failed", "response": {"error": None}},
            {"error": {"message": "", "type": 4, "code": []}},
        ],
    )
    def test_nothing_usable(self, payload):
        assert facts(rejection_from_event(payload)) == (
            "The upstream failed",
            "server_error",
            "upstream_error",
        )
        assert rejection_from_event(payload).status == 502


class TestEventStatus:
    def test_the_table(self):
        assert STATUS_BY_CODE == {
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
            "context_length_exceeded": 400,
            "invalid_prompt": 400,
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
            "previous_response_not_found": 502,
        }

    @pytest.mark.parametrize(("word", "status"), STATUS_BY_CODE.items())
    def test_by_code_else_by_type(self, word, status):
        assert rejection_from_event({"error": {"message": "x", "code": word}}).status == status
        assert rejection_from_event({"error": {"message": "x", "type": word}}).status == status
        assert rejection_from_event({"error": {"message": "x", "code": word.upper()}}).status == status

    def test_code_comes_first(self):
        error = {"code": "insufficient_quota", "type": "invalid_request_error"}

        assert rejection_from_event({"error": error}).status == 429

    def test_type_decides_for_an_unknown_code(self):
        error = {"code": "unsupported_value", "type": "invalid_request_error"}

        assert rejection_from_event({"error": error}).status == 400

    def test_previous_response_is_no_fault_of_the_caller(self):
        error = {"code": "previous_response_not_found", "type": "invalid_request_error"}

        assert rejection_from_event({"error": error}).status == 502

    @pytest.mark.parametrize(
        "code", ["server_error", "overloaded_error", "something_new", "", None, True, [], 200]
    )
    def test_everything_else(self, code):
        assert rejection_from_event({"error": {"message": "x", "code": code}}).status == 502

    def test_number_as_code_is_a_status(self):
        assert rejection_from_event({"error": {"message": "x", "code": 503}}).status == 503

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            ("rate_limit_exceeded", "rate_limit_error"),
            ("token_invalidated", "authentication_error"),
            ("context_length_exceeded", "invalid_request_error"),
            ("no_accounts", "server_error"),
            ("other", "server_error"),
        ],
    )
    def test_type_missing_follows_the_status(self, code, kind):
        assert facts(rejection_from_event({"error": {"message": "x", "code": code}})) == ("x", kind, code)


class TestBodyShapes:
    def test_envelope_passes(self):
        envelope = {
            "message": "bad",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }
        error = body({"error": envelope}, 404)

        assert error.envelope() == {"error": envelope}
        assert (error.status, error.upstream_status) == (404, 404)

    def test_code_null_stays(self):
        assert body({"error": {"message": "bad", "type": "invalid_request_error", "code": None}}).code is None

    @pytest.mark.parametrize(
        "payload",
        [
            {"detail": "no"},
            {"message": "no"},
            {"error": "no"},
            {"error": "No Way", "message": "no"},
            {"detail": {"message": "no"}},
            {"detail": [{"loc": ["body"], "msg": "no", "type": "missing"}]},
            [{"error": {"message": "no"}}],
            "no",
        ],
    )
    def test_other_json(self, payload):
        assert facts(body(payload, 400)) == ("no", "invalid_request_error", "invalid_request_error")
        assert facts(body(payload, 500)) == ("no", "server_error", "upstream_error")

    def test_detail_with_code(self):
        error = body({"detail": {"code": "deactivated_workspace"}}, 402)

        assert facts(error) == (
            "The upstream answered with status 402",
            "invalid_request_error",
            "deactivated_workspace",
        )

    def test_plain_text(self):
        assert rejection_from_body(503, b" overloaded\n", {}).message == "overloaded"

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"  ",
            b"{}",
            b"[]",
            b"null",
            b"7",
            b'{"error":null}',
            b'{"message":"<html>"}',
            b"<!DOCTYPE html><p>secret",
            b"\n<html>",
        ],
    )
    def test_nothing_to_quote(self, data):
        """A page is for browsers, not for the message of an API."""
        error = rejection_from_body(502, data, {})

        assert facts(error) == ("The upstream answered with status 502", "server_error", "upstream_error")

    def test_a_message_in_angle_brackets_is_no_page(self):
        """DashScope begins its messages with the status."""
        message = "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]"
        body = orjson.dumps({"error": {"message": message, "type": "invalid_request_error"}})

        assert rejection_from_body(400, body, {}).message == message
        assert rejection_from_body(400, message.encode(), {}).message == message

    def test_bytes_that_are_no_text(self):
        assert rejection_from_body(500, b"\xff\xfe", {}).message

    def test_long_message_is_cut(self):
        assert len(rejection_from_body(500, b"x" * 100_000, {}).message) == MAX_MESSAGE_CHARS
        assert len(body({"error": {"message": "x" * 5000}}).message) == MAX_MESSAGE_CHARS

    @pytest.mark.parametrize("secret", ["sk-proj-abcDEF123", "Bearer abc.def", "eyJhbGciOi.eyJzdWIi.c2ln"])
    def test_credentials_are_hidden(self, secret):
        error = body({"error": {"message": f"Incorrect API key provided: {secret}, see the docs"}}, 401)

        assert secret not in error.message
        assert "see the docs" in error.message

    @pytest.mark.parametrize("secret", ["sk-proj-abcDEF123", "key_sk-proj-abcDEF123", "Bearer abc.def"])
    @pytest.mark.parametrize("name", ["type", "code", "param"])
    def test_credentials_are_hidden_in_names(self, secret, name):
        error = body({"error": {"message": "x", name: secret}}, 401)

        assert getattr(error, name).endswith("[hidden]")
        assert secret not in str(error.envelope())


class TestBodyStatus:
    @pytest.mark.parametrize(
        ("status", "kind", "code"),
        [
            (400, "invalid_request_error", "invalid_request_error"),
            (401, "authentication_error", "invalid_api_key"),
            (403, "invalid_request_error", "invalid_request_error"),
            (404, "invalid_request_error", "invalid_request_error"),
            (422, "invalid_request_error", "invalid_request_error"),
            (429, "rate_limit_error", "rate_limit_exceeded"),
            (500, "server_error", "upstream_error"),
            (503, "server_error", "upstream_error"),
        ],
    )
    def test_names_when_the_upstream_gives_none(self, status, kind, code):
        error = rejection_from_body(status, b"no", {})

        assert (error.status, error.upstream_status, error.type, error.code) == (status, status, kind, code)

    @pytest.mark.parametrize("status", [302, 204, 600, 999])
    def test_status_that_is_not_an_error(self, status):
        assert (body({}, status).status, body({}, status).upstream_status) == (502, status)


class TestLimits:
    def test_usage_limit_of_the_chatgpt_backend(self):
        error = body(
            {
                "error": {
                    "type": "usage_limit_reached",
                    "message": "The usage limit has been reached",
                    "plan_type": "plus",
                    "resets_at": 1738888888,
                    "eligible_promo": None,
                    "resets_in_seconds": 7200,
                }
            },
            429,
        )

        assert error.envelope() == {
            "error": {
                "message": "The usage limit has been reached",
                "type": "usage_limit_reached",
                "code": None,
                "plan_type": "plus",
                "resets_at": 1738888888,
                "resets_in_seconds": 7200,
            }
        }
        assert error.retry_after_seconds == 7200

    def test_the_same_inside_a_stream(self):
        error = rejection_from_event(
            {
                "type": "response.failed",
                "response": {"error": {"code": "usage_limit_reached", "resets_at": 99}},
            }
        )

        assert (error.status, error.resets_at) == (429, 99)

    def test_header_names_in_any_case(self):
        assert body({}, 429, **{"Retry-After": "7"}).retry_after_seconds == 7

    def test_odd_values_are_left_out(self):
        error = body({"error": {"plan_type": 5, "resets_at": "soon", "resets_in_seconds": -1}}, 429)

        assert set(error.envelope()["error"]) == {"message", "type", "code"}


class TestResetOfAFamily:
    """Where the body does not name the end of the limit that was reached, its headers do."""

    ACTIVE = {"x-codex-active-limit": "codex_small", "date": "Sun, 29 Mar 2026 00:00:00 GMT"}
    SENT_AT = 1_774_742_400

    def windows(self, **primary_and_secondary: dict[str, object]) -> dict[str, str]:
        return self.ACTIVE | {
            f"x-codex-small-{window}-{name}": str(value)
            for window, values in primary_and_secondary.items()
            for name, value in values.items()
        }

    def reset(self, payload: object, headers: dict[str, str]) -> tuple[float | None, float | None]:
        error = rejection_from_body(429, orjson.dumps(payload), headers)
        return error.retry_after_seconds, error.resets_at

    @pytest.mark.parametrize(
        ("primary", "secondary", "seconds"),
        [
            ({"reset-at": SENT_AT + 600}, {}, 600),
            ({"reset-after-seconds": 600}, {}, 600),
            ({"reset-at": "", "reset-after-seconds": 600}, {}, 600),
            ({"reset-at": SENT_AT + 600}, {"used-percent": 100, "reset-at": SENT_AT + 7200}, 7200),
            ({"reset-at": SENT_AT + 600}, {"used-percent": 99, "reset-at": SENT_AT + 7200}, 600),
            ({}, {}, None),
            ({"reset-at": "1e300"}, {}, None),
            ({"reset-after-seconds": "NaN"}, {}, None),
            ({"reset-at": SENT_AT + 400 * 86_400}, {}, None),
            ({"reset-after-seconds": 400 * 86_400}, {}, None),
        ],
    )
    def test_of_its_full_windows(
        self, primary: dict[str, object], secondary: dict[str, object], seconds: float | None
    ) -> None:
        headers = self.windows(primary={"used-percent": 100, **primary}, secondary=secondary)
        error = {"error": {"type": "usage_limit_reached", "message": "Reached", "resets_at": None}}

        assert self.reset(error, headers)[0] == seconds

    def test_the_body_comes_first(self) -> None:
        headers = self.windows(primary={"used-percent": 100, "reset-after-seconds": 7200})

        assert self.reset({"error": {"code": "x", "resets_in_seconds": 60}}, headers) == (60, None)
        assert self.reset({"error": {"code": "x", "resets_at": self.SENT_AT + 60}}, headers)[0] == 60

    def test_of_the_main_limit(self) -> None:
        """It is a usage window, which is reported apart, and may be full without being the reason."""
        headers = {"x-codex-primary-used-percent": "100", "x-codex-primary-reset-after-seconds": "600"}

        assert self.reset({"error": {"code": "rate_limit_exceeded"}}, headers) == (None, None)
