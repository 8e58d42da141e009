"""
The bodies of the Codex CLI: those of /v1/responses, with the tools that the ChatGPT backend runs.

Source: https://github.com/openai/codex (codex-rs/codex-api), the ChatGPT backend
"""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError

from schemas.responses import ResponsesRequest
from schemas.tools import ResponsesTools

LEADING_ROLES = ("system", "developer")


class CodexTools(ResponsesTools):
    refused = ()


class CodexRequest(ResponsesRequest):
    """`instructions` are required, unless the input contains them or is not an array of items."""

    tools = CodexTools()

    def check(self, body: dict[str, Any]) -> None:
        super().check(body)
        items = body.get("input")
        if "instructions" not in body and type(items) is list and not any(map(_is_leading, items)):
            raise ValidationError("is required", "instructions")


def _is_leading(item: dict[str, Any]) -> bool:
    return item.get("role") in LEADING_ROLES or item.get("type") == "additional_tools"


CODEX_REQUEST = CodexRequest()
