"""Validated bodies and query parameters of API calls, and their JSON responses."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, request
from marshmallow import Schema

from app.accounts.pools import checked_name
from app.admin.services import services
from app.errors import InvalidRequest, NotJson
from schemas.admin import PoolQuery

MAX_BYTES = 1024 * 1024  # what operators write is small


def body(schema: Schema) -> Any:
    """Return the JSON body as *schema* reads it; no body at all says nothing."""
    data = request.get_data()
    if len(data) > MAX_BYTES:
        raise InvalidRequest("The request body is too large for this call")
    try:
        said = orjson.loads(data) if data else {}
    except orjson.JSONDecodeError as error:
        raise NotJson(error.msg, position=error.pos) from None
    return schema.load(said)


def query(schema: Schema) -> Any:
    """Return the parameters behind `?` as *schema* reads them; said twice, a parameter has no meaning."""
    said = request.args.to_dict(flat=False)
    for name, values in said.items():
        if len(values) > 1:
            raise InvalidRequest(f"{name[:40]} is given twice", param=name[:40])
    return schema.load({name: values[0] for name, values in said.items()})


POOL = PoolQuery()


def pool(*, must_be: bool = True) -> str:
    """Return the pool that `?pool=` names, else `default`; it must be there, unless this makes it."""
    return checked_pool(query(POOL)["pool"], must_be=must_be)


def checked_pool(name: str, *, must_be: bool = True) -> str:
    checked_name(name)
    if must_be:
        services().pools.check(name)
    return name


def answer(payload: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(payload), status, mimetype="application/json")


def listed(records: list[Any], **beside: Any) -> Response:
    return answer({"object": "list", "data": records, **beside})


def deleted(name: str) -> Response:
    return answer({"name": name, "deleted": True})
