"""
The list of models in the format of the Codex CLI.

Codex rejects a list in which one entry lacks a required field. Fields that the upstream does not
report have the values that Codex uses for an unknown model.
Source: https://github.com/openai/codex (codex-rs/protocol, `ModelInfo`)
"""

from __future__ import annotations

from app.relay.context import JsonObject

INSTRUCTIONS = (
    "You are a coding agent that works in the user's terminal. Read the code before you change it, make the "
    "change that was asked for and no other, check that it works, and say plainly what you did."
)
DEFAULTS: JsonObject = {
    "description": None,
    "default_reasoning_level": None,
    "supported_reasoning_levels": [],
    "shell_type": "shell_command",
    "visibility": "list",
    "supported_in_api": True,
    "priority": 100,
    "availability_nux": None,
    "upgrade": None,
    "base_instructions": INSTRUCTIONS,
    "supports_reasoning_summaries": False,
    "support_verbosity": False,
    "default_verbosity": None,
    "apply_patch_tool_type": None,
    "truncation_policy": {"mode": "bytes", "limit": 10_000},
    "supports_parallel_tool_calls": False,
    "context_window": None,
    "experimental_supported_tools": [],
}


def catalogue_of(
    offered: list[JsonObject], reported: list[JsonObject], *, websockets: bool = False
) -> JsonObject:
    """
    Return the catalogue of *offered*, the entries of /v1/models; it contains these entries as well.

    *websockets* is whether this gateway, independently of its upstreams, accepts WebSockets.
    *reported* has the fields that each upstream reports, by model; the first upstream wins.
    """
    fields = {name: model for models in reversed(reported) for name, model in models.items()}
    return {
        "models": [
            {
                "slug": model["id"],
                "display_name": model["id"],
                **DEFAULTS,
                **fields.get(model["id"], {}),
                **model.get("metadata", {}),
                "prefer_websockets": websockets,
            }
            for model in offered
        ],
        "object": "list",
        "data": offered,
    }
