"""
The body of POST /api/v1/openai/chat/completions: the arguments of the SDK's `create`.

Types are coerced as pydantic does (`"5"` is an integer), and all errors are reported at once. `schemas.chat`
then checks the contents of parts, tools and formats.

Source: https://github.com/openai/openai-python (types/chat/completion_create_params.py)
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, ClassVar, TypeVar

from marshmallow import ValidationError, pre_load
from marshmallow.fields import Field, Nested

from schemas.fields import WireSchema
from schemas.known_values import TIERS
from schemas.pydantic_errors import PydanticMessage, count, one_of, pydantic_error
from schemas.work_bounds import MAX_ERRORS, MAX_ITEMS

ROLES = ("developer", "system", "user", "assistant", "tool", "function")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
AUDIO_FORMATS = ("wav", "aac", "mp3", "flac", "opus", "pcm16")
N = TypeVar("N", int, float)
MAX_SCALAR_CHARS = 400  # of a number or a boolean as text: 1e308 has 309 digits
TRUE, FALSE = ("1", "true", "t", "yes", "y", "on"), ("0", "false", "f", "no", "n", "off")


class Lax(Field[Any]):
    error_type: ClassVar[str] = "missing"  # of the finding for a value of a wrong type

    def make_error(self, key: str, **more: Any) -> ValidationError:
        return pydantic_error("missing" if key == "required" else self.error_type)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        return self.read(value)

    def read(self, value: Any) -> Any:
        """Return *value*, coerced. Raises ValidationError with a PydanticMessage."""
        return value


class Str(Lax):
    error_type = "string_type"

    def __init__(self, *choices: str, min_chars: int = 0, **more: Any) -> None:
        super().__init__(**more)
        self.choices, self.min_chars = choices, min_chars

    def read(self, value: Any) -> str:
        if self.choices and value not in self.choices:
            raise one_of(self.choices)
        if type(value) is not str:
            raise pydantic_error(self.error_type)
        if len(value) < self.min_chars:
            raise pydantic_error("string_too_short", min_length=self.min_chars)
        return value


class Bool(Lax):
    error_type = "bool_type"

    def read(self, value: Any) -> bool:
        if not isinstance(value, str | int):
            raise pydantic_error(self.error_type)
        word = str(value).lower() if not isinstance(value, str) or len(value) <= MAX_SCALAR_CHARS else ""
        if word not in (*TRUE, *FALSE):
            raise pydantic_error("bool_parsing")
        return word in TRUE


class Float(Lax):
    error_type = "float_type"

    def read(self, value: Any) -> float:
        if type(value) is str:
            return _parsed(float, value)
        if isinstance(value, int | float) and type(value) is not bool:
            return value
        raise pydantic_error(self.error_type)


class Int(Lax):
    error_type = "int_type"

    def __init__(self, min_value: int | None = None, max_value: int | None = None, **more: Any) -> None:
        super().__init__(**more)
        self.min_value, self.max_value = min_value, max_value

    def read(self, value: Any) -> int:
        number = _integer(value)
        if self.min_value is not None and number < self.min_value:
            raise pydantic_error("greater_than_equal", ge=self.min_value)
        if self.max_value is not None and number > self.max_value:
            raise pydantic_error("less_than_equal", le=self.max_value)
        return number


class Dict(Lax):
    """An object whose values are all read by *inner*."""

    error_type = "dict_type"

    def __init__(self, inner: Lax | None = None, **more: Any) -> None:
        super().__init__(**more)
        self.inner = inner or Lax(allow_none=True)

    def read(self, value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise pydantic_error(self.error_type)
        return dict(_each(value.items(), self.inner))


class List(Lax):
    error_type = "list_type"

    def __init__(self, inner: Field[Any], min_items: int = 0, **more: Any) -> None:
        super().__init__(**more)
        self.inner, self.min_items = inner, min_items

    def read(self, value: Any) -> list[Any]:
        if type(value) is not list:
            raise pydantic_error(self.error_type)
        if len(value) < self.min_items:
            raise pydantic_error("too_short", min_length=self.min_items, actual_length=len(value))
        if len(value) > MAX_ITEMS:
            raise pydantic_error("too_long", max_length=MAX_ITEMS, actual_length=len(value))
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
        return pydantic_error("missing" if key == "required" else "dict_type")


class Part(WireSchema):
    error_messages = {"type": PydanticMessage("dict_type")}


class Message(Part):
    role = Str(*ROLES, required=True)
    name = Str()

    @pre_load
    def without_nulls(self, data: Any, **more: Any) -> Any:
        """Drop null fields except `content`, which tool calls require even if null."""
        message = super().without_nulls(data, **more)
        if isinstance(data, dict) and "content" in data:
            return message | {"content": data["content"]}
        return message


class MessageShape(Shape):
    """Reads a message without marshmallow, which takes 14 µs per message: too long for twenty thousand."""

    def deserialize(self, value: Any, *args: Any, **more: Any) -> Any:
        if type(value) is dict and _is_usual(value):
            return dict(value)
        return super().deserialize(value, *args, **more)


def _is_usual(message: dict[str, Any]) -> bool:
    """Return whether `Message` would load *message* unchanged: it has a role, no name, and no null."""
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


class Location(Part):
    city, country, region, timezone = Str(), Str(), Str(), Str()


class UserLocation(Part):
    type = Str("approximate", required=True)
    approximate = Shape(Location)


class WebSearchOptions(Part):
    search_context_size = Str("low", "medium", "high")
    user_location = Shape(UserLocation)


class StreamOptions(Part):
    include_usage, include_obfuscation = Bool(), Bool()


class OpenAISdkChatRequest(Part):
    messages = List(MessageShape(Message), 1, required=True)
    model = Str(required=True, min_chars=1)
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


OPENAI_SDK_CHAT_REQUEST = OpenAISdkChatRequest()


def _integer(value: Any) -> int:
    if type(value) is str:
        return _parsed(int, value)
    if type(value) is float:
        if not value.is_integer():
            raise pydantic_error("int_from_float")
        return int(value)
    if isinstance(value, int) and type(value) is not bool:
        return value
    raise pydantic_error("int_type")


def _parsed(kind: type[N], text: str) -> N:
    """Return *text* as a finite number."""
    if len(text) > MAX_SCALAR_CHARS:  # parsing time grows faster than the number of digits
        raise pydantic_error(f"{kind.__name__}_parsing")
    try:
        number = kind(text)
        if not isfinite(number):
            raise ValueError
    except (ValueError, OverflowError):
        raise pydantic_error(f"{kind.__name__}_parsing") from None
    return number


def _each(items: Any, inner: Field[Any]) -> list[tuple[Any, Any]]:
    """Read the value of each (step, value) of *items*. Raises the errors by step, at most MAX_ERRORS."""
    read: list[tuple[Any, Any]] = []
    error_type: dict[Any, Any] = {}
    error_count = 0
    for step, value in items:
        try:
            read.append((step, inner.deserialize(value)))
        except ValidationError as error:
            error_type[step] = error.messages
            error_count += count(error.messages)
            if error_count >= MAX_ERRORS:
                break
    if error_type:
        raise ValidationError(error_type)
    return read
