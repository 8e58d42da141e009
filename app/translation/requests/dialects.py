"""The dialects of upstream servers: how they differ, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, eq=False)
class Dialect:
    """The request fields and values that the servers of an account accept."""

    OPENAI: ClassVar[Dialect]  # the OpenAI API itself
    COMPATIBLE: ClassVar[Dialect]  # other servers with that API
    CHATGPT: ClassVar[Dialect]  # the backend of ChatGPT, which has Responses only

    name: str
    is_strict: bool = False  # refuses fields of other services, also in messages and tools
    is_restricted: bool = False  # accepts the fields of `chatgpt_body.CHATGPT_FIELDS` and no others
    takes_custom_tools: bool = False  # accepts custom tools in chat; to others they are sent as functions
    chat_length_field: str = "max_tokens"
    retains_reasoning_text: bool = False  # accepts the text of reasoning that another server produced

    def __repr__(self) -> str:
        return f"Dialect.{self.name}"


Dialect.OPENAI = Dialect(
    "OPENAI", is_strict=True, takes_custom_tools=True, chat_length_field="max_completion_tokens"
)
Dialect.COMPATIBLE = Dialect("COMPATIBLE", retains_reasoning_text=True)
Dialect.CHATGPT = Dialect("CHATGPT", is_restricted=True)
DIALECTS = (Dialect.OPENAI, Dialect.COMPATIBLE, Dialect.CHATGPT)
