"""Whatever the document allows gets a response that the document describes, and never a failure of ours."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.gateway import Gateway, PoolOfTest
from tests.support.shapes import absent
from tests.support.upstream_client import ScriptedUpstream

CONFORMANCE = [content_type_conformance, response_schema_conformance, status_code_conformance]
NOT_SERVED = (501, 502)  # what the accounts of a pool cannot do is no failure of the gateway
TEXT = {"model": "gpt-4.1", "input": "Hi"}
CHAT = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hi"}]}
# A body for each address, by its end, that is answered: of what is made up by chance hardly any is.
ORDINARY: dict[str, dict[str, Any]] = {
    "chat/completions": CHAT,
    "responses": TEXT,
    "responses/compact": TEXT,
    "v1/completions": {"model": "m", "prompt": "Hi"},
    "embeddings": TEXT,
    "moderations": TEXT,
    "audio/speech": TEXT,
    "images/generations": {"model": "m", "prompt": "Hi"},
    "audio/transcriptions": {"model": "m", "file": b"RIFF"},
    "images/edits": {"model": "m", "prompt": "Hi"},
}
COMPACTION = {"object": "response.compaction", "output": [{"type": "compaction"}], "usage": None}
PASSED_ON = (
    *("embeddings", "moderations", "completions"),
    *("audio/speech", "audio/transcriptions", "images/generations", "images/edits"),
)
_METRIC = re.compile(r"^# TYPE (\w+)", re.MULTILINE)
EXAMPLES = settings(max_examples=4, database=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture
def schema(gateway: Gateway) -> Any:
    schema = schemathesis.openapi.from_dict(requests.get(f"{gateway.url}/openapi.json", timeout=10).json())
    schema.config.update(base_url=gateway.url)
    return schema


class Driver:
    """Puts cases to the gateway with the key that they want, and holds the responses to the document."""

    def __init__(self, key: str) -> None:
        self._key = key
        self.answered: set[tuple[str, str]] = set()  # with success: (method, address)
        self.examples: list[tuple[str, Any, Any]] = []  # of our own: address, documented response, real one

    def put(self, case: Any) -> None:
        basic = ("user", self._key) if case.path.startswith("/api/v1/openai") else None
        headers = {} if basic else {"Authorization": f"Bearer {self._key}"}
        response = case.call(headers=headers, auth=basic, timeout=60)
        if response.status_code == 200:
            self.answered.add((case.method, case.path))
            self._note_example(case, response)
        failures = [] if response.status_code in NOT_SERVED else [not_a_server_error]
        case.validate_response(response, checks=[*failures, *CONFORMANCE])

    def _note_example(self, case: Any, response: Any) -> None:
        name = case.path.rpartition("/v1/")[2].removeprefix("/backend-api/codex/")
        if name in (*PASSED_ON, "responses/compact"):
            return  # the upstream of the test answers something else
        contents = case.operation.definition.raw["responses"]["200"]["content"]
        kind = response.headers["content-type"][0].partition(";")[0]
        if "example" in contents.get(kind, {}):
            example, text = contents[kind]["example"], response.text
            if kind == "application/json":
                pair = example, response.json()
            elif kind == "text/event-stream":
                pair = {example["event"]: orjson.loads(example["data"])}, events_of(text)
            else:
                pair = dict.fromkeys(_METRIC.findall(example)), dict.fromkeys(_METRIC.findall(text))
            self.examples.append((case.path, *pair))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["openai", "chatgpt"])
@pytest.mark.parametrize("mode", GenerationMode)
def test_any_request(
    schema: Any, pool: PoolOfTest, upstream: ScriptedUpstream, kind: str, mode: GenerationMode
) -> None:
    """What the document allows, and what it does not: no failure of ours, and no other response."""
    base_url = f"{upstream.root_url()}/backend-api" if kind == "chatgpt" else upstream.base_url()
    account = pool.account("a", base_url, kind=kind, chatgpt_account_id="acc-1")
    pool.gateway.services.accounts.list_models(pool.name, account.id, ["gpt-4.1"])
    driver = Driver(pool.key())
    requested = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        if mode is GenerationMode.NEGATIVE and operation.method.upper() == "GET":
            continue
        EXAMPLES(given(case=operation.as_strategy(generation_mode=mode))(driver.put))()
        requested.add(operation.path)
    if mode is GenerationMode.POSITIVE:
        assert requested == set(schema.raw_schema["paths"])


@pytest.mark.timeout(120)
def test_a_response_of_each_address(schema: Any, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    account = pool.account("a", upstream.base_url())
    pool.gateway.services.accounts.list_models(pool.name, account.id, ["gpt-4.1"])
    upstream.script({"play": "json", "body": COMPACTION}, path="/v1/responses/compact")
    for path in PASSED_ON:
        upstream.script({"play": "json", "body": {"object": "list"}}, path=f"/v1/{path}")
    driver, operations = Driver(pool.key()), [result.ok() for result in schema.get_all_operations()]

    for operation in operations:
        (media_type,) = {body.media_type for body in operation.body} or {None}
        more: dict[str, Any] = (
            {"path_parameters": {"model": "gpt-4.1"}} if "{model}" in operation.path else {}
        )
        if media_type:
            end = max((end for end in ORDINARY if operation.path.endswith(end)), key=len)
            more |= {"body": ORDINARY[end], "media_type": media_type}
        driver.put(operation.Case(**more))

    assert {(op.method.upper(), op.path) for op in operations} == driver.answered
    for path, example, response in driver.examples:
        assert list(absent(example, response)) == [], path


def events_of(text: str) -> dict[str, Any]:
    """Return the data of the events of a stream by their names."""
    events = (dict(line.split(": ", 1) for line in one.splitlines()) for one in text.strip().split("\n\n"))
    return {one["event"]: orjson.loads(one["data"]) for one in events if "event" in one}
