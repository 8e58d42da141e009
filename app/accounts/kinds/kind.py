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

    ENDPOINT = "endpoint"  # by a request to a separate endpoint
    TRIGGER = "trigger"  # by a special item at the end of an ordinary request


def bearer_headers(credential: str) -> dict[str, str]:
    """Return the header that sends *credential* as a bearer token."""
    return {"Authorization": f"Bearer {credential}"}


def no_headers(chatgpt_account_id: str, originator: str) -> dict[str, str]:
    """Return the identity headers of a kind that has none."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """
    What an operator enters to add an account, with `poolgate account add KIND`, the form or the admin API.

    *title* names the kind on the form; empty where accounts are added by signing in instead.
    *credential_option* begins the CLI options of the credential: `--api-key-env`.
    """

    summary: str  # help text of the CLI command
    example: str  # an example command line
    title: str = ""
    credential_option: str = "api-key"
    needs_credential: bool = True
    needs_account_id: bool = False  # whether the ChatGPT account id has to be given
    protocols_help: str = ""  # beginning of the help of the CLI option for protocols; empty: no such option
    allowed_protocols: tuple[str, ...] = (CHAT, RESPONSES)
    default_base_url: Callable[[Settings], str] | None = None  # None: the operator has to give it


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTool:
    """
    How accounts without the Images API produce images: one of their models calls a tool.

    *main_models* are those that can call it, the preferred one first; *max_output* is the maximum of tokens
    that any of them produces besides the image.
    """

    main_models: tuple[str, ...]
    max_output: int
    image_models: tuple[str, ...]  # prefixes of the image models that the tool has

    def has(self, model: str) -> bool:
        """Return whether the tool may have the image model *model*."""
        return model.startswith(self.image_models)

    def main_model(self, listed: Collection[str]) -> str:
        """Return the model that calls the tool at an account that lists the models *listed*."""
        return next((model for model in self.main_models if model in listed), self.main_models[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """
    Everything that depends on an account's kind. Other code reads these fields and never compares names.

    *name* is stored with each account, and shown. *providers* are the names that mean this kind in
    `provider/model`, the one that answers name first.
    """

    name: str
    setup: Setup | None = None  # None: accounts of this kind are not added by hand
    protocols: tuple[str, ...] = (CHAT, RESPONSES)  # protocols of an account without its own choice
    providers: tuple[str, ...]
    owned_by: str = ""  # owner of models in `/v1/models`; empty: the kind's name
    is_simulated: bool = False  # costs nothing, and serves until another account in use has answered
    may_be_private: bool = False  # the server may have a private address
    has_sign_in: bool = False  # the credential is a ChatGPT sign-in that renews itself
    # requests
    dialect: Dialect = Dialect.COMPATIBLE
    credential_headers: Callable[[str], dict[str, str]] = bearer_headers
    identity_headers: Callable[[str, str], dict[str, str]] = no_headers  # (chatgpt_account_id, originator)
    passes_client_headers: bool = False
    # Path by endpoint; default: the name of the endpoint
    paths: Mapping[str, str] = field(default_factory=lambda: OPENAI_PATHS)
    compaction: Compaction | None = None
    # Headers of the handshake for Responses; None: no WebSocket
    websocket_headers: Mapping[str, str] | None = None
    passes_through: bool = True  # serves endpoints whose bodies are not translated
    image_tool: ImageTool | None = None  # serves requests for images, if there is no endpoint for them
    sends_unstreamed_responses: bool = True  # accepts `stream` false
    prompt_tokens_per_second: float = HOSTED_TOKENS_PER_SECOND  # the slowest that it processes a prompt
    # output lengths
    takes_length: bool = True  # requests may set a length, which bounds what is billed
    enforces_length: bool = False  # responses never exceed the length, so none has to be cut
    # Name of the length field by protocol, if not the usual one
    length_fields: Mapping[str, str] = field(default_factory=dict)
    models_without_reasoning: tuple[str, ...] = ()  # prefixes of models that bill no hidden output
    # errors
    limits_by_model: bool = False  # a 429 without a scope is about the model, not the account
    # look-up
    models_path: str = "/models"
    lists_what_it_serves: bool = True  # its list has the names that requests use for models
    read_models: Callable[[Mapping[str, Any]], ListedModels] = read_openai_models
    has_catalogue: bool = False  # the model list has what the Codex CLI needs
    usage_path: str = ""  # empty: no usage endpoint
    base_url_ending: str = "/v1"  # ending of the URL to suggest if no models are found; empty: none
    window_names: tuple[str, str] = ("Requests", "Tokens")

    @property
    def is_billed_by_length(self) -> bool:
        """Whether the account is sent a length and is checked for billing beyond it."""
        return self.takes_length and not self.is_simulated

    def reading_seconds(self, input_tokens: int) -> float:
        """Return how many seconds an account may take to process a prompt of about *input_tokens*."""
        return input_tokens / self.prompt_tokens_per_second

    def path(self, endpoint: str) -> str:
        """Return the path below the base URL of *endpoint*: a protocol, or an endpoint named by its path."""
        return self.paths.get(endpoint) or f"/{endpoint}"
