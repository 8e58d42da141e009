"""Responses of the calls that change several objects: one result for each object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response

from app.admin.api.inputs import list_response
from app.operations.each import Result, apply_each


def bulk_response(sent: Mapping[str, Any], actions: Mapping[str, Callable[[str], object]]) -> Response:
    """Apply the action that the BulkInput *sent* names to each of its names, and return their results."""
    results = apply_each(actions[sent["do"]], list(dict.fromkeys(sent["names"])))
    changed = sum(result.ok for result in results)
    return list_response([_serialize(result) for result in results], changed=changed)


def _serialize(result: Result) -> dict[str, Any]:
    error = result.error
    return {
        "name": result.name,
        "ok": result.ok,
        "error": error and {"code": error.code, "message": error.message, "param": error.param},
    }
