"""Read and store what an upstream reports for an account: its models and its usage windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import orjson

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.usage_windows import has_room, mark_from_usage
from app.errors import UpstreamProtocolError
from app.stores.upstream_metadata import UpstreamMetadataStore
from schemas import bounds
from schemas.bounds import MAX_LISTED_BYTES, MAX_LISTED_MODELS, MAX_TEXT_CHARS

USAGE_PATH = "/wham/usage"
CLIENT_VERSION = "0.169.0"  # the ChatGPT backend omits models that need a newer Codex client

# The type of each field of a model. The Codex CLI rejects a catalogue with one field of another type, so
# one account's malformed field would hide all models of the pool.
# Source: https://github.com/openai/codex (codex-rs/protocol, `ModelInfo`)
TYPES: dict[str, type | tuple[type, ...]] = {
    "display_name": str,
    "description": str,
    "context_window": int,
    "input_modalities": list,
    "supported_reasoning_levels": list,
    "default_reasoning_level": str,
    "supports_reasoning_summaries": bool,
    "support_verbosity": bool,
    "default_verbosity": str,
    "prefer_websockets": bool,
    "supports_parallel_tool_calls": bool,
    "supported_in_api": bool,
    "minimal_client_version": (str, list),
    "priority": int,
    "base_instructions": str,
    "shell_type": str,
    "visibility": str,
    "truncation_policy": dict,
    "apply_patch_tool_type": str,
    "experimental_supported_tools": list,
}

# The further fields that the Codex CLI needs of a model; /v1/models does not show them.
CATALOGUE = (
    "base_instructions",
    "shell_type",
    "visibility",
    "truncation_policy",
    "apply_patch_tool_type",
    "experimental_supported_tools",
)
MAX_INSTRUCTIONS = 65_536  # characters, per model
MAX_PRIORITY = 2**31 - 1  # what Codex reads

# The fields in `metadata` of a listed model, where the upstream reports them.
METADATA = tuple(name for name in TYPES if name not in CATALOGUE)


def models_path(account: Account) -> str:
    """Return where *account*'s server lists its models, below the base URL."""
    return f"/codex/models?client_version={CLIENT_VERSION}" if account.kind == "chatgpt" else "/models"


def checked_object(payload: object) -> dict[str, Any]:
    """Return *payload* when it is a JSON object. Raises UpstreamProtocolError."""
    if not isinstance(payload, dict):
        raise UpstreamProtocolError("The upstream's answer is not a JSON object")
    return payload


class UpstreamLists:
    """Store the models and the usage windows that an upstream reports for an account."""

    def __init__(self, accounts: AccountRepository, metadata: UpstreamMetadataStore) -> None:
        self._accounts = accounts
        self._metadata = metadata

    def store_models(self, pool: str, account: Account, payload: Mapping[str, Any]) -> int:
        """
        Store the models that *payload*, the reply at `models_path`, lists; return their number.

        Raises UpstreamProtocolError when the payload is not a list of models, StoreUnavailable.
        """
        if account.kind != "chatgpt":
            listed = _fitting(listed_models(payload))
            self._accounts.list_models(pool, account.id, listed)
            return len(listed)
        metadata = codex_models(payload, METADATA)
        self._metadata.put(pool, account.id, "catalogue", codex_models(payload, CATALOGUE))
        listed = _fitting(sorted(metadata))
        is_short = len(orjson.dumps(metadata)) <= MAX_LISTED_BYTES
        self._accounts.list_models(pool, account.id, listed, metadata if is_short else {})
        return len(listed)

    def store_usage(self, pool: str, account: Account, usage: Mapping[str, Any], now: float) -> None:
        """Store the usage windows in *usage*, the reply at USAGE_PATH; *now* in Unix seconds."""
        mark, room = mark_from_usage(usage, now), has_room(usage) is True
        self._accounts.observe(pool, account.id, {}, mark=mark, room=room)
        self._metadata.put(pool, account.id, "usage", client_usage(usage))


def _fitting(names: list[str]) -> list[str]:
    """Return the first of *names* that take at most MAX_LISTED_BYTES as a JSON list."""
    sizes = accumulate(len(orjson.dumps(name)) + 1 for name in names)  # with a comma, or the brackets
    return [name for name, size in zip(names, sizes, strict=True) if size < MAX_LISTED_BYTES]


def listed_models(payload: Mapping[str, Any]) -> list[str]:
    """
    Return the ids in a model list.

    Source: https://platform.openai.com/docs/api-reference/models/list
    """
    return sorted({model["id"] for model in _objects(payload, "data") if _is_name(model.get("id"))})


def codex_models(payload: Mapping[str, Any], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the fields *names* of each model that the ChatGPT backend serves to API clients, by slug."""
    return {
        model["slug"]: {name: model[name] for name in names if _is_valid(name, model.get(name))}
        for model in _objects(payload, "models")
        if _is_name(model.get("slug")) and model.get("supported_in_api") is not False
    }


def _is_valid(name: str, value: Any) -> bool:
    if not _is_of_type(value, TYPES[name]):
        return False
    if name == "base_instructions":
        return 0 < len(value) <= MAX_INSTRUCTIONS
    if name == "context_window":
        return bounds.tokens(value) is not None
    return name != "priority" or abs(value) <= MAX_PRIORITY


def _is_of_type(value: Any, expected: type | tuple[type, ...]) -> bool:
    """Compare types as JSON does: true is not a number."""
    return expected is bool if isinstance(value, bool) else isinstance(value, expected)


def _objects(payload: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    models = payload.get(name)
    if not isinstance(models, list):
        raise UpstreamProtocolError(f"The upstream's answer has no list of {name}")
    return [model for model in models[:MAX_LISTED_MODELS] if isinstance(model, dict)]


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT_CHARS


_CLIENT_USAGE_TYPES = {"plan_type": str, "credits": dict, "monthly_window": dict}


def client_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of *usage* that clients may read in addition to the usage windows."""
    limits = usage.get("rate_limit")
    monthly = limits.get("monthly_window") if isinstance(limits, dict) else None
    parts = {
        "plan_type": usage.get("plan_type"),
        "credits": usage.get("credits"),
        "monthly_window": monthly,
    }
    return {name: value for name, value in parts.items() if isinstance(value, _CLIENT_USAGE_TYPES[name])}
