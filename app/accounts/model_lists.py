"""Read the lists of models that upstreams return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import orjson

from app.errors import UpstreamProtocolError
from schemas import bounds
from schemas.bounds import MAX_LISTED_BYTES, MAX_LISTED_MODELS, MAX_TEXT_CHARS

NO_LIST = (404, 405, 501)  # the server accepts the credential, but has no list of models
JsonObject = dict[str, Any]

# The JSON type of each field of a model in a Codex catalogue. The Codex CLI rejects the complete catalogue if
# one field has another type, so one account could make all models of the pool unavailable to it.
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

# Fields that only the Codex CLI needs; /v1/models does not show them.
CATALOGUE = (
    "base_instructions",
    "shell_type",
    "visibility",
    "truncation_policy",
    "apply_patch_tool_type",
    "experimental_supported_tools",
)
METADATA = tuple(name for name in TYPES if name not in CATALOGUE)  # shown by /v1/models
MAX_INSTRUCTIONS = 65_536  # characters of the instructions of one model
MAX_PRIORITY = 2**31 - 1  # the largest that Codex reads


@dataclass(frozen=True, slots=True)
class ListedModels:
    """
    The models of one account: their names in order, and what the upstream reports of each by name.

    *metadata* is what `/v1/models` shows, *catalogue* what the Codex CLI also needs; empty where the
    upstream reports names alone.
    """

    names: list[str]
    metadata: dict[str, JsonObject] = field(default_factory=dict)
    catalogue: dict[str, JsonObject] = field(default_factory=dict)


def read_openai_models(payload: Mapping[str, Any]) -> ListedModels:
    """
    Return the models that *payload* lists, as far as their names fit into MAX_LISTED_BYTES.

    Raises UpstreamProtocolError when *payload* is not a list of models.
    Source: https://platform.openai.com/docs/api-reference/models/list
    """
    return ListedModels(_limit_names(listed_models(payload)))


def read_codex_models(payload: Mapping[str, Any]) -> ListedModels:
    """
    Return the models that *payload* of the ChatGPT backend lists for API clients.

    Metadata of more than MAX_LISTED_BYTES is left out. Raises UpstreamProtocolError when it is not a list.
    """
    metadata = codex_models(payload, METADATA)
    is_short = len(orjson.dumps(metadata)) <= MAX_LISTED_BYTES
    return ListedModels(
        _limit_names(sorted(metadata)), metadata if is_short else {}, codex_models(payload, CATALOGUE)
    )


def listed_models(payload: Mapping[str, Any]) -> list[str]:
    """Return the ids in a model list of OpenAI's API, in order."""
    return sorted({model["id"] for model in _objects(payload, "data") if _is_name(model.get("id"))})


def codex_models(payload: Mapping[str, Any], names: Sequence[str]) -> dict[str, JsonObject]:
    """Return the fields *names* of each model that the ChatGPT backend serves to API clients."""
    return {
        model["slug"]: {name: model[name] for name in names if _is_valid(name, model.get(name))}
        for model in _objects(payload, "models")
        if _is_name(model.get("slug")) and model.get("supported_in_api") is not False
    }


def _limit_names(names: list[str]) -> list[str]:
    """Return the first of *names* that take at most MAX_LISTED_BYTES as a JSON list."""
    sizes = accumulate(len(orjson.dumps(name)) + 1 for name in names)  # 1 for the comma or a bracket
    return [name for name, size in zip(names, sizes, strict=True) if size < MAX_LISTED_BYTES]


def _is_valid(name: str, value: Any) -> bool:
    if not _is_of_type(value, TYPES[name]):
        return False
    if name == "base_instructions":
        return 0 < len(value) <= MAX_INSTRUCTIONS
    if name == "context_window":
        return bounds.tokens(value) is not None
    return name != "priority" or abs(value) <= MAX_PRIORITY


def _is_of_type(value: Any, expected: type | tuple[type, ...]) -> bool:
    """Return whether *value* has the JSON type; unlike in Python, true is not a number."""
    return expected is bool if isinstance(value, bool) else isinstance(value, expected)


def _objects(payload: Mapping[str, Any], name: str) -> list[JsonObject]:
    values = payload.get(name)
    if not isinstance(values, list):
        raise UpstreamProtocolError(f"The upstream's response has no list of {name}")
    return [value for value in values[:MAX_LISTED_MODELS] if isinstance(value, dict)]


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT_CHARS
