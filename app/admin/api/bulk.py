"""Responses of the calls that change several objects: one result for each object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response

from app.admin.api.inputs import list_response
from app.operations.each import Result, apply_each


def bulk_response(
    sent: Mapping[str, Any], actions: Mapping[str, Callable[[str], object]], **more: object
) -> Response:
    """
    Apply the action that the BulkInput *sent* names to each of its names, and return their results.

    *more* are fields of the response.
    """
    results = apply_each(actions[sent["do"]], list(dict.fromkeys(sent["names"])))
    changed = sum(result.is_change for result in results)
    return list_response([_serialize(result) for result in results], changed=changed, **more)


def _serialize(result: Result) -> dict[str, Any]:
    error = result.error
    return {
        "name": result.name,
        "ok": result.ok,
        "changed": result.is_change,
        "error": error and {"code": error.code, "message": error.message, "param": error.param},
    }
