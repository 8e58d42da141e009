"""
Models as the Codex CLI reads them.

It takes a list only as a whole, and each entry only with all that it requires; what the upstream
does not tell of a model is what Codex itself takes for one that it does not know.
Source: https://github.com/openai/codex (codex-rs/protocol, `ModelInfo`)
"""

from __future__ import annotations

from typing import Any

INSTRUCTIONS = (
    "You are a coding agent that works in the user's terminal. Read the code before you change it, make the "
    "change that was asked for and no other, check that it works, and say plainly what you did."
)
DEFAULTS: dict[str, Any] = {
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


def catalogue_of(offered: list[dict[str, Any]], told: list[dict[str, Any]]) -> dict[str, Any]:
    """
    Return the catalogue of *offered*, entries of /v1/models; these stand in it as well.

    *told* is what each upstream says of its models besides, by name; the first one's word holds.
    """
    beside = {name: model for one in reversed(told) for name, model in one.items()}
    return {
        "models": [
            {
                "slug": model["id"],
                "display_name": model["id"],
                **DEFAULTS,
                **beside.get(model["id"], {}),
                **model.get("metadata", {}),
            }
            for model in offered
        ],
        "object": "list",
        "data": offered,
    }
