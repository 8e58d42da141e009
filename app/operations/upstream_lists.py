"""What an upstream says it has: the models of an account, and what is left of its usage windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import orjson

from app.accounts.account import Account
from app.accounts.usage_windows import has_room, mark_from_usage
from app.errors import UpstreamProtocolError
from app.operations.dependencies import Dependencies
from schemas import bounds
from schemas.bounds import MAX_LISTED_BYTES, MAX_LISTED_MODELS, MAX_TEXT_CHARS

USAGE_PATH = "/wham/usage"
CLIENT_VERSION = "0.169.0"  # the ChatGPT backend leaves out what needs a newer Codex client than this

# Of what type each field of a model is. The Codex CLI reads a catalogue as a whole or not at all, so one
# field of another type, of one account, would take all models of the pool from it.
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

# What the Codex CLI needs of a model besides; /v1/models does not show it.
CATALOGUE = (
    "base_instructions",
    "shell_type",
    "visibility",
    "truncation_policy",
    "apply_patch_tool_type",
    "experimental_supported_tools",
)
MAX_INSTRUCTIONS = 65_536  # characters of one model's
MAX_PRIORITY = 2**31 - 1  # what Codex reads

# What `metadata` of a listed model tells, where the upstream does.
METADATA = tuple(name for name in TYPES if name not in CATALOGUE)


def models_path(account: Account) -> str:
    """Return where *account*'s server lists its models, below the base URL."""
    return f"/codex/models?client_version={CLIENT_VERSION}" if account.kind == "chatgpt" else "/models"


def checked_object(payload: object) -> dict[str, Any]:
    """Return *payload* when it is a JSON object. Raises UpstreamProtocolError."""
    if not isinstance(payload, dict):
        raise UpstreamProtocolError("The upstream's answer is not a JSON object")
    return payload


def store_models(dependencies: Dependencies, pool: str, account: Account, payload: Mapping[str, Any]) -> int:
    """
    Store the models that *payload*, the answer at `models_path`, lists; return how many they are.

    Raises UpstreamProtocolError when it is no list of models, StoreUnavailable.
    """
    if account.kind != "chatgpt":
        listed = _that_fit(listed_models(payload))
        dependencies.accounts.list_models(pool, account.id, listed)
        return len(listed)
    metadata = codex_models(payload, METADATA)
    dependencies.told.keep(pool, account.id, "catalogue", codex_models(payload, CATALOGUE))
    listed = _that_fit(sorted(metadata))
    is_short = len(orjson.dumps(metadata)) <= MAX_LISTED_BYTES
    dependencies.accounts.list_models(pool, account.id, listed, metadata if is_short else {})
    return len(listed)


def _that_fit(names: list[str]) -> list[str]:
    """Return the first of *names* that take at most MAX_LISTED_BYTES as a JSON list."""
    sizes = accumulate(len(orjson.dumps(name)) + 1 for name in names)  # with a comma, or the brackets
    return [name for name, size in zip(names, sizes, strict=True) if size < MAX_LISTED_BYTES]


def store_usage(
    dependencies: Dependencies, pool: str, account: Account, usage: Mapping[str, Any], now: float
) -> None:
    """Store the usage windows that *usage*, the answer at USAGE_PATH, describes; *now* in Unix seconds."""
    mark, room = mark_from_usage(usage, now), has_room(usage) is True
    dependencies.accounts.observe(pool, account.id, {}, mark=mark, room=room)
    dependencies.told.keep(pool, account.id, "usage", shown(usage))


def listed_models(payload: Mapping[str, Any]) -> list[str]:
    """
    Return the ids in a model list.

    Source: https://platform.openai.com/docs/api-reference/models/list
    """
    return sorted({model["id"] for model in _objects(payload, "data") if _is_name(model.get("id"))})


def codex_models(payload: Mapping[str, Any], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what is told under *names* of each model that the ChatGPT backend serves to API clients."""
    return {
        model["slug"]: {name: model[name] for name in names if _is_kept(name, model.get(name))}
        for model in _objects(payload, "models")
        if _is_name(model.get("slug")) and model.get("supported_in_api") is not False
    }


def _is_kept(name: str, told: Any) -> bool:
    if not _is_of_type(told, TYPES[name]):
        return False
    if name == "base_instructions":
        return 0 < len(told) <= MAX_INSTRUCTIONS
    if name == "context_window":
        return bounds.tokens(told) is not None
    return name != "priority" or abs(told) <= MAX_PRIORITY


def _is_of_type(value: Any, expected: type | tuple[type, ...]) -> bool:
    """As JSON has types: true is not a number."""
    return expected is bool if isinstance(value, bool) else isinstance(value, expected)


def _objects(payload: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = payload.get(name)
    if not isinstance(found, list):
        raise UpstreamProtocolError(f"The upstream's answer has no list of {name}")
    return [each for each in found[:MAX_LISTED_MODELS] if isinstance(each, dict)]


def _is_name(told: Any) -> bool:
    return isinstance(told, str) and 0 < len(told) <= MAX_TEXT_CHARS


def shown(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return what clients may be shown of *usage* besides the windows that accounts are chosen by."""
    limits = usage.get("rate_limit")
    monthly = limits.get("monthly_window") if isinstance(limits, dict) else None
    told = {"plan_type": usage.get("plan_type"), "credits": usage.get("credits"), "monthly_window": monthly}
    wanted = {"plan_type": str, "credits": dict, "monthly_window": dict}
    return {name: value for name, value in told.items() if isinstance(value, wanted[name])}
