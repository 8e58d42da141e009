"""The accounts that can serve a request: those that support all of its fields."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from typing import Any, NamedTuple

from app.translation.requests.content_checks import needs_chat, needs_responses
from app.translation.requests.dialects import Dialect
from app.translation.requests.field_support import (
    NATIVE,
    OTHER_PROTOCOL,
    ApiProtocol,
    Body,
    has_effect,
    support_table,
)
from app.translation.requests.input_items import added_tools
from app.translation.requests.parts import as_list
from app.translation.requests.tools import hosted_types, required_hosted_tools

_CONTENT_CHECKS: dict[ApiProtocol, dict[str, Callable[[Any], bool]]] = {
    "chat": {"messages": needs_chat},
    "responses": {"input": needs_responses},
}


def native_only_field(
    client_protocol: ApiProtocol,
    body: Body,
    dialect: Dialect,
    protocols: Collection[str],
    *,
    fits_other: bool = False,
) -> str | None:
    """
    Return the first field of *body* that needs native support and does not have it, else None.

    *fits_other* is whether the contents of fields are known to fit the other protocol.
    """
    speaks = client_protocol in protocols
    known, unknown = support_table(client_protocol, dialect, protocols)
    watched, is_unknown_native = _watched(client_protocol, dialect, speaks=speaks), unknown is NATIVE
    for field, value in body.items():
        if field not in watched and (field in known or not is_unknown_native):
            continue
        if not has_effect(field, value):
            continue
        if field == "audio" and not _requests_audio(body):
            continue
        content_check = None if speaks or fits_other else _CONTENT_CHECKS[client_protocol].get(field)
        if known.get(field, unknown) is NATIVE or (content_check is not None and content_check(value)):
            return field
    if not speaks and client_protocol == "responses":
        return required_hosted_tools(body.get("tool_choice"), _all_tools(body))
    return None


@cache
def _watched(client_protocol: ApiProtocol, dialect: Dialect, *, speaks: bool) -> frozenset[str]:
    """Return the fields that may need native support: always, or if translated, for some contents."""
    known, _ = support_table(client_protocol, dialect, (client_protocol,) if speaks else ())
    native = [field for field, support in known.items() if support is NATIVE]
    return frozenset(native if speaks else [*native, *_CONTENT_CHECKS[client_protocol]])


def _requests_audio(body: Body) -> bool:
    """Return whether *body* requests audio output; otherwise the field `audio` has no effect."""
    return "audio" in as_list(body.get("modalities"))


class AccountRequirements(NamedTuple):
    """The accounts that can serve a request. `field` is the reason; None if any account can."""

    field: str | None = None
    protocol: ApiProtocol | None = None  # only accounts with this protocol
    ineligible_kinds: tuple[str, ...] = ()
    unlisted_kinds: tuple[str, ...] = ()  # kinds whose accounts have the model although they do not list it
    is_preference: bool = False  # if no account has the protocol, others serve the request


def account_requirements(
    client_protocol: ApiProtocol, body: Body, restricted_kinds: tuple[str, ...]
) -> AccountRequirements:
    """Return which accounts support all of *body*; *restricted_kinds* have the dialect of ChatGPT."""
    other = (OTHER_PROTOCOL[client_protocol],)
    translated = native_only_field(client_protocol, body, Dialect.COMPATIBLE, other)
    fits_other = translated is None  # then the contents, which may be long, need no second look
    chatgpt = native_only_field(client_protocol, body, Dialect.CHATGPT, ("responses",), fits_other=fits_other)
    prefers = translated is None and client_protocol == "responses" and bool(hosted_tools(body))
    return AccountRequirements(
        translated or chatgpt,
        client_protocol if translated or prefers else None,
        restricted_kinds if chatgpt else (),
        is_preference=prefers,
    )


def hosted_tools(body: Body) -> list[str]:
    """Return the types of tools in the Responses request *body* that only a Responses upstream runs."""
    return hosted_types(_all_tools(body))


def _all_tools(body: Body) -> list[Any]:
    return [*as_list(body.get("tools")), *added_tools(as_list(body.get("input")))]
