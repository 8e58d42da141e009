"""Accounts of other servers with OpenAI's API, such as vLLM and Ollama."""

from __future__ import annotations

from app.accounts.kinds.kind import CHAT, Kind, Setup

KIND = Kind(
    name="compatible",
    setup=Setup(
        title="OpenAI-compatible server, such as vLLM or Ollama",
        summary="Add a server with OpenAI's chat API, such as vLLM or Ollama. A key is optional.",
        example="poolgate account add compatible --name gpu1 --base-url http://10.0.0.5:8000/v1",
        needs_credential=False,
        protocols_help="Supported APIs, chat (the default), responses or both",
    ),
    protocols=(CHAT,),
    providers=("compatible",),
    may_be_private=True,
    length_fields={CHAT: "max_tokens"},
    limits_by_model=True,
    prompt_tokens_per_second=200.0,  # a local server may process prompts on a CPU
)
