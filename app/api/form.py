"""A multipart body: its fields are read, its bytes pass on as they came."""

from __future__ import annotations

from io import BytesIO

from flask import request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.formparser import MultiPartParser

from app.api.body import read_bytes
from app.errors import InvalidRequest

MOST_FIELD_BYTES = 1024 * 1024  # of all fields that are no files


def read_form(limit_bytes: int) -> tuple[dict[str, str], bytes]:
    """
    Return the fields, those that are files by the name they were sent with, and the body itself.

    Raises InvalidRequest or PayloadTooLarge.
    """
    boundary = request.mimetype_params.get("boundary")
    if request.mimetype != "multipart/form-data" or not boundary:
        raise InvalidRequest("The request body must be multipart/form-data")
    data = read_bytes(limit_bytes)
    parser = MultiPartParser(max_form_memory_size=MOST_FIELD_BYTES, max_form_parts=100)
    try:
        fields, files = parser.parse(BytesIO(data), boundary.encode(), len(data))
    except (ValueError, HTTPException):
        raise InvalidRequest("The request body is not well-formed multipart/form-data") from None
    return _first(fields) | {name: file.filename or name for name, file in files.items()}, data


def _first(fields: MultiDict[str, str]) -> dict[str, str]:
    return fields.to_dict()
