"""
Bounds of the work that one request may cause: counts that limit the time and memory of its checks.

Each bound is far above real traffic, and low enough that a body at all bounds at once
delays other streams by at most a quarter of a second.
"""

from __future__ import annotations

MAX_ENCODINGS = 1  # besides identity: the work of a further layer would have no bound

# JSON values of a conversation; an array or object that is not empty counts as two. A Codex
# conversation of a million tokens has about 10,000 items of ten values each.
MAX_CONVERSATION_VALUES = 200_000
# JSON values of a pass-through body. OpenAI accepts embeddings of up to 300,000 tokens, which
# may be sent as numbers. Source: https://platform.openai.com/docs/api-reference/embeddings/create
MAX_PASSTHROUGH_VALUES = 400_000
MAX_TEXT_BYTES = 32 * 1024 * 1024  # of a body without embedded files: more than any context window

MAX_STRING_BYTES = 64 * 1024 * 1024  # of one string: a file of 50 MB, OpenAI's maximum, in base64

MAX_ITEMS = 20_000  # messages or input items: a million tokens at 50 tokens an item
MAX_PARTS = 20_000  # content parts of all messages or items together
MAX_TOOLS = 1024  # OpenAI accepts 128; agents with many MCP servers send some hundreds
MAX_STOPS = 16  # OpenAI accepts 4, other servers up to 16
MAX_STOP_CHARS = 1024  # of all stop sequences together: each delta is compared with every sequence
MAX_FALLBACKS = 16  # models: each is a separate request
MAX_ERRORS = 20  # reported per body; a longer list would not help, and costs memory
MAX_ECHOED_BYTES = 1000  # of an invalid value that is echoed
