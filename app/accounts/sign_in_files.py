"""
The sign-ins and API keys in files of other programs, recognised by their shape and never by their name.

| program | shape |
| --- | --- |
| Codex | `auth.json`: `tokens` or `OPENAI_API_KEY` |
| codex-lb | an export of one account, with a Codex file in `codex_auth_json` |
| CLIProxyAPI | one object per account: `type`, and the tokens directly in it |
| sub2api | `accounts`, each with `credentials` |
| codex-switcher | `accounts`, each with `auth_data` |
| OpenCode | `openai`: `access`, `refresh`, `accountId` |

A list of any of these, and what `poolgate account export --all` writes, are read as well. Fields that are
not known are not read: some programs store passwords there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.accounts.oauth_tokens import Tokens, tokens_from_fields
from app.errors import InvalidRequest

MAX_ITEMS = 1000  # sign-ins in one file
MAX_DEPTH = 4  # nesting of lists and containers
MAX_WEIGHT = 1000
TOKEN_NAMES = ("id_token", "access_token", "refresh_token", "account_id")
NAME_FIELDS = ("name", "alias", "label", "email")  # fields with a name for an account, in order of preference
# Settings that other programs store with a sign-in and that have no counterpart here.
UNUSED_SETTINGS = (
    *("priority", "prefix", "proxy_key", "excluded_models", "api_model_mappings", "concurrency"),
    "rate_multiplier",
)
# Settings that accounts have here as well; not validated
SETTINGS = ("proxy_url", "headers", "model_aliases")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.@+-]+")


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """
    An account in a file: the *tokens* of a sign-in, or an *api_key* of OpenAI.

    *name* is a proposal, '' where the file has none.
    """

    name: str
    tokens: Tokens | None = None
    api_key: str = field(default="", repr=False)
    weight: int = 1
    is_disabled: bool = False
    unused: tuple[str, ...] = ()  # settings in the file that have no counterpart
    # Values of SETTINGS, unchanged from the file
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class RejectedItem:
    """A part of a file that is not an account for this gateway, and the *reason*."""

    reason: str
    name: str = ""
    is_fault: bool = True  # False: it is an account of another provider


Item = FoundAccount | RejectedItem


def read_sign_ins(data: bytes) -> list[Item]:
    """Return the items in a file with the contents *data*: at least one and at most MAX_ITEMS + 1."""
    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError:
        return [RejectedItem("not JSON")]
    return find_sign_ins(content)


def find_sign_ins(content: Any) -> list[Item]:
    """Return the items in *content*, parsed from a file: at least one and at most MAX_ITEMS + 1."""
    found: list[Item] = []
    for item in _items(content, MAX_DEPTH):
        if len(found) == MAX_ITEMS:
            return [*found, RejectedItem(f"only the first {MAX_ITEMS} accounts of a file are read")]
        found.append(item)
    return found or [RejectedItem("an empty list")]


def clean_name(text: str) -> str:
    """Return *text* as the name of an account, '' if it has no character that is valid in a name."""
    return _NOT_IN_NAMES.sub("-", text).strip(".@+-")[:64]


def _items(content: Any, depth: int) -> Iterator[Item]:
    """Yield the items in *content*, parsed from a file or a part of a file."""
    if depth == 0:
        yield RejectedItem("lists within lists are not read")
    elif isinstance(content, list):
        for each in content:
            yield from _items(each, depth - 1)
    elif not isinstance(content, dict):
        yield RejectedItem("not an object")
    elif isinstance(content.get("accounts"), list):
        yield from _items(content["accounts"], depth - 1)
    else:
        yield _item(content)


def _item(content: Mapping[str, Any]) -> Item:
    name = next((text for field_name in NAME_FIELDS if (text := _text(content, field_name))), "")
    codex = content.get("codex_auth_json")
    if isinstance(codex, str):
        codex = _parsed(codex)
    try:
        if isinstance(codex, dict):
            return _codex(codex, content, name)
        if isinstance(content.get("tokens"), dict) or "OPENAI_API_KEY" in content:
            return _codex(content, content, name)
        for inner in ("credentials", "auth_data"):
            if isinstance(content.get(inner), dict):
                return _nested(content[inner], content, name)
        if isinstance(content.get("openai"), dict):
            return _open_code(content["openai"], name)
        if "access_token" in content or "refresh_token" in content or "type" in content:
            return _flat(content, name)
    except InvalidRequest as error:
        return RejectedItem(error.message, name)
    if "agent_identity" in content or "personal_access_token" in content:
        return RejectedItem("an agent identity or a personal access token cannot be used", name)
    return RejectedItem("no sign-in in a known form", name)


def _codex(file: Mapping[str, Any], about: Mapping[str, Any], name: str) -> Item:
    tokens, api_key = file.get("tokens"), _text(file, "OPENAI_API_KEY") or _text(file, "openai_api_key")
    if isinstance(tokens, dict) and (_text(tokens, "access_token") or not api_key):
        return _found(about, name, tokens_from_fields(tokens, file.get("last_refresh")))
    if not api_key:
        return RejectedItem("neither tokens nor an API key", name)
    return _found(about, name, api_key=api_key)


def _nested(inner: Mapping[str, Any], about: Mapping[str, Any], name: str) -> Item:
    """Return the account in *inner*, the `credentials` or `auth_data` of an account of a container."""
    platform = _text(about, "platform")
    if platform and platform != "openai":
        return RejectedItem(f"an account of {platform[:40]}", name, is_fault=False)
    if api_key := _text(inner, "api_key") or _text(inner, "key"):
        if _text(inner, "base_url"):
            return RejectedItem("an API key with an address of its own: use poolgate account add", name)
        return _found(about, name, api_key=api_key)
    return _found(about, name, _tokens(inner))


def _flat(content: Mapping[str, Any], name: str) -> Item:
    """Return the account of an object with the tokens directly in it."""
    kind = _text(content, "type")
    if kind not in ("", "codex", "oauth"):
        return RejectedItem(f"an account of {kind[:40]}", name, is_fault=False)
    return _found(content, name, _tokens(content))


def _open_code(inner: Mapping[str, Any], name: str) -> Item:
    if _text(inner, "type") == "api" and _text(inner, "key"):
        return _found({}, name, api_key=_text(inner, "key"))
    names = {"access_token": "access", "refresh_token": "refresh", "account_id": "accountId"}
    return _found({}, name, tokens_from_fields({own: inner.get(its) for own, its in names.items()}, None))


def _tokens(held: Mapping[str, Any]) -> Tokens:
    fields = {name: held.get(name) for name in TOKEN_NAMES}
    fields["account_id"] = fields["account_id"] or held.get("chatgpt_account_id")
    return tokens_from_fields(fields, held.get("last_refresh"))


def _found(
    about: Mapping[str, Any], name: str, tokens: Tokens | None = None, *, api_key: str = ""
) -> FoundAccount:
    # Older files spell names with hyphens
    about = {each.replace("-", "_"): value for each, value in about.items()}
    weight = about.get("weight")
    return FoundAccount(
        clean_name(name) or clean_name(tokens.email if tokens else ""),
        tokens,
        api_key,
        weight=weight if type(weight) is int and 1 <= weight <= MAX_WEIGHT else 1,
        is_disabled=about.get("disabled") is True,
        unused=tuple(each for each in UNUSED_SETTINGS if about.get(each)),
        settings={each: about[each] for each in SETTINGS if about.get(each)},
    )


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value.strip() if isinstance(value, str) else ""
