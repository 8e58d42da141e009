"""Ask each account's upstream which models it has; `/v1/models` is made of the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import UpstreamProtocolError
from app.pool.account import Account
from app.wiring import Services
from schemas.bounds import MAX_TEXT_CHARS
from workers.each_account import Look, look_at_each
from workers.usage import get_object

EVERY_SECONDS = 15.0  # how soon a new account's models are known
PERIOD_SECONDS = 300.0  # how often one account is asked
CLIENT_VERSION = "0.169.0"  # the ChatGPT backend leaves out what needs a newer Codex client than this

# What the Codex CLI needs of a model besides; /v1/models does not show it.
CATALOGUE = (
    "base_instructions",
    "shell_type",
    "visibility",
    "truncation_policy",
    "apply_patch_tool_type",
    "experimental_supported_tools",
)
MAX_MODELS = 5000  # of one list; the longest known, of an aggregator, has hundreds
MOST_INSTRUCTIONS = 65_536  # characters of one model's

# What `metadata` of a listed model tells, where the upstream does.
METADATA = (
    "display_name",
    "description",
    "context_window",
    "input_modalities",
    "supported_reasoning_levels",
    "default_reasoning_level",
    "supports_reasoning_summaries",
    "support_verbosity",
    "default_verbosity",
    "prefer_websockets",
    "supports_parallel_tool_calls",
    "supported_in_api",
    "minimal_client_version",
    "priority",
)


def run(services: Services, now: float) -> None:
    """Keep the models of every account that was not asked for five minutes."""
    look_at_each(services, now, _LOOK)


def _is_wanted(account: Account, now: float) -> bool:
    return account.state not in ("paused", "credential_dead")


def _ask(services: Services, pool: str, account: Account, now: float) -> str:
    if account.kind == "chatgpt":
        path = f"/codex/models?client_version={CLIENT_VERSION}"
        payload = get_object(services, pool, account, path)
        metadata = codex_models(payload, METADATA)
        services.told.keep(pool, account.id, "catalogue", codex_models(payload, CATALOGUE))
        services.accounts.list_models(pool, account.id, sorted(metadata), metadata)
    else:
        payload = get_object(services, pool, account, "/models")
        services.accounts.list_models(pool, account.id, listed_models(payload))
    return "ok"


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
    if name == "base_instructions":
        return isinstance(told, str) and 0 < len(told) <= MOST_INSTRUCTIONS
    return told is not None


def _objects(payload: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = payload.get(name)
    if not isinstance(found, list):
        raise UpstreamProtocolError(f"The upstream's answer has no list of {name}")
    return [each for each in found[:MAX_MODELS] if isinstance(each, dict)]


def _is_name(told: Any) -> bool:
    return isinstance(told, str) and 0 < len(told) <= MAX_TEXT_CHARS


_LOOK = Look("models", PERIOD_SECONDS, _is_wanted, _ask)
