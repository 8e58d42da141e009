"""The texts of the API reference about each operation: tag, summary and description."""

from __future__ import annotations

from dataclasses import dataclass

ALIASES = "Aliases for the Codex CLI"


@dataclass(frozen=True, slots=True)
class Group:
    """Operations under one heading; `operations` are Flask endpoints, in the order of the reference."""

    name: str
    description: str
    operations: tuple[str, ...]


GROUPS = (
    Group("Chat", "Conversations as `messages`.", ("chat.create",)),
    Group(
        "Responses",
        "Conversations as items. Any account serves them; requests are translated where it speaks chat.",
        ("responses.create", "responses.compact"),
    ),
    Group("Models", "What a key may use.", ("models.index", "models.show")),
    Group("Usage", "What a key has used, and what is left.", ("usage.show",)),
    Group(
        "Text",
        "Passed through to accounts of kind `openai` and `compatible`.",
        ("plain.embeddings", "plain.moderations", "plain.completions"),
    ),
    Group(
        "Images",
        "Passed through, or made by the image tool of a ChatGPT account.",
        ("plain.images_generations", "plain.images_edits"),
    ),
    Group(
        "Audio",
        "Passed through to accounts of kind `openai` and `compatible`.",
        ("plain.audio_speech", "plain.audio_transcriptions"),
    ),
    Group(
        "Codex CLI",
        "The addresses of the ChatGPT backend, for Codex with `base_url` `…/backend-api/codex`.",
        (
            *("codex.create", "codex.compact", "codex.catalogue"),
            *("codex.images_generations", "codex.images_edits", "codex_usage.show"),
        ),
    ),
    Group(
        "Other dialects of chat",
        "Chat completions for clients of other gateways.",
        ("extended_chat.create", "basic_chat.create"),
    ),
    Group(
        "Operation",
        "Probes, metrics and this description; without a key.",
        (
            *("health.ready", "health.live", "metrics.metrics"),
            *("openapi.document", "openapi.page"),
        ),
    ),
    Group(ALIASES, "The same operations as under `/v1`, at `/backend-api/codex/v1`.", ()),
)
SUMMARIES = {
    "basic_chat.create": "Create a chat completion, with the key as HTTP Basic",
    "chat.create": "Create a chat completion",
    "codex.catalogue": "List models in the format of the Codex CLI",
    "codex.compact": "Compact a conversation",
    "codex.images_edits": "Edit an image",
    "codex.images_generations": "Generate an image",
    "codex.create": "Create a response for the Codex CLI, always as a stream",
    "codex_usage.show": "Show how much of the pool's upstream usage windows is used",
    "extended_chat.create": "Create a chat completion, with provider/model names",
    "health.live": "Check that this process answers",
    "health.ready": "Check that requests can be served",
    "metrics.metrics": "Show totals over all web processes, for Prometheus",
    "models.index": "List the models that this key may use",
    "models.show": "Show a model",
    "openapi.document": "Get this document",
    "openapi.page": "Browse this document",
    "plain.audio_speech": "Create speech",
    "plain.audio_transcriptions": "Transcribe audio",
    "plain.completions": "Create a completion",
    "plain.embeddings": "Create embeddings",
    "plain.images_edits": "Edit an image",
    "plain.images_generations": "Generate an image",
    "plain.moderations": "Classify whether text is harmful",
    "responses.compact": "Compact a conversation",
    "responses.create": "Create a response",
    "usage.show": "Show the usage and the limits of this key",
}
STREAMED = (
    "With `stream` the response is a series of server-sent events; an error after the first one is the last."
)
PASSED_ON = "Fields that are not listed here reach the upstream unchanged."
DESCRIPTIONS = {
    "chat.create": f"{STREAMED} A stream ends with `data: [DONE]`. {PASSED_ON}",
    "responses.create": f"{STREAMED} It ends with `response.completed`, `response.incomplete` or"
    f" `response.failed`. {PASSED_ON} `GET` with an upgrade opens a WebSocket connection, for many requests.",
    "responses.compact": "The output replaces the conversation in later requests. An account of kind"
    " `openai` or `chatgpt` is needed.",
    "codex.create": "The request of `/v1/responses`, with the tools that the ChatGPT backend runs.",
    "codex_usage.show": "Takes an API key, or the access token of a ChatGPT sign-in that is an account here.",
    "usage.show": "The counts and the cost are those since the key was created. A request that was tried at"
    " several models is one in `request_count`.",
    "models.index": "With the query parameter `client_version` the list has the format of the Codex CLI.",
    "extended_chat.create": "`provider/model` names an account or its kind. The response includes cost,"
    " latency and provider.",
    "basic_chat.create": "The key is the password or the user name. Invalid fields are in a 422 `detail`.",
    "plain.embeddings": PASSED_ON,
    "plain.moderations": PASSED_ON,
    "plain.completions": f"{STREAMED} {PASSED_ON}",
    "plain.images_generations": PASSED_ON,
    "plain.images_edits": "A multipart form, or JSON with `images`.",
    "plain.audio_speech": f"The response is the sound. {PASSED_ON}",
    "plain.audio_transcriptions": "A multipart form.",
    "health.ready": "503, with the reason, while Redis is away or no credential of the pool is readable.",
    "health.live": "It never depends on Redis.",
    "metrics.metrics": "Needs `POOLGATE_METRICS_TOKEN` as Bearer token where that is set.",
}
TAGS = {endpoint: group.name for group in GROUPS for endpoint in group.operations}
ORDER = {endpoint: place for place, endpoint in enumerate(TAGS)}
