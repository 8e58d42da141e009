"""The examples of the reference are compared with calls of every operation on a real store."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from app.admin import create_admin_app
from app.admin.api.examples import read_examples
from app.admin.api.openapi import BODIES, build_document
from tests.support.admin import PASSWORD, api_services, gateway_of
from tests.support.admin_examples import chatgpt_base_url, record
from tests.support.example_values import NOON, retain_measured
from tests.support.shapes import absent
from tests.support.upstream_client import ScriptedUpstream

# Secrets, and what only this machine has. 1455 is the port of every sign-in with ChatGPT.
UNFIT = re.compile(
    r"\b(?:sk-pg-|whsec_|pgadm-|eyJ|rt_)[\w-]|(?:127\.0\.0\.1|localhost)(?::|%3A)(?!1455\b)\d"
    rf"|/tmp/|/var/folders/|{PASSWORD}"
)
RECORD = "`python -m tests.support.admin_examples` records them again"


@pytest.mark.timeout(60)
def test_each_is_the_shape_of_a_real_response(
    redis_client: Any, redis_url: str, tmp_path: Path, issuer: Any, upstream: ScriptedUpstream
) -> None:
    services = api_services(redis_url, tmp_path, issuer.url, chatgpt_base_url(upstream))
    app = create_admin_app(services, gateway_of(services))
    stored: dict[str, Any] = dict(read_examples())

    recorded = record(services, app, issuer, upstream)

    assert [*absent(stored, recorded), *absent(recorded, stored)] == [], RECORD
    sent, shown = ({name: one.get("request") for name, one in each.items()} for each in (recorded, stored))
    assert sent == shown, RECORD


def test_every_operation_has_one(app: Any) -> None:
    examples = read_examples()
    with app.test_request_context():
        document = build_document()
    operations = {
        operation["operationId"]: operation
        for methods in document["paths"].values()
        for operation in methods.values()
    }

    assert operations.keys() == examples.keys()
    for name, operation in operations.items():
        assert "example" in operation["responses"]["2XX"]["content"]["application/json"], name
    with_fields = {_operation_id(name) for name, schema in BODIES.items() if schema.fields}
    assert {name for name in examples if "request" in examples[name]} == with_fields
    content = operations["setup_apply"]["requestBody"]["content"]
    assert "policy: ordered" in content["application/yaml"]["example"]


def test_nothing_of_the_recording_is_in_them() -> None:
    """No secret, address of a simulated service, or temporary file: placeholders such as `sk-pg-…` only."""
    assert UNFIT.findall(str(read_examples())) == []


@pytest.mark.parametrize(
    "text",
    [
        *("sk-pg-b123", "whsec_abcdef", "pgadm-x", "eyJraWQ", PASSWORD, "rt_1f", "127.0.0.1:53211"),
        *("127.0.0.1%3A53211", "127.0.0.1:14550", "localhost:8", "/tmp/pytest-1", "file:///tmp/x"),
    ],
)
def test_what_no_example_may_have(text: str) -> None:
    assert UNFIT.search(f"'{text}'")


@pytest.mark.parametrize("text", ["sk-pg-…", "whsec_…", "eyJ…", "rt_…", "127.0.0.1", "127.0.0.1:1455/auth"])
def test_placeholders(text: str) -> None:
    assert not UNFIT.search(f"'{text}'")


def _operation_id(endpoint: str) -> str:
    return endpoint.removeprefix("api.").replace(".", "_")


def test_recorded_again_they_differ_only_where_the_api_does() -> None:
    """Times and durations remain those that were recorded first."""
    first = {"data": [{"resets_at": NOON + 3600, "total_ms": 8, "weight": 1}], "points": [[1, 8]]}
    again = {"data": [{"resets_at": NOON + 1800, "total_ms": 3, "weight": 2, "new": 1}], "points": [[1, 3]]}

    expected = {"data": [{"resets_at": NOON + 3600, "total_ms": 8, "weight": 2, "new": 1}]}
    assert retain_measured(again, first) == expected | {"points": [[1, 8]]}
