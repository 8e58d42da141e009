"""
Addresses that clients of this family know and that are not served here.

They are told so once their key is known, in words that say what to do, and not to try again.
"""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response

from app.api.auth import authenticate
from app.errors import NotFound, NotSupported

MISSING = {  # no upstream kind has it
    "/v1/images/variations": "Variations of pictures are not offered; ask for /v1/images/edits",
    "/backend-api/codex/v1/images/variations": "Variations of pictures are not offered; ask for images/edits",
}
UNSUPPORTED = {
    "/backend-api/transcribe": "Dictation is not offered here; ask for /v1/audio/transcriptions",
    "/backend-api/files": "Files are not kept here; send their content in the request as file_data",
    "/backend-api/files/<file>/uploaded": "Files are not kept here; send their content as file_data",
}

bp = Blueprint("not_served", __name__)
bp.before_request(authenticate)


def refuse(error: type[NotFound | NotSupported], words: str, **_: str) -> Response:
    raise error(words)


for _error, _addresses in ((NotFound, MISSING), (NotSupported, UNSUPPORTED)):
    for _address, _words in _addresses.items():
        bp.add_url_rule(
            _address, _address, partial(refuse, _error, _words), methods=["POST"], strict_slashes=False
        )
