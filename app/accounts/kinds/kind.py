"""The record that describes one kind of account."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.accounts.model_lists import ListedModels, read_openai_models
from app.config import Settings
from app.translation.requests.dialects import Dialect

CHAT, RESPONSES = "chat", "responses"
OPENAI_PATHS: Mapping[str, str] = {CHAT: "/chat/completions", RESPONSES: "/responses"}
HOSTED_TOKENS_PER_SECOND = 2000.0


class Compaction(StrEnum):
    """How an account compacts a conversation."""

    ENDPOINT = "endpoint"  # at an address of its own
    TRIGGER = "trigger"  # by an item at the end of an ordinary request


def bearer_headers(credential: str) -> dict[str, str]:
    """Return the header that sends *credential* as a bearer token."""
    return {"Authorization": f"Bearer {credential}"}


def no_headers(chatgpt_account_id: str, originator: str) -> dict[str, str]:
    """Return the identity headers of a kind that has none."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """
    What an operator gives when adding an account: `poolgate account add KIND`, the form, the admin API.

    *title* names the kind on the form; empty where accounts are added by signing in instead.
    *credential_option* begins the CLI options of the credential: `--api-key-env`.
    """

    summary: str  # the CLI help
    example: str  # a command line
    title: str = ""
    credential_option: str = "api-key"
    needs_credential: bool = True
    needs_account_id: bool = False  # that of ChatGPT
    protocols_help: str = ""  # of the CLI option that chooses the protocols; empty: there is none
    allowed_protocols: tuple[str, ...] = (CHAT, RESPONSES)
    default_base_url: Callable[[Settings], str] | None = None  # None: the operator gives it


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTool:
    """
    How accounts without the Images API produce images: one of their models calls a tool.

    *main_models* are those that can call it, the preferred one first; *max_output* is the maximum of tokens
    that any of them produces besides the image.
    """

    main_models: tuple[str, ...]
    max_output: int
    image_models: tuple[str, ...]  # how the names of models begin that the tool has

    def has(self, model: str) -> bool:
        """Return whether the tool may have the image model *model*."""
        return model.startswith(self.image_models)

    def main_model(self, listed: Collection[str]) -> str:
        """Return the model that calls the tool at an account that lists the models *listed*."""
        return next((model for model in self.main_models if model in listed), self.main_models[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """
    All that depends on an account's kind. Code elsewhere reads these fields and never compares names.

    *name* is stored with each account, and shown. *providers* are the names that mean this kind in
    `provider/model`, the one that answers name first.
    """

    name: str
    setup: Setup | None = None  # None: accounts of this kind are not added by hand
    protocols: tuple[str, ...] = (CHAT, RESPONSES)  # of an account that does not choose its own
    providers: tuple[str, ...]
    owned_by: str = ""  # in `/v1/models`; empty: the name
    is_simulated: bool = False  # costs nothing, and serves only while no other account is in use
    may_be_private: bool = False  # the server may have a private address
    has_sign_in: bool = False  # the credential is a ChatGPT sign-in that renews itself
    # requests
    dialect: Dialect = Dialect.COMPATIBLE
    credential_headers: Callable[[str], dict[str, str]] = bearer_headers
    identity_headers: Callable[[str, str], dict[str, str]] = no_headers  # (chatgpt_account_id, originator)
    passes_client_headers: bool = False
    paths: Mapping[str, str] = field(default_factory=lambda: OPENAI_PATHS)  # by endpoint; else its name
    compaction: Compaction | None = None
    websocket_headers: Mapping[str, str] | None = None  # of the handshake for Responses; None: there is none
    passes_through: bool = True  # serves endpoints whose bodies are not translated
    image_tool: ImageTool | None = None  # where it serves requests for images, which it has no endpoint for
    sends_unstreamed_responses: bool = True  # answers a request that is not to be streamed with one object
    prompt_tokens_per_second: float = HOSTED_TOKENS_PER_SECOND  # how fast it reads a prompt, at worst
    # output lengths
    takes_length: bool = True  # a request may name a length, and what is billed stays within it
    enforces_length: bool = False  # no response is longer than its request allows: none has to be cut
    length_fields: Mapping[str, str] = field(default_factory=dict)  # by protocol, other than the usual one
    models_without_reasoning: tuple[str, ...] = ()  # how the names of models begin that bill no hidden output
    # errors
    limits_by_model: bool = False  # a 429 that names no scope is about the model, not the account
    # look-up
    models_path: str = "/models"
    read_models: Callable[[Mapping[str, Any]], ListedModels] = read_openai_models
    has_catalogue: bool = False  # lists what the Codex CLI needs of each model
    usage_path: str = ""  # empty: there is no report of usage
    base_url_ending: str = "/v1"  # suggested where no models are found; empty: nothing is suggested
    window_names: tuple[str, str] = ("Requests", "Tokens")

    @property
    def is_billed_by_length(self) -> bool:
        """Return whether the account is sent a length, and is checked for what it bills beyond it."""
        return self.takes_length and not self.is_simulated

    def reading_seconds(self, input_tokens: int) -> float:
        """Return how long an account may take to read a prompt of about *input_tokens*."""
        return input_tokens / self.prompt_tokens_per_second

    def path(self, endpoint: str) -> str:
        """Return where *endpoint* is below the base URL: a protocol, or one that is called as its path."""
        return self.paths.get(endpoint) or f"/{endpoint}"
