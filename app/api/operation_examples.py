"""Examples of requests and responses, by Flask endpoint. Tests compare them with real responses."""

from __future__ import annotations

from typing import Any

from app.api.codex_catalogue import DEFAULTS

MODEL = "gpt-5.5"
QUESTION = "What is the capital of France?"
REPLY = "The capital of France is Paris."

CHAT_REQUEST: dict[str, Any] = {
    "model": MODEL,
    "messages": [
        {"role": "system", "content": "You answer in one sentence."},
        {"role": "user", "content": QUESTION},
    ],
    "max_completion_tokens": 100,
}
CHAT: dict[str, Any] = {
    "id": "chatcmpl-8f2c51",
    "object": "chat.completion",
    "created": 1795968000,
    "model": MODEL,
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": REPLY, "refusal": None},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 25, "completion_tokens": 8, "total_tokens": 33},
}
RESPONSES_REQUEST: dict[str, Any] = {
    "model": MODEL,
    "instructions": "You answer in one sentence.",
    "input": QUESTION,
    "max_output_tokens": 100,
}
RESPONSE: dict[str, Any] = {
    "id": "resp_8f2c51",
    "object": "response",
    "created_at": 1795968000,
    "status": "completed",
    "model": MODEL,
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": REPLY, "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 25, "output_tokens": 8, "total_tokens": 33},
    "error": None,
    "incomplete_details": None,
}
CONVERSATION: dict[str, Any] = {
    "model": MODEL,
    "input": [
        {"type": "message", "role": "user", "content": QUESTION},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": REPLY}]},
    ],
}
COMPACTION: dict[str, Any] = {
    "id": "cmp_8f2c51",
    "object": "response.compaction",
    "created_at": 1795968000,
    "output": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": QUESTION}]},
        {"type": "compaction", "encrypted_content": "gAAAAA…"},
    ],
    "usage": {"input_tokens": 40, "output_tokens": 12, "total_tokens": 52},
}
SHOWN_MODEL = {"id": MODEL, "object": "model", "created": 1795968000, "owned_by": "openai"}
CATALOGUE_ENTRY = {
    "slug": MODEL,
    "display_name": MODEL,
    **DEFAULTS,
    "base_instructions": "You are a coding agent …",
    "context_window": 400_000,
    "prefer_websockets": False,
}
CODEX_USAGE: dict[str, Any] = {
    "plan_type": "pro",
    "rate_limit": {
        "allowed": True,
        "limit_reached": False,
        "primary_window": {
            "used_percent": 38,
            "limit_window_seconds": 18_000,
            "reset_after_seconds": 7200,
            "reset_at": 1795975200,
        },
        "secondary_window": {
            "used_percent": 61,
            "limit_window_seconds": 604_800,
            "reset_after_seconds": 324_000,
            "reset_at": 1796292000,
        },
    },
    "credits": {"has_credits": True, "unlimited": False, "balance": "12.5"},
    "additional_rate_limits": None,
}
TEXT_EVENT = {
    "event": "response.output_text.delta",
    "data": '{"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, '
    '"content_index": 0, "delta": "The capital", "sequence_number": 4}',
}
METRICS = """\
# TYPE poolgate_requests_total counter
poolgate_requests_total{endpoint="/v1/chat/completions",status="200"} 1520
"""
IMAGE_REQUEST = {"model": "gpt-image-1", "prompt": "A lighthouse in fog, watercolour", "size": "1024x1024"}
IMAGE = {"created": 1795968000, "data": [{"b64_json": "iVBORw0KGgo…"}]}

REQUESTS: dict[str, dict[str, Any]] = {
    "chat.create": CHAT_REQUEST,
    "basic_chat.create": CHAT_REQUEST,
    "extended_chat.create": CHAT_REQUEST | {"model": f"openai/{MODEL}"},
    "responses.create": RESPONSES_REQUEST,
    "codex.create": RESPONSES_REQUEST,
    "responses.compact": CONVERSATION,
    "codex.compact": CONVERSATION,
    "plain.embeddings": {"model": "text-embedding-3-small", "input": ["A lighthouse", "A beacon"]},
    "plain.moderations": {"model": "omni-moderation-latest", "input": "A text to classify"},
    "plain.completions": {"model": "gpt-3.5-turbo-instruct", "prompt": "Once upon a time", "max_tokens": 50},
    "plain.audio_speech": {"model": "gpt-4o-mini-tts", "input": "Good morning.", "voice": "alloy"},
    "plain.audio_transcriptions": {"model": "gpt-4o-transcribe", "file": "speech.mp3"},
    "plain.images_generations": IMAGE_REQUEST,
    "codex.images_generations": IMAGE_REQUEST,
    "plain.images_edits": IMAGE_REQUEST | {"image": "lighthouse.png"},
    "codex.images_edits": IMAGE_REQUEST | {"image": "lighthouse.png"},
}
RESPONSES: dict[str, Any] = {
    "chat.create": CHAT,
    "basic_chat.create": CHAT,
    "extended_chat.create": CHAT
    | {
        "extra_fields": {
            "request_type": "chat_completion",
            "provider": "openai",
            "model_requested": f"openai/{MODEL}",
            "model_deployment": MODEL,
            "latency": 812,
        }
    },
    "responses.create": RESPONSE,
    "responses.compact": COMPACTION,
    "codex.compact": COMPACTION,
    "models.index": {"object": "list", "data": [SHOWN_MODEL]},
    "models.show": SHOWN_MODEL,
    "usage.show": {
        "request_count": 1520,
        "total_tokens": 3_480_120,
        "cached_input_tokens": 1_210_000,
        "total_cost_usd": 12.84,
        "limits": [
            {
                "limit_type": "cost_usd",
                "limit_window": "monthly",
                "max_value": 50,
                "current_value": 12.84,
                "remaining_value": 37.16,
                "model_filter": None,
                "reset_at": 1796083200,
                "source": "api_key",
            }
        ],
        "upstream_limits": [],
        "account_pool_usage": None,
    },
    "plain.embeddings": {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.012, -0.034]}],
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    },
    "plain.moderations": {
        "id": "modr-1",
        "model": "omni-moderation-latest",
        "results": [{"flagged": False, "categories": {"violence": False}}],
    },
    "plain.completions": {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1795968000,
        "model": "gpt-3.5-turbo-instruct",
        "choices": [{"index": 0, "text": " there was a lighthouse.", "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 10},
    },
    "plain.audio_transcriptions": {"text": "Good morning."},
    "plain.images_generations": IMAGE,
    "codex.images_generations": IMAGE,
    "plain.images_edits": IMAGE,
    "codex.images_edits": IMAGE,
    "plain.audio_speech": "(the bytes of an MP3 file)",
    "codex.create": TEXT_EVENT,
    "codex.catalogue": {"models": [CATALOGUE_ENTRY], "object": "list", "data": [SHOWN_MODEL]},
    "codex_usage.show": CODEX_USAGE,
    "metrics.metrics": METRICS,
    "openapi.document": {"openapi": "3.1.0", "info": {"title": "Poolgate"}, "paths": {}},
    "openapi.page": "<!doctype html>…",
    "health.ready": {"status": "ready"},
    "health.live": {"status": "ok"},
}
ERROR: dict[str, Any] = {
    "error": {
        "message": "temperature must be a number",
        "type": "invalid_request_error",
        "code": "invalid_request_error",
        "param": "temperature",
    }
}
ERROR_WITH_DETAIL = ERROR | {
    "detail": [{"loc": ["body", "temperature"], "msg": "must be a number", "type": "value_error"}]
}
