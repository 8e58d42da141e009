"""Validated bodies and query parameters of API calls, and their JSON responses."""

from __future__ import annotations

from contextlib import suppress
from json import JSONDecoder
from typing import Any

import orjson
from flask import Response, request
from marshmallow import Schema

from app.accounts.pools import checked_name
from app.admin.services import services
from app.errors import InvalidRequest, NotJson
from schemas.admin import NoQuery, PoolQuery

MAX_BYTES = 1024 * 1024


def data(max_bytes: int = MAX_BYTES) -> bytes:
    """Return the body as it was sent. Raises InvalidRequest for one that is larger than *max_bytes*."""
    sent = request.get_data()
    if len(sent) > max_bytes:
        raise InvalidRequest("The request body is too large for this call")
    return sent


def payload(max_bytes: int = MAX_BYTES) -> Any:
    """Return the content of the JSON body; empty as `{}`. Raises NotJson, InvalidRequest."""
    sent = data(max_bytes)
    try:
        content = orjson.loads(sent) if sent else {}
    except orjson.JSONDecodeError as error:
        raise NotJson(error.msg, position=error.pos) from None
    if b"{" in sent:
        _check_names(sent)
    return content


def _check_names(sent: bytes) -> None:
    """
    Raise InvalidRequest where an object in JSON has a field twice: parsers take the last one silently.

    The values are those of orjson, which has no such check; this decoder accepts numbers and characters that
    it refuses (`NaN`, 1e400, half a surrogate pair), so it only compares names.
    """
    with suppress(RecursionError):  # nested deeper than any field of a schema may be
        _OBJECTS.decode(sent.decode())


def _once(pairs: list[tuple[str, Any]]) -> None:
    names = set[str]()
    for name, _ in pairs:
        if name in names:
            raise InvalidRequest(f"{name[:40]} is given twice", param=name[:40])
        names.add(name)


_OBJECTS = JSONDecoder(object_pairs_hook=_once, parse_int=str, parse_float=str)


def body(schema: Schema, max_bytes: int = MAX_BYTES) -> Any:
    """Return the JSON body, validated by *schema*. Raises NotJson, InvalidRequest, ValidationError."""
    return schema.load(payload(max_bytes))


def query(schema: Schema) -> Any:
    """Return the query parameters, validated by *schema*. Raises InvalidRequest for a repeated one."""
    params = request.args.to_dict(flat=False)
    for name, values in params.items():
        if len(values) > 1:
            raise InvalidRequest(f"{name[:40]} is given twice", param=name[:40])
    return schema.load({name: values[0] for name, values in params.items()})


POOL, NO_QUERY = PoolQuery(), NoQuery()


def pool(*, must_exist: bool = True) -> str:
    """Return the pool named by `?pool=`, else `default`. Raises NotFound if it *must_exist* and does not."""
    return checked_pool(query(POOL)["pool"], must_exist=must_exist)


def checked_pool(name: str, *, must_exist: bool = True) -> str:
    """Return the valid pool name *name*. Raises InvalidRequest; NotFound if it *must_exist* and does not."""
    checked_name(name)
    if must_exist:
        services().pools.check(name)
    return name


def json_response(payload: Any, status: int = 200) -> Response:
    """Return *payload* as a JSON response."""
    return Response(orjson.dumps(payload), status, mimetype="application/json")


def list_response(records: list[Any], **extra: Any) -> Response:
    """Return *records* as `{"object": "list", "data": […]}`, with the *extra* fields."""
    return json_response({"object": "list", "data": records, **extra})


def deleted_response(name: str) -> Response:
    """Return the response to a removal of *name*."""
    return json_response({"name": name, "deleted": True})
