"""
The content of a chat message: a string, or parts of the types that its role may have.

Source: https://platform.openai.com/docs/api-reference/chat/create, and undocumented forms that clients send:
strings among parts, one part without an array, `input_text` for `text`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import ValidationError

from schemas.validation_errors import invalid

Part = dict[str, Any]

FILE_TEXTS = ("file_url", "file_data", "data", "filename", "mime_type", "content_type")


def check_content(role: str, content: Any) -> None:
    """Raise ValidationError, with a path relative to the message, if *role* cannot have *content*."""
    if type(content) is str or (content is None and role != "tool"):
        return
    if type(content) is dict and role != "tool":
        content = [content]
    if type(content) is not list or not PARTS[role]:
        raise invalid(
            "must be a string or an array of parts" if PARTS[role] else "must be a string", "content"
        )
    if role == "tool" and content and not any(map(_is_text, content)):
        raise invalid("must have a text part", "content")
    for index, part in enumerate(content):
        try:
            _check_part(role, part)
        except ValidationError as error:
            raise ValidationError({"content": {index: error.messages}}) from None


def count_parts(items: list[Any], names: tuple[str, ...]) -> int:
    """Return the number of parts in the arrays called one of *names*, in all *items*."""
    return sum(
        len(parts)
        for item in items
        if type(item) is dict
        for name in names
        if type(parts := item.get(name)) is list
    )


def file_id_of(file: Any) -> Any:
    """
    Return the id of a *file* that is stored at an upstream, where no other account can read it; else None.
    """
    file_id = file.get("file_id") if type(file) is dict else None
    return None if file_id == "" else file_id


def _check_part(role: str, part: Any) -> None:
    if type(part) is str:
        return
    if type(part) is not dict:
        raise invalid("must be an object or a string")
    if file_id_of(part.get("file")) is not None:
        raise invalid("is not supported: send the file itself, as file_data", "file", "file_id")
    kind = _kind(part)
    check = PARTS[role].get(kind)
    if check is not None:
        check(part)
    elif kind == "input_audio":
        raise invalid("must not be input_audio: audio is not supported", "type")
    elif role not in OPEN_ROLES:
        raise invalid(f"must be {' or '.join(PARTS[role])}", "type")


def _kind(part: Part) -> str:
    kind = part.get("type")
    if kind is None:
        return "text"
    if type(kind) is not str:
        raise invalid("must be a string", "type")
    return kind


def _is_text(part: Any) -> bool:
    return type(part) is str or (type(part) is dict and part.get("type") in (None, *_TEXT))


def _check_text(part: Part) -> None:
    if type(part.get("text")) is not str:
        raise invalid("must be a string", "text")


def _check_refusal(part: Part) -> None:
    if type(part.get("refusal")) is not str:
        raise invalid("must be a string", "refusal")


def _check_image(part: Part) -> None:
    image = part.get("image_url")
    if type(image) is not dict:
        raise invalid("must be an object", "image_url")
    if type(image.get("url")) is not str:
        raise invalid("must be a string", "image_url", "url")


def _check_file(part: Part) -> None:
    file = part.get("file")
    if type(file) is not dict:
        raise invalid("must be an object", "file")
    for name in FILE_TEXTS:
        if not isinstance(file.get(name), str | None):
            raise invalid("must be a string", "file", name)


_TEXT: Mapping[str, Callable[[Part], None]] = {
    "text": _check_text,
    "input_text": _check_text,
    "output_text": _check_text,
}
PARTS: Mapping[str, Mapping[str, Callable[[Part], None]]] = {
    "system": _TEXT,
    "developer": _TEXT,
    "user": {
        "text": _check_text,
        "input_text": _check_text,
        "image_url": _check_image,
        "file": _check_file,
    },
    "assistant": {**_TEXT, "refusal": _check_refusal},
    "tool": _TEXT,
    "function": {},  # deprecated; a string or null
}
OPEN_ROLES = ("assistant", "tool")  # output of models and tools: unknown parts pass
