"""Accounts of the OpenAI API. Source: https://platform.openai.com/docs/api-reference"""

from __future__ import annotations

from app.accounts.kinds.kind import Compaction, Kind, Setup
from app.translation.requests.dialects import Dialect

KIND = Kind(
    name="openai",
    setup=Setup(
        title="OpenAI",
        summary="Add an API key of OpenAI, or of a service that supports both OpenAI APIs.",
        example="poolgate account add openai --name main --api-key-env OPENAI_API_KEY --cap 50",
        default_base_url=lambda settings: settings.openai_base_url,
    ),
    providers=("openai",),
    dialect=Dialect.OPENAI,
    compaction=Compaction.ENDPOINT,
    websocket_headers={},
    enforces_length=True,
    models_without_reasoning=("gpt-3.5", "gpt-4", "chatgpt-4o"),
    limits_by_model=True,
)
