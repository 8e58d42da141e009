"""
The bodies that the Codex CLI sends: as for /v1/responses, with the tools that Codex has its service run.

Source: https://github.com/openai/codex (codex-rs/codex-api), the ChatGPT backend
"""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, validates_schema

from schemas.responses import ResponsesRequest
from schemas.tools import ResponsesTools

LEADING_ROLES = ("system", "developer")


class CodexTools(ResponsesTools):
    refused = ()


class CodexRequest(ResponsesRequest):
    """`instructions` are required, unless the input brings its own or has a form of the OpenAI API."""

    tools = CodexTools()

    @validates_schema
    def check_instructions(self, body: dict[str, Any], **_: Any) -> None:
        items = body.get("input")
        if "instructions" not in body and type(items) is list and not any(map(_leads, items)):
            raise ValidationError("is required", "instructions")


def _leads(item: dict[str, Any]) -> bool:
    return item.get("role") in LEADING_ROLES or item.get("type") == "additional_tools"


CODEX_REQUEST = CodexRequest()
