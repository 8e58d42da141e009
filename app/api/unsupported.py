"""
Endpoints of the OpenAI and ChatGPT APIs that are not supported here.

The error, which is sent after authentication, names an alternative, and marks itself as not retryable.
"""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response

from app.api.auth import authenticate
from app.errors import NotFound, NotSupported

MISSING = {  # endpoints that no kind of account supports
    "/v1/images/variations": "Image variations are not supported; use /v1/images/edits",
    "/backend-api/codex/v1/images/variations": "Image variations are not supported; use images/edits",
}
UNSUPPORTED = {
    "/backend-api/transcribe": "Dictation is not supported here; use /v1/audio/transcriptions",
    "/backend-api/files": "Files are not stored here; send their content in the request as file_data",
    "/backend-api/files/<file>/uploaded": "Files are not stored here; send their content as file_data",
}

bp = Blueprint("not_served", __name__)
bp.before_request(authenticate)


def refuse(error: type[NotFound | NotSupported], message: str, **_: str) -> Response:
    raise error(message)


for _error, _paths in ((NotFound, MISSING), (NotSupported, UNSUPPORTED)):
    for _path, _message in _paths.items():
        bp.add_url_rule(
            _path, _path, partial(refuse, _error, _message), methods=["POST"], strict_slashes=False
        )
