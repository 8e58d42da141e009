"""
Encrypted data in a form, so that the second step of a change does exactly what the first one showed.

The keys are derived from those of stored credentials, but cannot decrypt any credential.
"""

from __future__ import annotations

import base64
import time
import zlib
from typing import Any

import orjson

from app.admin.guard import operator
from app.errors import InvalidRequest
from app.stores.secrets import UnreadableSecret, Vault

PURPOSE = "data of pages"
MAX_SECONDS = 3600
MAX_CHARS = 450_000  # werkzeug reads forms of up to 500 kB
EXPIRED = "This form is too old, or is another operator's: begin again"


def seal(vault: Vault, pool: str, data: Any) -> str:
    """Return *data* encrypted for a hidden field of a page of *pool*. Raises InvalidRequest if too large."""
    content = orjson.dumps({"pool": pool, "operator": operator(), "at": time.time(), "data": data})
    sealed = _vault(vault).seal_bytes(zlib.compress(content)).decode()
    if len(sealed) > MAX_CHARS:
        raise InvalidRequest("The file is too large for a page: use the command, or the admin API")
    return sealed


def unseal(vault: Vault, pool: str, sealed: str) -> Any:
    """Return the data in *sealed*, of the same operator and *pool*. Raises InvalidRequest."""
    try:
        content = orjson.loads(zlib.decompress(_vault(vault).open_bytes(sealed)))
    except (UnreadableSecret, ValueError):  # not ASCII
        raise InvalidRequest(EXPIRED) from None
    is_own = content["pool"] == pool and content["operator"] == operator()
    if not is_own or time.time() - content["at"] > MAX_SECONDS:
        raise InvalidRequest(EXPIRED)
    return content["data"]


def _vault(vault: Vault) -> Vault:
    keys = (bytes.fromhex(key) for key in vault.derived(PURPOSE))
    return Vault(tuple(base64.urlsafe_b64encode(key).decode() for key in keys))
