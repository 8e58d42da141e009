"""Whatever the document allows gets an answer that the document describes, and never a failure of ours."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.gateway import Gateway, PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

CONFORMANCE = [content_type_conformance, response_schema_conformance, status_code_conformance]
NOT_SERVED = (501, 502)  # what the accounts of a pool cannot do is no failure of the gateway
EXAMPLES = settings(max_examples=4, database=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture
def schema(gateway: Gateway) -> Any:
    schema = schemathesis.openapi.from_dict(requests.get(f"{gateway.url}/openapi.json", timeout=10).json())
    schema.config.update(base_url=gateway.url)
    return schema


@pytest.mark.timeout(60)
def test_what_it_allows(schema: Any, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    key = pool.key()

    def check(case: Any) -> None:
        basic = ("user", key) if case.path.startswith("/api/v1/openai") else None
        headers = {} if basic else {"Authorization": f"Bearer {key}"}
        answer = case.call(headers=headers, auth=basic, timeout=20)
        failures = [] if answer.status_code in NOT_SERVED else [not_a_server_error]
        case.validate_response(answer, checks=[*failures, *CONFORMANCE])

    asked = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        EXAMPLES(given(case=operation.as_strategy())(check))()
        asked += 1
    assert asked > 20
