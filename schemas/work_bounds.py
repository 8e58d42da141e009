"""
How much work one request may cause: counts that bound the time and memory of checking it.

Each bound is far above what real clients send and low enough that a body at all bounds at once
keeps no other stream waiting for more than a quarter of a second.
"""

from __future__ import annotations

MAX_ENCODINGS = 2  # Content-Encoding layers: one is usual, a proxy may add another

# JSON values of a conversation; an array or object that is not empty counts as two. A Codex
# conversation of a million tokens has about 10,000 items of ten values each.
MAX_CONVERSATION_VALUES = 200_000
# JSON values of a body that passes through. OpenAI takes embeddings of up to 300,000 tokens, which
# may be sent as numbers. Source: https://platform.openai.com/docs/api-reference/embeddings/create
MAX_PLAIN_VALUES = 400_000
MAX_TEXT_BYTES = 32 * 1024 * 1024  # of a body without its long data: no context window holds more text

MAX_STRING_BYTES = 64 * 1024 * 1024  # of one string: a file of 50 MB, the most OpenAI takes, in base64

MAX_ITEMS = 20_000  # messages or input items: a million tokens at 50 tokens an item
MAX_PARTS = 20_000  # content parts of all messages or items together
MAX_TOOLS = 1024  # OpenAI takes 128; agents with many servers behind them send some hundreds
MAX_STOPS = 16  # OpenAI takes 4, other servers up to 16
MAX_STOP_CHARACTERS = 1024  # of all stop sequences together: each delta is compared with all of them
MAX_FALLBACKS = 16  # models: each is a request of its own
MAX_FINDINGS = 20  # reported of one body: more help nobody and cost memory
MAX_ECHOED_BYTES = 1000  # of a wrong value that is reported back
