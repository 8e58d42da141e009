"""
The body of POST /api/v1/openai/chat/completions: the arguments of the SDK's `create`.

Types are read as pydantic reads them: `"5"` is an integer, and all that is wrong is told at
once. What parts, tools and formats hold is left to `schemas.chat`, which follows.

Source: https://github.com/openai/openai-python (types/chat/completion_create_params.py)
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, ClassVar, TypeVar

from marshmallow import ValidationError, pre_load
from marshmallow.fields import Field, Nested

from schemas.findings import Finding, count, finding, one_of
from schemas.wire import WireSchema
from schemas.work_bounds import MAX_FINDINGS, MAX_ITEMS

ROLES = ("developer", "system", "user", "assistant", "tool", "function")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
TIERS = ("auto", "default", "flex", "scale", "priority")
AUDIO_FORMATS = ("wav", "aac", "mp3", "flac", "opus", "pcm16")
N = TypeVar("N", int, float)
MAX_WORD = 400  # characters of a number or a truth value in a string: 1e308 has 309 digits
TRUE, FALSE = ("1", "true", "t", "yes", "y", "on"), ("0", "false", "f", "no", "n", "off")


class Lax(Field[Any]):
    wrong: ClassVar[str] = "missing"  # what a value of no type we read is

    def make_error(self, key: str, **more: Any) -> ValidationError:
        return finding("missing" if key == "required" else self.wrong)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        return self.read(value)

    def read(self, value: Any) -> Any:
        """Return what *value* is taken for. Raises ValidationError with a Finding."""
        return value


class Str(Lax):
    wrong = "string_type"

    def __init__(self, *choices: str, least: int = 0, **more: Any) -> None:
        super().__init__(**more)
        self.choices, self.least = choices, least

    def read(self, value: Any) -> str:
        if self.choices and value not in self.choices:
            raise one_of(self.choices)
        if type(value) is not str:
            raise finding(self.wrong)
        if len(value) < self.least:
            raise finding("string_too_short", min_length=self.least)
        return value


class Bool(Lax):
    wrong = "bool_type"

    def read(self, value: Any) -> bool:
        if not isinstance(value, str | int):
            raise finding(self.wrong)
        word = str(value).lower() if not isinstance(value, str) or len(value) <= MAX_WORD else ""
        if word not in (*TRUE, *FALSE):
            raise finding("bool_parsing")
        return word in TRUE


class Float(Lax):
    wrong = "float_type"

    def read(self, value: Any) -> float:
        if type(value) is str:
            return _parsed(float, value)
        if isinstance(value, int | float) and type(value) is not bool:
            return value
        raise finding(self.wrong)


class Int(Lax):
    wrong = "int_type"

    def __init__(self, least: int | None = None, most: int | None = None, **more: Any) -> None:
        super().__init__(**more)
        self.least, self.most = least, most

    def read(self, value: Any) -> int:
        number = _whole(value)
        if self.least is not None and number < self.least:
            raise finding("greater_than_equal", ge=self.least)
        if self.most is not None and number > self.most:
            raise finding("less_than_equal", le=self.most)
        return number


class Dict(Lax):
    """An object whose values are all read by *inner*."""

    wrong = "dict_type"

    def __init__(self, inner: Lax | None = None, **more: Any) -> None:
        super().__init__(**more)
        self.inner = inner or Lax(allow_none=True)

    def read(self, value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise finding(self.wrong)
        return dict(_each(value.items(), self.inner))


class List(Lax):
    wrong = "list_type"

    def __init__(self, inner: Field[Any], least: int = 0, most: int = MAX_ITEMS, **more: Any) -> None:
        super().__init__(**more)
        self.inner, self.least, self.most = inner, least, most

    def read(self, value: Any) -> list[Any]:
        if type(value) is not list:
            raise finding(self.wrong)
        if len(value) < self.least:
            raise finding("too_short", min_length=self.least, actual_length=len(value))
        if len(value) > self.most:
            raise finding("too_long", max_length=self.most, actual_length=len(value))
        return [read for _, read in _each(enumerate(value), self.inner)]


class Either(Lax):
    """A string, read by *text*, or anything else, read by *other*."""

    def __init__(self, text: Lax, other: Field[Any], **more: Any) -> None:
        super().__init__(**more)
        self.text, self.other = text, other

    def read(self, value: Any) -> Any:
        return (self.text if type(value) is str else self.other).deserialize(value)


class Shape(Nested):
    def make_error(self, key: str, **more: Any) -> ValidationError:
        return finding("missing" if key == "required" else "dict_type")


class Part(WireSchema):
    error_messages = {"type": Finding("dict_type")}


class Message(Part):
    role = Str(*ROLES, required=True)
    name = Str()

    @pre_load
    def without_nulls(self, data: Any, **more: Any) -> Any:
        """Leave a `content` that is null: beside calls it has to be there."""
        kept = super().without_nulls(data, **more)
        return kept | {"content": data["content"]} if isinstance(data, dict) and "content" in data else kept


class MessageShape(Shape):
    """Reads a message; marshmallow takes 14 µs for one, which is too long for twenty thousand in a row."""

    def deserialize(self, value: Any, *args: Any, **more: Any) -> Any:
        if type(value) is dict and _is_usual(value):
            return dict(value)
        return super().deserialize(value, *args, **more)


def _is_usual(message: dict[str, Any]) -> bool:
    """Return whether *message* has a role, no name, and no null: `Message` leaves such a one as it is."""
    return (
        type(role := message.get("role")) is str
        and role in ROLES
        and "name" not in message
        and None not in message.values()
    )


class Named(Part):
    name = Str(required=True)


class Function(Named):
    description = Str()
    parameters = Dict()


class Audio(Part):
    format = Str(*AUDIO_FORMATS, required=True)
    voice = Either(Str(), Dict(), required=True)


class Prediction(Part):
    type = Str("content", required=True)
    content = Either(Str(), List(Dict()), required=True)


class Place(Part):
    city, country, region, timezone = Str(), Str(), Str(), Str()


class UserLocation(Part):
    type = Str("approximate", required=True)
    approximate = Shape(Place)


class WebSearchOptions(Part):
    search_context_size = Str("low", "medium", "high")
    user_location = Shape(UserLocation)


class StreamOptions(Part):
    include_usage, include_obfuscation = Bool(), Bool()


class OpenAISdkChatRequest(Part):
    messages = List(MessageShape(Message), 1, required=True)
    model = Str(required=True, least=1)
    audio = Shape(Audio)
    frequency_penalty = Float()
    function_call = Either(Str("none", "auto"), Shape(Named))
    functions = List(Shape(Function))
    logit_bias = Dict(Int())
    logprobs = Bool()
    max_completion_tokens = Int()
    max_tokens = Int()
    metadata = Dict(Str())
    modalities = List(Str("text", "audio"))
    n = Int(1, 128)
    parallel_tool_calls = Bool()
    prediction = Shape(Prediction)
    presence_penalty = Float()
    reasoning_effort = Str(*EFFORTS)
    response_format = Dict()
    seed = Int()
    service_tier = Str(*TIERS)
    stop = Either(Str(), List(Str()))
    store = Bool()
    stream = Bool()
    stream_options = Shape(StreamOptions)
    temperature = Float()
    tool_choice = Either(Str("none", "auto", "required"), Dict())
    tools = List(Dict())
    top_logprobs = Int()
    top_p = Float()
    user = Str()
    web_search_options = Shape(WebSearchOptions)


TYPED_CHAT_REQUEST = OpenAISdkChatRequest()


def _whole(value: Any) -> int:
    if type(value) is str:
        return _parsed(int, value)
    if type(value) is float:
        if not value.is_integer():
            raise finding("int_from_float")
        return int(value)
    if isinstance(value, int) and type(value) is not bool:
        return value
    raise finding("int_type")


def _parsed(kind: type[N], text: str) -> N:
    """Return *text* as a number that JSON has."""
    if len(text) > MAX_WORD:  # to read digits takes longer than their number
        raise finding(f"{kind.__name__}_parsing")
    try:
        number = kind(text)
        if not isfinite(number):
            raise ValueError
    except (ValueError, OverflowError):
        raise finding(f"{kind.__name__}_parsing") from None
    return number


def _each(items: Any, inner: Field[Any]) -> list[tuple[Any, Any]]:
    """Read every value of (step, value) *items*; raises what is wrong, by step, once that is enough."""
    read: list[tuple[Any, Any]] = []
    wrong: dict[Any, Any] = {}
    found = 0
    for step, value in items:
        try:
            read.append((step, inner.deserialize(value)))
        except ValidationError as error:
            wrong[step] = error.messages
            found += count(error.messages)
            if found >= MAX_FINDINGS:
                break
    if wrong:
        raise ValidationError(wrong)
    return read
