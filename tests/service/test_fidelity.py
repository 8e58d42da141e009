"""
Nothing is dropped silently: every field reaches the upstream as the table of fields specifies, or is refused
or named as ignored; and every documented field of a response reaches the client.
"""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.kinds import KINDS
from app.translation.requests.field_support import CHAT, NEUTRAL, RESPONSES, TABLES, Support, support_for
from tests.service.test_basic_chat import basic
from tests.service.test_model_responses import events_of
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

Json = dict[str, Any]

FUNCTION: Json = {"name": "f", "parameters": {"type": "object", "properties": {}}}
FLAT: Json = {"type": "function", **FUNCTION}
TOOL: Json = {"type": "function", "function": FUNCTION}
IMAGE = "data:image/png;base64,iVBORw0KGgo="
PARTS: list[Json] = [
    {"type": "text", "text": "What is this?"},
    {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}},
    {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}},
]
SCHEMA: Json = {"name": "s", "schema": {"type": "object"}, "strict": True}
ALIASES: Json = {
    "reasoningEffort": "low",
    "reasoningSummary": "auto",
    "textVerbosity": "low",
    "thinking": "low",
    "enable_thinking": True,
    "promptCacheKey": "p",
    "reasoning_effort": "low",
}
COMMON: Json = {
    "parallel_tool_calls": False,
    "temperature": 0.5,
    "top_p": 0.5,
    "metadata": {"a": "b"},
    "service_tier": "flex",
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "explicit"},
    "prompt_cache_retention": "24h",
    "safety_identifier": "s",
    "user": "u",
    "moderation": {"model": "omni"},
    "client_metadata": {"a": "b"},
    "verbosity": "low",
    "text": {"verbosity": "low"},
    "reasoning": {"effort": "low"},
    "fallbacks": ["gpt-5.2"],
    **ALIASES,
}
CHAT_VALUES: Json = COMMON | {
    "model": "demo",
    "messages": [{"role": "user", "content": PARTS}],
    "stream": True,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
    "tools": [TOOL],
    "tool_choice": "required",
    "functions": [FUNCTION],
    "function_call": {"name": "f"},
    "max_completion_tokens": 500,
    "max_tokens": 400,
    "n": 2,
    "stop": ["END"],
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 3,
    "seed": 7,
    "response_format": {"type": "json_schema", "json_schema": SCHEMA},
    "modalities": ["text", "audio"],
    "audio": {"format": "wav", "voice": "alloy"},
    "prediction": {"type": "content", "content": "same"},
    "web_search_options": {"search_context_size": "low"},
    "store": True,
    "instructions": "Be brief.",
    "include": ["message.output_text.logprobs"],
    "cache_control": {"type": "ephemeral"},
}
RESPONSES_VALUES: Json = COMMON | {
    "model": "demo",
    "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
    "messages": [{"role": "user", "content": "Hi"}],
    "instructions": "Be brief.",
    "previous_response_id": "resp_1",
    "conversation": "conv_1",
    "store": False,
    "stream": True,
    "stream_options": {"include_obfuscation": False},
    "tools": [FLAT],
    "tool_choice": "required",
    "max_tool_calls": 3,
    "include": ["reasoning.encrypted_content"],
    "max_output_tokens": 500,
    "top_logprobs": 3,
    "truncation": "auto",
    "background": True,
    "prompt": {"id": "p"},
    "context_management": [{"type": "compaction"}],
    "image": {"size": "auto"},
    "access_programs": ["x"],
    "prompt_cache_breakpoint": {"mode": "explicit"},
}
# What a field means nothing, or is refused, without.
WITH: dict[str, Json] = {
    "top_logprobs": {"logprobs": True},
    "function_call": {"functions": [FUNCTION]},
    "tool_choice": {"tools": [TOOL]},
    "parallel_tool_calls": {"tools": [TOOL]},
    "audio": {"modalities": ["text", "audio"]},
    "stream_options": {"stream": True},
}
# All that the OpenAI API knows; it answers 400 to the rest.
CHAT_API = set(CHAT_VALUES) - {
    *("reasoning", "cache_control", "fallbacks", "instructions", "text", "include", "client_metadata"),
    *(name for name in ALIASES if name != "reasoning_effort"),
}
RESPONSES_API = set(RESPONSES_VALUES) - {
    *ALIASES,
    "verbosity",
    "messages",
    "prompt_cache_breakpoint",
    "fallbacks",
}
DELIVERY = ("stream", "stream_options")  # upstream requests are streamed with usage, or not at all
# Of fields that exclude one another, or mean the same, those that are omitted where all are sent.
NOT_WITH_OTHERS = {
    *("text", "function_call", "functions", "reasoning", "max_tokens", "web_search_options"),
    "messages",
}

V1, BASIC, EXTENDED, ITEMS = (
    "/v1/chat/completions",
    "/api/v1/openai/chat/completions",
    "/openai/v1/chat/completions",
    "/v1/responses",
)
# The request blocks of the documents, by endpoint.
BASIC_FIELDS = """
    messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens
    max_tokens metadata modalities n parallel_tool_calls prediction presence_penalty reasoning_effort
    response_format seed service_tier stop store stream stream_options temperature tool_choice tools
    top_logprobs top_p user web_search_options
"""
EXTENDED_FIELDS = """
    model messages stream max_tokens max_completion_tokens temperature top_p frequency_penalty
    presence_penalty logit_bias logprobs top_logprobs n stop seed user tools tool_choice
    parallel_tool_calls response_format
    reasoning_effort service_tier stream_options fallbacks reasoning cache_control
"""
ENDPOINTS: dict[str, tuple[str, list[str], Json]] = {
    V1: ("chat", list(CHAT), CHAT_VALUES),
    BASIC: ("chat", BASIC_FIELDS.split(), CHAT_VALUES),
    EXTENDED: ("chat", EXTENDED_FIELDS.split(), CHAT_VALUES),
    ITEMS: ("responses", list(RESPONSES), RESPONSES_VALUES),
}
ACCOUNTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "openai": ("openai", ("chat", "responses")),
    "chat only": ("compatible", ("chat",)),
    "responses only": ("compatible", ("responses",)),
    "chatgpt": ("chatgpt", ("responses",)),
    "demo": ("demo", ("chat", "responses")),
}


def test_every_field_of_the_table_has_a_value_here() -> None:
    assert set(CHAT_VALUES) == set(CHAT)
    assert set(RESPONSES_VALUES) == set(RESPONSES)


class Asker:
    """Sends bodies to one endpoint of a pool with one account, and reports what became of each field."""

    def __init__(self, pool: PoolOfTest, upstream: ScriptedUpstream, path: str, account: str) -> None:
        self.endpoint, self.fields, self.values = ENDPOINTS[path]
        self.kind, wires = ACCOUNTS[account]
        self.protocols = set(wires)
        url = f"{upstream.root_url()}/backend-api" if self.kind == "chatgpt" else upstream.base_url()
        pool.account("a", url, kind=self.kind, protocols=wires)
        key = pool.key()
        self._headers = basic("", key) if path == BASIC else {"Authorization": f"Bearer {key}"}
        self._pool, self._upstream, self._path, self._seen = pool, upstream, path, 0

    def least(self, *fields: str) -> Json:
        sent_text = "messages" if self.endpoint == "chat" or "messages" in fields else "input"
        value = "Hi" if sent_text == "input" else [{"role": "user", "content": "Hi"}]
        return {"model": "demo" if self.kind == "demo" else "gpt-4.1", sent_text: value}

    def send_request(self, body: Json) -> tuple[int, Json, list[str], Json]:
        """Return status, the error if any, the fields reported as ignored, and what the upstream saw."""
        response = self._pool.post(self._path, body, headers=self._headers)
        ignored = [name for name in response.headers.get("x-poolgate-ignored", "").split(", ") if name]
        if response.status_code >= 400:
            return response.status_code, response.json()["error"], ignored, {}
        seen = self._upstream.log()[self._seen :]
        self._seen += len(seen)
        return response.status_code, {}, ignored, seen[0].body or {}

    def support_for(self, field: str) -> Support:
        return support_for(self.endpoint, field, KINDS[self.kind].dialect, self.protocols)

    def fault(self, field: str) -> str | None:
        """Return how the field, sent alone, was handled differently from the table."""
        with_it = self.least(field) | (WITH.get(field, {}) if self.endpoint == "chat" else {})
        if self.endpoint == "responses" and field in ("tool_choice", "parallel_tool_calls"):
            with_it["tools"] = [FLAT]
        if field == "stream_options":
            with_it["stream"] = True
        before = self.send_request(with_it)[3] if field not in ("model", "messages", "input") else {}
        status, error, ignored, sent = self.send_request({**with_it, field: self.values[field]})
        match self.support_for(field):
            case Support.REFUSED | Support.NATIVE:
                named = error.get("param") in (field, *WITH.get(field, ()))
                return None if status == 400 and named else f"{status} {error}"
            case _ if status != 200:
                others = [name for name in with_it if self.support_for(name) is Support.NATIVE]
                return None if error.get("param") in others else f"{status} {error}"
            case Support.SENT | Support.TRANSLATED if field in DELIVERY:
                return None if sent["stream"] in (True, False) and field not in ignored else f"sent {sent}"
            case Support.SENT:
                return self._sent_fault(field, sent) or (f"ignored {ignored}" if field in ignored else None)
            case Support.TRANSLATED if self.values[field] == NEUTRAL.get(field):
                return None  # has no effect
            case Support.TRANSLATED if self.protocols == {"chat"} and field == "reasoningSummary":
                return None if "reasoning" in ignored else "not named"
            case Support.TRANSLATED:
                return self.strange(sent) or ("no trace of it" if sent == before else None)
            case Support.HONOURED:
                return f"sent {sent}" if field in sent or field in ignored else None
            case Support.IGNORED:
                silent = field not in ignored and NEUTRAL.get(field) != self.values[field]
                return f"sent {sent}, ignored {ignored}" if silent or sent != before else None
        return "no fate"

    def strange(self, sent: Json) -> str | None:
        """Return what the OpenAI API would answer 400 to, and other servers may ignore."""
        if self.kind != "openai":
            return None
        sent_text = set(sent) - (CHAT_API if "messages" in sent else RESPONSES_API)
        return f"unknown there: {sent_text}" if sent_text else None

    def _sent_fault(self, field: str, sent: Json) -> str | None:
        expected, got = self.values[field], sent.get(field)
        if self._path == EXTENDED and field == "reasoning":  # sent in the API's field
            got = {"effort": sent.get("reasoning_effort")}
        return None if got == expected else f"sent {got}"


@pytest.fixture
def asker(pool: PoolOfTest, upstream: ScriptedUpstream, path: str, account: str) -> Asker:
    return Asker(pool, upstream, path, account)


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("path", ENDPOINTS)
class TestRequests:
    def test_each_field_alone(self, asker: Asker) -> None:
        faults = {field: found for field in asker.fields if (found := asker.fault(field))}

        assert faults == {}

    def test_all_fields_together(self, asker: Asker) -> None:
        """Those of any one account; all ignored fields are reported."""
        fields = [
            field
            for field in asker.fields
            if field not in NOT_WITH_OTHERS
            and asker.support_for(field) not in (Support.NATIVE, Support.REFUSED)
        ]
        body = asker.least() | {field: asker.values[field] for field in fields}

        status, error, ignored, sent = asker.send_request(body)

        assert status == 200, error
        assert asker.strange(sent) is None
        as_it_is = [
            field for field in body if asker.support_for(field) is Support.SENT and field not in DELIVERY
        ]
        if (
            "instructions" in body
            and asker.support_for("instructions") is Support.TRANSLATED
            and "messages" in sent
        ):
            assert sent["messages"].pop(0) == {"role": "system", "content": body["instructions"]}
        assert {field: sent.get(field) for field in as_it_is} == {field: body[field] for field in as_it_is}
        not_reported = (
            {"reasoning"} if asker.endpoint == "responses" and asker.protocols == {"chat"} else set()
        )
        assert (
            set(ignored)
            == {field for field in body if asker.support_for(field) is Support.IGNORED} | not_reported
        )


def test_the_table_knows_no_other_endpoint() -> None:
    assert set(TABLES) == {endpoint for endpoint, _, _ in ENDPOINTS.values()}


LOGPROB: Json = {"token": "Hi", "logprob": -0.1, "bytes": [72, 105]}
MESSAGE_FIELDS: Json = {
    "name": "helper",
    "tool_call_id": "call_0",
    "refusal": "I would rather not",
    "audio": {"id": "audio_1", "data": "UklGRg==", "expires_at": 1, "transcript": "Hi"},
    "annotations": [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": 0,
                "end_index": 2,
                "title": "T",
                "url": "https://example.com",
                "sources": {"a": 1},
                "type": "page",
            },
        }
    ],
    "reasoning": "Hm.",
    "reasoning_details": [
        {
            "id": "rs_1",
            "index": 0,
            "type": "reasoning.summary",
            "summary": "Hm.",
            "text": "Hm.",
            "signature": "c2ln",
            "data": "ZGF0YQ==",
        }
    ],
}
CALL: Json = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
LOGPROBS: Json = {
    "content": [{**LOGPROB, "top_logprobs": [LOGPROB]}],
    "refusal": [{**LOGPROB, "top_logprobs": [LOGPROB]}],
    "text_offset": [0],
    "token_logprobs": [-0.1],
    "tokens": ["Hi"],
    "top_logprobs": [{"Hi": -0.1}],
}
USAGE: Json = {
    "prompt_tokens": 100,
    "prompt_tokens_details": {"text_tokens": 70, "audio_tokens": 10, "image_tokens": 20, "cached_tokens": 50},
    "completion_tokens": 50,
    "completion_tokens_details": {
        "text_tokens": 20,
        "accepted_prediction_tokens": 1,
        "audio_tokens": 10,
        "citation_tokens": 2,
        "num_search_queries": 3,
        "reasoning_tokens": 10,
        "image_tokens": 4,
        "rejected_prediction_tokens": 5,
        "cached_tokens": 6,
    },
    "total_tokens": 150,
}
TOP: Json = {
    "search_results": [
        {
            "title": "T",
            "url": "https://example.com",
            "date": "2026-01-01",
            "last_updated": "2026-01-02",
            "snippet": "s",
            "source": "web",
        }
    ],
    "videos": [
        {
            "url": "https://example.com/v",
            "thumbnail_url": "https://example.com/t",
            "thumbnail_width": 1,
            "thumbnail_height": 2,
            "duration": 3,
        }
    ],
    "citations": ["https://example.com"],
    "service_tier": "default",
    "system_fingerprint": "fp_1",
}
FRAME: Json = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4.1", **TOP}


def _chunk(delta: Json, finish: str | None = None, **choice: Any) -> Json:
    return {**FRAME, "choices": [{"index": 0, "delta": delta, "finish_reason": finish, **choice}]}


SCRIPT: Json = {
    "play": "chat_events",
    "events": [
        _chunk({"role": "assistant", "content": "Hi", **MESSAGE_FIELDS}, text="Hi", logprobs=LOGPROBS),
        _chunk({"tool_calls": [CALL]}),
        _chunk({}, "tool_calls"),
        {**FRAME, "choices": [], "usage": USAGE},
    ],
}
EXTRA: Json = {
    "request_type": "",
    "provider": "openai",
    "model_requested": "",
    "model_deployment": "",
    "latency": 0,
    "raw_request": {"model": ""},
    "raw_response": {"events": []},
    # a semantic cache would report more
    "cache_debug": {"cache_hit": False, "cache_id": ""},
}
COST: Json = {"input_tokens_cost": 0, "output_tokens_cost": 0, "request_cost": 0, "total_cost": 0}


def paths(value: Any, place: str = "") -> set[str]:
    """Return the place of everything in *value*, elements of arrays as one."""
    if isinstance(value, list):
        return {found for one in value for found in paths(one, f"{place}[]")} | {place}
    if isinstance(value, dict):
        return {found for name, one in value.items() for found in paths(one, f"{place}.{name}")} | {place}
    return {place}


@pytest.mark.parametrize("path", [V1, BASIC, EXTENDED])
@pytest.mark.parametrize("stream", [False, True])
def test_every_documented_field_of_a_response(
    pool: PoolOfTest, upstream: ScriptedUpstream, path: str, stream: bool
) -> None:
    """All endpoints pass on everything an upstream sends; one adds what it documents."""
    pool.account("a", upstream.base_url())
    upstream.script(SCRIPT)
    key = pool.key(raw=True)
    headers = basic("", key) | {
        "x-bf-cache-key": "c",
        "x-bf-send-back-raw-request": "true",
        "x-bf-send-back-raw-response": "true",
    }
    if path == V1:
        headers["Authorization"] = f"Bearer {key}"
    body = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
    response = pool.post(path, {**body, "stream_options": {"include_usage": True}}, headers=headers)
    assert response.status_code == 200, response.text

    sent_text = "delta" if stream else "message"
    calls = {"tool_calls": [CALL if stream else {n: v for n, v in CALL.items() if n != "index"}]}
    choice = {"index": 0, "finish_reason": "", "logprobs": LOGPROBS, "text": "Hi"}
    choice[sent_text] = {"role": "assistant", "content": "Hi", **MESSAGE_FIELDS, **calls}
    expected: Json = {**FRAME, "choices": [choice], "usage": USAGE}
    if path == EXTENDED:
        choice["log_probs"] = LOGPROBS
        reply = {**EXTRA, "chunk_index": 0} if stream else EXTRA
        expected |= {"usage": {**USAGE, "cost": COST}, "extra_fields": reply}
    got = (
        [response.json()]
        if not stream
        else [event for event in events_of(response.text) if event != "[DONE]"]
    )

    assert paths(expected) - {found for one in got for found in paths(one)} == set()
    usage = {name: n for name, n in got[-1]["usage"].items() if name != "cost"}
    assert usage == USAGE
