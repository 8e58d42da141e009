"""The body of a request that an operator composes in the playground."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, validates_schema
from marshmallow.fields import List, Nested
from marshmallow.validate import Length, OneOf, Range

from schemas.api_keys import MAX_OUTPUT_TOKENS
from schemas.fields import Flag, Integer, ModelName, Number, ShortText, Text
from schemas.names import AdminSchema, Name

MAX_MESSAGE_CHARS = 50_000
MAX_TURNS = 100  # earlier messages of a conversation
MAX_CONVERSATION_CHARS = 100_000  # of all messages: less than one form field may hold
ENDPOINTS = ("chat", "responses")
ROLES = ("user", "assistant")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
_TOO_LONG = f"must have at most {MAX_MESSAGE_CHARS} characters"


class Turn(AdminSchema):
    """An earlier message."""

    role = Text(required=True, validate=OneOf(ROLES, error=f"must be {' or '.join(ROLES)}"))
    content = Text(required=True, validate=Length(max=MAX_CONVERSATION_CHARS))


class PlaygroundInput(AdminSchema):
    """`account` is a name; a model, a message and the earlier `turns` make the conversation."""

    key = Name(required=True)
    model = ModelName(required=True)
    endpoint = Text(required=True, validate=OneOf(ENDPOINTS, error=f"must be {' or '.join(ENDPOINTS)}"))
    message = Text(
        required=True,
        validate=[Length(min=1, error="is missing"), Length(max=MAX_MESSAGE_CHARS, error=_TOO_LONG)],
    )
    turns = List(
        Nested(Turn),
        load_default=list,
        validate=Length(max=MAX_TURNS, error=f"must have at most {MAX_TURNS} messages"),
    )
    system = ShortText(MAX_MESSAGE_CHARS)
    temperature = Number(validate=Range(0, 2, error="must be from 0 to 2"))
    max_tokens = Integer(1, MAX_OUTPUT_TOKENS)
    effort = Text(validate=OneOf(EFFORTS, error=f"must be one of {', '.join(EFFORTS)}"))
    json = Flag(load_default=False)
    stream = Flag(load_default=False)
    account = Name()

    @validates_schema
    def check_conversation(self, body: dict[str, Any], **_: Any) -> None:
        texts = [
            body.get("message", ""),
            body.get("system", ""),
            *(turn["content"] for turn in body["turns"]),
        ]
        if sum(map(len, texts)) > MAX_CONVERSATION_CHARS:
            raise ValidationError(
                f"makes a conversation of more than {MAX_CONVERSATION_CHARS} characters: begin a new one",
                "message",
            )

    @validates_schema
    def check_account(self, body: dict[str, Any], **_: Any) -> None:
        if "account" in body and body.get("endpoint") != "chat":
            raise ValidationError("can be chosen for chat completions only", "account")
