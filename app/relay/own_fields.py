"""Apply an account's settings to its requests: own model names, fields left out, fields set."""

from __future__ import annotations

from collections.abc import Sequence

from app.accounts.request_settings import RequestSettings
from app.json_writing import write_json
from app.relay.context import ModelRequest
from app.relay.model_names import with_model_name
from app.translation.requests.field_support import has_effect, is_nameable
from app.translation.requests.refused_fields import TRANSLATED
from app.translation.requests.upstream_request import UpstreamRequest

JSON = "application/json"


def with_settings(
    request: UpstreamRequest, settings: RequestSettings, client: ModelRequest
) -> UpstreamRequest:
    """Return *request*, made from that of *client*, as it is sent to an account with *settings*."""
    body = settings.apply_to_body(request.body, client.model)
    if body is request.body:
        return request
    known = set(request.ignored)
    ignored = [name for name in ignored_fields(settings, client) if name not in known]
    return request._replace(body=body, ignored=[*request.ignored, *ignored])


def raw_body_with_settings(
    client: ModelRequest, settings: RequestSettings
) -> tuple[Sequence[bytes | bytearray], list[str]]:
    """
    Return the body of *client*, which is passed through, as it is sent to an account with *settings*.

    Also returns the names of the fields that have no effect. In a form only the model's name is changed.
    """
    if client.content_type != JSON:
        name, place = settings.model_names.get(client.model), client.model_place
        return with_model_name(client.raw_body, place, name)[0] if name and place else client.raw_body, []
    body = settings.apply_to_body(client.body, client.model)
    if body is client.body:
        return client.raw_body, []
    return write_json(body, client.body_bytes), ignored_fields(settings, client)


def ignored_fields(settings: RequestSettings, client: ModelRequest) -> list[str]:
    """Return the names of the fields of *client* that *settings* leave out or override."""
    names = {
        name: settings.set_fields.get(field)
        for field in (*settings.drop_fields, *settings.set_fields)
        for name in TRANSLATED.get(field, (field,))
    }
    return [
        name
        for name, value in names.items()
        if has_effect(name, client.body.get(name)) and client.body[name] != value and is_nameable(name)
    ]
