"""
Malformed and hostile requests: refused with a 4xx in the envelope, and nothing is touched.

No byte reaches an upstream, no lease is taken and the ledger has no row. Sockets are raw where
a well-mannered client could not even send such a thing.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.test_model_responses import BODIES, PATHS
from tests.support.gateway import PoolOfTest
from tests.support.raw_http import RawResponse, head, send
from tests.support.upstream_client import ScriptedUpstream

MIB = 1024 * 1024
endpoints = pytest.mark.parametrize("endpoint", PATHS)
thrown = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    print_blob=True,
)


class Target:
    """A pool with one account, and a key that may use it."""

    def __init__(self, pool: PoolOfTest) -> None:
        self.url = pool.gateway.url
        self.authorization = f"Bearer {pool.key()}"
        self._session = requests.Session()

    def raw(self, endpoint: str, *data: bytes, lines: tuple[str, ...] = (), **headers: str) -> RawResponse:
        """Send a head with *lines* and *headers*, then *data*, and close the sending side."""
        headers = {"Authorization": self.authorization, **headers}
        return send(self.url, head("POST", PATHS[endpoint], *lines, **headers), *data, then_close=True)

    def sized(self, endpoint: str, data: bytes, **headers: str) -> RawResponse:
        return self.raw(endpoint, data, **{"Content_Length": str(len(data)), **headers})

    def post(self, endpoint: str, data: bytes, **headers: str) -> requests.Response:
        """Send correctly, on a persistent connection."""
        headers = {"Authorization": self.authorization, "Content-Type": "application/json", **headers}
        return self._session.post(self.url + PATHS[endpoint], data=data, headers=headers, timeout=30)

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def target(pool: PoolOfTest, upstream: ScriptedUpstream) -> Iterator[Target]:
    pool.account("a", upstream.base_url())
    target = Target(pool)
    yield target
    target.close()


@pytest.fixture
def untouched(target: Target, pool: PoolOfTest, upstream: ScriptedUpstream) -> Iterator[Target]:
    """A target of which nothing may be used."""
    yield target
    assert upstream.log() == []
    assert (pool.open_leases(), pool.in_flight(), pool.rows()) == (0, 0, [])


def refused(response: RawResponse | requests.Response, status: int = 400) -> dict[str, Any]:
    """Return the envelope's inside, after a look at all else."""
    body = response.content if isinstance(response, requests.Response) else response.body
    reply = response.status_code if isinstance(response, requests.Response) else response.status
    assert reply == status, body
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    assert response.headers["x-should-retry"] == "false"
    error: dict[str, Any] = json.loads(body)["error"]
    assert error.keys() <= {"message", "type", "code", "param"}
    assert error["type"] == "invalid_request_error"
    return error


def with_text(text: bytes) -> bytes:
    return b'{"model": "m", "input": ' + text + b', "messages": [{"role": "user", "content": ' + text + b"}]}"


NO_JSON = {
    "nothing": b"",
    "spaces": b"  \r\n ",
    "null": b"null",
    "a number": b"1",
    "a string": b'"{}"',
    "an array": b'[{"model": "m"}]',
    "an open object": b'{"model": "m"',
    "an open string": b'{"model": "m',
    "two objects": b'{"model": "m"}{"model": "m"}',
    "a comma at the end": b'{"model": "m",}',
    "no quotes": b'{model: "m"}',
    "single quotes": b"{'model': 'm'}",
    "a comment": b'{"model": "m" /* or n */}',
    "NaN": with_text(b"NaN"),
    "infinity": with_text(b"Infinity"),
    "a number past every double": with_text(b"1e999"),
    "a number of many digits": with_text(b"1" * 5000),
    "a leading zero": with_text(b"01"),
    "a bare NUL": with_text(b'"a\x00b"'),
    "a bare line feed": with_text(b'"a\nb"'),
    "a lone surrogate": with_text(rb'"\ud83d"'),
    "surrogates in reverse": with_text(rb'"\ude00\ud83d"'),
    "a broken escape": with_text(rb'"\u12g4"'),
    "a surrogate in UTF-8": with_text(b'"\xed\xa0\xbd"'),
    "overlong UTF-8": with_text(b'"\xc0\xaf"'),
    "cut UTF-8": with_text(b'"\xe2\x82"'),
    "Latin-1": with_text(b'"caf\xe9"'),
    "UTF-16": '{"model": "m"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"model": "m"}',
    "a form": b"model=m&input=Hello",
    "arrays without end": b"[" * 100_000,
    "objects without end": b'{"a":' * 100_000,
    "deeper than any parser goes": with_text(b"[" * 5000 + b"]" * 5000),
    "deeper than we write": with_text(b"[" * 300 + b"]" * 300),
    "undeclared gzip": gzip.compress(b"{}"),
}


@endpoints
@pytest.mark.parametrize("name", NO_JSON)
def test_what_is_no_json_object(untouched: Target, endpoint: str, name: str) -> None:
    error = refused(untouched.sized(endpoint, NO_JSON[name], Content_Type="application/json"))

    assert error["code"] == "invalid_request_error"
    assert "param" not in error
    assert len(error["message"]) < 200


@endpoints
def test_of_two_keys_the_last_counts(untouched: Target, endpoint: str) -> None:
    data = json.dumps(BODIES[endpoint]).encode().replace(b"{", b'{"model": "m", ', 1)[:-1] + b', "model": 1}'

    assert refused(untouched.sized(endpoint, data))["param"] == "model"


# Values of the wrong type for each type. Null is not included: it means absence.
NOT: dict[str, list[Any]] = {
    "string": [0, 1.5, True, [], {}, ["m"]],
    "flag": [0, 1, "true", "", [], {}],
    "integer": ["1", 1.5, True, [], {}, 2**64, -(2**70), 1e300],
    "number": ["1", "NaN", True, [], {}],
    "array": [0, "x", True, {}],
    "object": [0, "x", True, []],
    "string or object": [0, True, [], "nonsense"],
    "string or strings": [0, True, {}, [1], [None], [["x"]]],
    "input": [0, 1.5, True, {}, [1], [None], ["x"], [[]]],
    "messages": [0, "x", True, {}, [], [1], [None], ["x"], [[]], [{}], [{"role": 1}], [{"role": "function"}]],
    "absent": [0, "", "x", True, [], {}],
}
FIELDS: dict[str, dict[str, str]] = {
    "chat": {
        "model": "string",
        "messages": "messages",
        "tools": "array",
        "tool_choice": "string or object",
        "parallel_tool_calls": "flag",
        "stream": "flag",
        "stream_options": "object",
        "temperature": "number",
        "top_p": "number",
        "max_tokens": "integer",
        "max_completion_tokens": "integer",
        "response_format": "string or object",
        "stop": "string or strings",
        "presence_penalty": "number",
        "frequency_penalty": "number",
        "logprobs": "flag",
        "top_logprobs": "integer",
        "seed": "integer",
        "n": "integer",
        "store": "flag",
        "reasoning_effort": "string",
    },
    "responses": {
        "model": "string",
        "input": "input",
        "messages": "messages",
        "instructions": "string",
        "tools": "array",
        "tool_choice": "string or object",
        "parallel_tool_calls": "flag",
        "reasoning": "object",
        "text": "object",
        "stream": "flag",
        "include": "array",
        "conversation": "string",
        "previous_response_id": "absent",
        "store": "flag",
        "truncation": "absent",
        "prompt_cache_key": "string",
        "service_tier": "string",
    },
}


@pytest.mark.parametrize(
    ("endpoint", "field"), [(endpoint, field) for endpoint, fields in FIELDS.items() for field in fields]
)
def test_the_wrong_type(untouched: Target, endpoint: str, field: str) -> None:
    """Each is refused by the field's plain name."""
    body = dict(BODIES[endpoint])
    if (endpoint, field) == ("responses", "messages"):
        del body["input"]
    for value in NOT[FIELDS[endpoint][field]]:
        error = refused(untouched.post(endpoint, json.dumps({**body, field: value}).encode()))

        assert error["param"] == field, value
        assert error["message"].startswith(field), value


@endpoints
@pytest.mark.parametrize("field", ["model", "messages", "input"])
def test_what_is_missing(untouched: Target, endpoint: str, field: str) -> None:
    if field not in BODIES[endpoint]:
        return
    without = {name: value for name, value in BODIES[endpoint].items() if name != field}

    for body in (without, {**without, field: None}):
        assert refused(untouched.post(endpoint, json.dumps(body).encode()))["param"] == field


def bomb(mib: int) -> bytes:
    return b'{"model": "m", "input": "' + b" " * (mib * MIB) + b'"}'


# name -> (Content-Encoding, body)
MISPACKED: dict[str, tuple[str, bytes]] = {
    "no gzip": ("gzip", b"{}"),
    "no deflate": ("deflate", b"{}"),
    "no zstd": ("zstd", b"{}"),
    "no gzip at all": ("gzip", b""),
    "a zstd magic number": ("zstd", b"\x28\xb5\x2f\xfd"),
    "a zstd window of terabytes": ("zstd", b"\x28\xb5\x2f\xfd\x00\xf8" + b"\0" * 20),
    "cut gzip": ("gzip", gzip.compress(b'{"model": "m"}')[:-9]),
    "gzip once of twice": ("gzip, gzip", gzip.compress(b"{}")),
    "the wrong order": ("gzip, zstd", gzip.compress(zstandard.compress(b"{}"))),
    "identity and no gzip": ("identity, gzip", b"{}"),
    "brotli": ("br", b"{}"),
    "compress": ("compress", b"{}"),
    "a storage service's": ("aws-chunked", b"{}"),
    "a quality": ("gzip; q=1", gzip.compress(b"{}")),
    "Latin-1": ("\xff", b"{}"),
    "a long name": ("x" * 5000, b"{}"),
    "a thousand layers": (", ".join(["gzip"] * 1000), gzip.compress(b"{}")),
}


class TestPacking:
    @endpoints
    @pytest.mark.parametrize("name", MISPACKED)
    def test_a_body_that_is_not_packed_so(self, untouched: Target, endpoint: str, name: str) -> None:
        encoding, data = MISPACKED[name]

        error = refused(untouched.sized(endpoint, data, Content_Encoding=encoding))

        assert "param" not in error
        assert len(error["message"]) < 200

    @pytest.mark.parametrize(
        ("endpoint", "encoding", "mib"),
        [
            ("chat", "gzip", 33),
            ("chat", "deflate", 33),
            ("chat", "zstd", 33),
            ("responses", "zstd", 129),
        ],
    )
    def test_a_bomb(self, untouched: Target, endpoint: str, encoding: str, mib: int) -> None:
        pack = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress}
        data = bomb(mib)
        for name in encoding.split(", "):
            data = pack[name](data)

        assert refused(untouched.sized(endpoint, data, Content_Encoding=encoding), 413)["code"] == (
            "payload_too_large"
        )

    def test_a_stream_of_chunks_without_end(self, untouched: Target) -> None:
        """Its size is unknown before it is past the limit."""
        chunk = b"%x\r\n%b\r\n" % (MIB, b" " * MIB)
        response = untouched.raw("chat", *[chunk] * 33, Transfer_Encoding="chunked")

        assert refused(response, 413)["code"] == "payload_too_large"


COMPLETE = {endpoint: json.dumps(body).encode() for endpoint, body in BODIES.items()}
CHUNKED = ("Transfer-Encoding: chunked",)
# name -> (lines of the head, body); without a length header
MISFRAMED: dict[str, tuple[tuple[str, ...], bytes | None]] = {
    "a negative length": (("Content-Length: -5",), None),
    "a length in words": (("Content-Length: five",), None),
    "a signed length": (("Content-Length: +5",), None),
    "a hexadecimal length": (("Content-Length: 0x10",), None),
    "two lengths": (("Content-Length: 5", "Content-Length: 9"), None),
    "a list of lengths": (("Content-Length: 5, 5",), None),
    "a length and chunks": (("Content-Length: 5", *CHUNKED), b"5\r\nhello\r\n0\r\n\r\n"),
    "more promised than sent": (("Content-Length: 5000",), None),
    "less promised than sent": (("Content-Length: 5",), None),
    "no length at all": ((), None),
    "chunks of no size": (CHUNKED, b"zz\r\nhello\r\n0\r\n\r\n"),
    "chunks of negative size": (CHUNKED, b"-5\r\nhello\r\n0\r\n\r\n"),
    "chunks of every size": (CHUNKED, b"f" * 30 + b"\r\nhello\r\n0\r\n\r\n"),
    "chunks without their end": (CHUNKED, b"5\r\nhelloworld\r\n0\r\n\r\n"),
    "chunks without the last": (CHUNKED, b"2\r\n{}\r\n"),
    "chunked twice": (("Transfer-Encoding: chunked, chunked",), b"2\r\n{}\r\n0\r\n\r\n"),
    "a transfer coding alone": (("Transfer-Encoding: gzip",), None),
}
NOT_JSON = "not valid JSON"
TOO_MANY = "too many trailers, or one is too long"
MAX_TRAILER_BYTES = 16_380 - 2  # with its line end, see app/server/gunicorn_settings.py
HEADS: dict[str, tuple[str, ...]] = {
    "a space in a name": ("X Y: 1",),
    "an empty name": (": 1",),
    "no colon": ("X-Y",),
    "a NUL": ("X-Y: a\x00b",),
    "a carriage return": ("X-Y: a\rb",),
    "a folded line": ("X-Y: a", " b"),
    "a control character in the key": ("Authorization: Bearer sk-pg-\x01",),
}


class TestFraming:
    @endpoints
    @pytest.mark.parametrize("name", MISFRAMED)
    def test_bodies(self, untouched: Target, endpoint: str, name: str) -> None:
        lines, data = MISFRAMED[name]

        refused(untouched.raw(endpoint, COMPLETE[endpoint] if data is None else data, lines=lines))

    @pytest.mark.parametrize(
        ("trailers", "message"),
        [
            ([b"X-Sum: 1"] * 100, NOT_JSON),
            ([b"X-Sum: 1"] * 101, TOO_MANY),
            ([b"X-Sum: 1"] * 10_000, TOO_MANY),
            ([b"X-Sum: ".ljust(MAX_TRAILER_BYTES, b"x")], NOT_JSON),
            ([b"X-Sum: ".ljust(MAX_TRAILER_BYTES + 1, b"x")], TOO_MANY),
            ([b"X-Sum: ".ljust(3 * MIB, b"x")], TOO_MANY),
            ([b"X-%d: ".ljust(MAX_TRAILER_BYTES, b"x") % number for number in range(10, 100)], NOT_JSON),
            ([b"no colon"], "does not match its headers"),
            ([b"Content-Length: 5"], "does not match its headers"),
        ],
    )
    def test_trailers(self, untouched: Target, trailers: list[bytes], message: str) -> None:
        """They have the bounds of a head; what is within these is ignored, and the body is looked at."""
        data = b"".join((b"1\r\n{\r\n0\r\n", *(line + b"\r\n" for line in trailers), b"\r\n"))

        error = refused(untouched.raw("chat", data, lines=CHUNKED))

        assert message in error["message"]

    @pytest.mark.parametrize("name", HEADS)
    def test_heads(self, untouched: Target, name: str) -> None:
        length = str(len(COMPLETE["chat"]))

        refused(untouched.raw("chat", COMPLETE["chat"], lines=HEADS[name], Content_Length=length))

    @pytest.mark.parametrize(
        ("lines", "status"),
        [
            (("X-Y: " + "a" * 17_000,), 431),
            (tuple(f"X-{number}: 1" for number in range(200)), 431),
            (("Expect: miracles",), 417),
        ],
    )
    def test_heads_that_demand_too_much(self, untouched: Target, lines: tuple[str, ...], status: int) -> None:
        length = str(len(COMPLETE["chat"]))

        refused(untouched.raw("chat", COMPLETE["chat"], lines=lines, Content_Length=length), status)

    @pytest.mark.parametrize(
        ("line", "status"),
        [
            ("POST /v1/chat/completions", 400),
            ("POST /v1/chat/completions HTTP/9.9", 400),
            ("POST  /v1/chat/completions  HTTP/1.1", 400),
            ("P@ST /v1/chat/completions HTTP/1.1", 400),
            ("post /v1/chat/completions HTTP/1.1", 400),
            ("POST /v1/chat/compl\xe9tions HTTP/1.1", 400),
            ("\x16\x03\x01\x02\x00\x01\x00", 400),
            ("PRI * HTTP/2.0", 400),
            (f"POST /v1/{'x' * 9000} HTTP/1.1", 414),
            ("POST /v1/%00 HTTP/1.1", 404),
            ("POST /v1/%ff%zz HTTP/1.1", 404),
            ("POST /v1/chat/completions%0d%0aX: HTTP/1.1", 404),
        ],
    )
    def test_request_lines(self, untouched: Target, line: str, status: int) -> None:
        reply = f"{line}\r\nHost: gateway\r\nAuthorization: {untouched.authorization}\r\n\r\n"

        refused(send(untouched.url, reply.encode("latin-1"), then_close=True), status)

    def test_two_keys(self, untouched: Target) -> None:
        """It is ambiguous which of the two counts."""
        key = untouched.authorization
        reply = head(
            "POST", PATHS["chat"], f"Authorization: {key}", f"Authorization: {key}", Content_Length="0"
        )

        assert send(untouched.url, reply).status == 401


WORDS = """
    type role content text function name id tool_calls tool_call_id call_id file file_id file_data image_url
    url input_file input_text input_audio refusal user system developer assistant tool custom input output
    arguments json_schema json_object schema strict format effort summary include_usage web_search auto none
    required function_call function_call_output message reasoning item_reference input_image namespace tools
    parameters encrypted_content output_text allowed_tools mode enabled detail status
"""
words = st.sampled_from(WORDS.split()) | st.text(max_size=3)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=5),
    max_leaves=12,
)
# fields that schemas know, and those that only translations and bounds look into
SOUGHT = {
    "chat": [
        *FIELDS["chat"],
        *(
            "functions",
            "function_call",
            "logit_bias",
            "modalities",
            "audio",
            "prediction",
            "metadata",
            "user",
        ),
        *(
            "web_search_options",
            "service_tier",
            "prompt_cache_key",
            "reasoning",
            "text",
            "include",
            "thinking",
        ),
        *("verbosity", "instructions", "client_metadata", "moderation", "enable_thinking", "cache_control"),
    ],
    "responses": [
        *FIELDS["responses"],
        *(
            "max_output_tokens",
            "temperature",
            "top_p",
            "top_logprobs",
            "metadata",
            "user",
            "background",
            "prompt",
        ),
        *(
            "max_tool_calls",
            "stream_options",
            "safety_identifier",
            "client_metadata",
            "moderation",
            "thinking",
        ),
        *("context_management", "reasoningEffort", "textVerbosity", "verbosity", "prompt_cache_breakpoint"),
    ],
}
RESPONSES = {
    "/chat/completions": [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}},
    ],
    "/responses": [
        {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}},
        {"type": "response.output_text.delta", "delta": "Hi", "output_index": 0, "content_index": 0},
        {
            "type": "response.completed",
            "response": {"id": "resp_1", "status": "completed", "output": [], "usage": None},
        },
    ],
}


@endpoints
@pytest.mark.parametrize("account", ["openai", "chat", "responses", "chatgpt"])
class TestAnyJson:
    """Whatever JSON stands in a field, the request is served or refused by name: it never fails us."""

    @pytest.fixture
    def target(self, pool: PoolOfTest, upstream: ScriptedUpstream, account: str) -> Iterator[Target]:
        if account == "chatgpt":
            base_url = f"{upstream.root_url()}/backend-api"
            pool.account("a", base_url, kind="chatgpt", chatgpt_account_id="acc-1")
        elif account == "openai":
            pool.account("a", upstream.base_url())
        else:
            pool.account("a", upstream.base_url(), kind="compatible", protocols=(account,))
        for path, events in RESPONSES.items():
            upstream.script({"play": "events", "events": events}, path=path)
        target = Target(pool)
        yield target
        target.close()
        assert (pool.open_leases(), pool.in_flight()) == (0, 0)

    def served_or_refused(self, target: Target, endpoint: str, body: Any) -> None:
        response = target.post(endpoint, json.dumps(body).encode())
        if response.status_code == 200:
            assert '"server_error"' not in response.text
        else:
            error = refused(response)
            assert error["param"].replace("[", ".").split(".")[0] in body

    @given(data=st.data())
    @settings(thrown, max_examples=40)
    def test_in_one_field(self, target: Target, endpoint: str, data: st.DataObject) -> None:
        field = data.draw(st.sampled_from(SOUGHT[endpoint]))
        body = {**BODIES[endpoint], field: data.draw(values)}

        self.served_or_refused(target, endpoint, body)

    @given(data=st.data())
    @settings(thrown, max_examples=25)
    def test_in_a_turn(self, target: Target, endpoint: str, data: st.DataObject) -> None:
        roles = st.sampled_from(["system", "developer", "user", "assistant", "tool"])
        turn = st.fixed_dictionaries(
            {},
            optional={
                "role": roles,
                "type": words,
                "content": values,
                "output": values,
                "tool_calls": values,
                "tool_call_id": scalars,
                "call_id": scalars,
                "arguments": values,
                "name": scalars,
                "summary": values,
            },
        )
        turns = data.draw(st.lists(turn, min_size=1, max_size=3))

        self.served_or_refused(
            target, endpoint, {"model": "m", "messages" if endpoint == "chat" else "input": turns}
        )


@endpoints
@given(data=st.data())
@settings(thrown, max_examples=60)
def test_bodies_that_lost_or_gained_bytes(target: Target, endpoint: str, data: st.DataObject) -> None:
    complete = COMPLETE[endpoint]
    start = data.draw(st.integers(0, len(complete)))
    end = data.draw(st.integers(start, min(start + 4, len(complete))))
    response = target.post(endpoint, complete[:start] + data.draw(st.binary(max_size=4)) + complete[end:])

    if response.status_code != 200:
        refused(response)


@pytest.fixture
def signed_in(pool: PoolOfTest, upstream: ScriptedUpstream) -> Iterator[Target]:
    """A target whose account is of the one kind that clients' headers may pass to."""
    base_url = f"{upstream.root_url()}/backend-api"
    pool.account("a", base_url, kind="chatgpt", chatgpt_account_id="acc-1")
    target = Target(pool)
    yield target
    target.close()


HEADER_NAMES = """
    Accept Accept-Encoding Authorization Connection Content-Encoding Content-Type Cookie Forwarded Host Origin
    Session_id Thread-Id Originator OpenAI-Beta Version X-Codex-Turn-State X-Forwarded-For X-Forwarded-Proto
    X-Request-Id Request-Id X-HTTP-Method-Override X-Stainless-Retry-Count User-Agent Upgrade Traceparent
"""


@given(
    name=st.sampled_from(HEADER_NAMES.split()), value=st.text(st.characters(max_codepoint=255), max_size=40)
)
@settings(thrown, max_examples=80)
def test_headers_of_any_value(signed_in: Target, name: str, value: str) -> None:
    """None breaks out of its line, and none breaks us."""
    lines = [f"{name}: {value}".replace("\n", " ")]
    if name != "Authorization":
        lines.append(f"Authorization: {signed_in.authorization}")
    reply = head("POST", PATHS["responses"], *lines, Content_Length=str(len(COMPLETE["responses"])))

    response = send(signed_in.url, reply, COMPLETE["responses"], then_close=True)

    if response.status != 200:
        assert response.status < 500, response.body
        response.error()


def test_afterwards_all_is_well(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Every worker that had to read the like still answers."""
    target_url = pool.gateway.url
    pool.account("a", upstream.base_url())
    for data in (b"\x00" * 100 + b"\r\n\r\n", head("POST", PATHS["chat"], *CHUNKED) + b"zz\r\n"):
        for _ in range(4):
            send(target_url, data, then_close=True)

    key = pool.key()
    assert {pool.post(PATHS["chat"], BODIES["chat"], key).status_code for _ in range(4)} == {200}
