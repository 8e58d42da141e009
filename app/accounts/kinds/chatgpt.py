"""Accounts that are ChatGPT sign-ins. Source: https://github.com/openai/codex (codex-rs/core)"""

from __future__ import annotations

from app.accounts.kinds.kind import RESPONSES, Compaction, ImageTool, Kind, Setup
from app.accounts.model_lists import read_codex_models
from app.translation.requests.dialects import Dialect

CLIENT_VERSION = "0.169.0"  # the backend leaves out models that need a newer Codex client than this
PSEUDO_ACCOUNTS = ("email_", "local_")  # prefixes of ids that Codex generates and the backend does not know


def _identity_headers(chatgpt_account_id: str, originator: str) -> dict[str, str]:
    headers = {"originator": originator}
    if not chatgpt_account_id.startswith(PSEUDO_ACCOUNTS):
        headers["chatgpt-account-id"] = chatgpt_account_id
    return headers


KIND = Kind(
    name="chatgpt",
    setup=Setup(
        summary="Add a ChatGPT account by its access token.",
        example="poolgate account add chatgpt --name ann --account-id 8f2e… --access-token-stdin < token",
        credential_option="access-token",
        needs_account_id=True,
        allowed_protocols=(RESPONSES,),
        default_base_url=lambda settings: settings.chatgpt_base_url,
    ),
    protocols=(RESPONSES,),
    providers=("openai", "chatgpt"),
    has_sign_in=True,
    dialect=Dialect.CHATGPT,
    identity_headers=_identity_headers,
    passes_client_headers=True,
    paths={"chat": "/chat/completions", RESPONSES: "/codex/responses"},
    compaction=Compaction.TRIGGER,
    websocket_headers={"OpenAI-Beta": "responses_websockets=2026-02-06"},  # the value that Codex sends
    passes_through=False,
    image_tool=ImageTool(
        main_models=("gpt-5.6-sol", "gpt-5.6-luna", "gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-6-astra"),
        max_output=128_000,
        image_models=("gpt-image-", "chatgpt-image-"),
    ),
    sends_unstreamed_responses=False,  # the backend refuses requests with `stream` false
    takes_length=False,  # the backend refuses lengths, and may bill hidden reasoning
    models_path=f"/codex/models?client_version={CLIENT_VERSION}",
    read_models=read_codex_models,
    has_catalogue=True,
    usage_path="/wham/usage",
    base_url_ending="",
    window_names=("Short window", "Long window"),
)
