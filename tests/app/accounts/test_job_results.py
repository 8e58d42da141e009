from __future__ import annotations

import pytest

from app.accounts.job_results import FAILED, JobResult, failed_result
from app.errors import StoreUnavailable, UpstreamUnreachable


@pytest.mark.parametrize(
    "result",
    [JobResult(7), JobResult(7, "x"), JobResult(7, FAILED, "credential"), JobResult(7, "x", "y", "z")],
)
def test_stored_and_read(result: JobResult) -> None:
    assert JobResult.from_json(result.to_json()) == result


@pytest.mark.parametrize("text", [None, ""])
def test_no_run_yet(text: str | None) -> None:
    assert JobResult.from_json(text).ok


@pytest.mark.parametrize(("code", "is_refused"), [("invalid_api_key", True), ("upstream_error", False)])
def test_a_result_of_an_older_version(code: str, *, is_refused: bool) -> None:
    """It has no failure, so its code decides."""
    result = JobResult.from_json(f'{{"at": 7, "result": "{code}"}}')

    assert result.is_credential_refused is is_refused


def test_failures() -> None:
    error = UpstreamUnreachable("The upstream refused the connection")
    result = failed_result(error, "openai", 7.5)
    assert result == JobResult(7, str(error.code), "unreachable", error.message)
    assert result.cause == "the upstream refused the connection"


def test_failures_of_others() -> None:
    result = failed_result(StoreUnavailable("x"), "openai", 7.5)
    assert (result.failure, result.reason, result.cause) == ("", "", StoreUnavailable.code)
