"""
Translate the content parts of user and assistant messages.

Source: https://platform.openai.com/docs/api-reference/chat/create (messages) and
https://platform.openai.com/docs/api-reference/responses/create (input)
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import orjson

from app.errors import InvalidRequest
from app.openai_types.chat import ChatFile, ChatPart, ImageUrl
from app.openai_types.responses import ContentPart

PartT = TypeVar("PartT", ContentPart, ChatPart)

TEXT_TYPES = (None, "text", "input_text", "output_text")
REASONING_TYPES = ("reasoning", "reasoning_content", "reasoning_details", "thinking")
REFERENCE_TYPES = ("reference", "tool_reference")  # Mistral's citations, between the texts that they support
ECHOED_TYPES = (*REASONING_TYPES, *REFERENCE_TYPES)
CHAT_DETAILS = {"original": "high"}  # detail of an image, where servers know only low, high and auto
FILE_FIELDS: tuple[Literal["file_url", "filename"], ...] = ("file_url", "filename")


def invalid(path: str, reason: str) -> InvalidRequest:
    """Return the error for the value at *path* (`messages[3]`); its field becomes `param`."""
    return InvalidRequest(f"{path}: {reason}", param=path.partition("[")[0])


def as_list(content: Any) -> list[Any]:
    """Return *content* as a list of parts: [part] for a single part, [] for null."""
    if content is None:
        return []
    return content if isinstance(content, list) else [content]


def beyond_text(messages: list[Any]) -> list[Any]:
    """
    Return the *messages* or input items that are more than a role and one string.

    Most checks concern only these; in a long conversation, a call for each message would cost much.
    """
    return [
        message
        for message in messages
        if type(message) is not dict
        or len(message) != 2
        or "role" not in message
        or type(message.get("content")) is not str
    ]


def text_of(part: Any) -> str | None:
    """Return the text of a string or a text part, None for anything else."""
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and part.get("type") in TEXT_TYPES and isinstance(part.get("text"), str):
        return str(part["text"])
    return None


def output_text(part: Any) -> str:
    """Return the text of a part of a tool's output, or its JSON if it is of another type."""
    text = text_of(part)
    return orjson.dumps(part).decode() if text is None else text


def input_part(part: Any, path: str) -> ContentPart:
    """Return a user's chat part as a Responses part; *path* is for the error: `messages[0]`."""
    text = text_of(part)
    if text is not None:
        out: ContentPart = {"type": "input_text", "text": text}
        return _with_breakpoint(out, part)
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "image_url":
        return _with_breakpoint(_input_image(part, path), part)
    if kind == "file" or (kind is None and isinstance(part, dict) and "file" in part):
        return _with_breakpoint(_input_file(part, path), part)
    if kind in ("input_image", "input_file"):
        known: ContentPart = part
        return {**known}
    described = f"parts of type '{kind}'" if kind else "such a part"
    raise invalid(path, f"{described} cannot be sent")


def fits_input_part(part: Any) -> bool:
    """Return whether `input_part` accepts *part*, apart from malformed images."""
    if text_of(part) is not None:
        return True
    if not isinstance(part, dict):
        return False
    kind, file = part.get("type"), part.get("file")
    if kind in ("image_url", "input_image", "input_file"):
        return True
    if not isinstance(file, dict) or kind not in (None, "file") or file.get("file_id"):
        return False
    return bool(file.get("file_url")) or isinstance(file.get("file_data") or file.get("data"), str)


def _input_image(part: Any, path: str) -> ContentPart:
    image = part.get("image_url")
    if not isinstance(image, dict) or not isinstance(image.get("url"), str):
        raise invalid(path, "'image_url' must be an object with a 'url'")
    out: ContentPart = {"type": "input_image", "image_url": image["url"]}
    if image.get("detail") is not None:
        out["detail"] = image["detail"]
    return out


def _input_file(part: Any, path: str) -> ContentPart:
    file = part.get("file")
    if not isinstance(file, dict) or file.get("file_id"):
        raise invalid(path, "a file must be given by its data; 'file_id' is not supported")
    out: ContentPart = {"type": "input_file"}
    for key in FILE_FIELDS:
        if file.get(key):
            out[key] = file[key]
    data = file.get("file_data") or file.get("data")
    if "file_url" not in out:
        if not isinstance(data, str):
            raise invalid(path, "the file has no data")
        mime = file.get("mime_type") or file.get("content_type") or "application/octet-stream"
        out["file_url"] = data if data.startswith("data:") else f"data:{mime};base64,{data}"
    return out


def _with_breakpoint(out: PartT, part: Any) -> PartT:
    if isinstance(part, dict) and part.get("prompt_cache_breakpoint") is not None:
        out["prompt_cache_breakpoint"] = part["prompt_cache_breakpoint"]
    return out


def output_part(part: Any, path: str) -> ContentPart | None:
    """Return an assistant's part as a Responses part, None for echoed reasoning and citations."""
    text = text_of(part)
    if text is not None:
        return {"type": "output_text", "text": text}
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "refusal" and isinstance(part.get("refusal"), str):
        return {"type": "refusal", "refusal": part["refusal"]}
    if kind in ECHOED_TYPES:
        return None
    raise invalid(path, "an assistant's parts are text or refusal")


def fits_output_part(part: Any) -> bool:
    """Return whether `output_part` accepts *part*."""
    if text_of(part) is not None:
        return True
    kind = part.get("type") if isinstance(part, dict) else None
    return kind in ECHOED_TYPES or (kind == "refusal" and isinstance(part.get("refusal"), str))


def chat_part(part: Any, path: str) -> ChatPart:
    """Return a user's Responses part as a chat part."""
    out: ChatPart
    text = text_of(part)
    if text is not None:
        out = {"type": "text", "text": text}
        return _with_breakpoint(out, part)
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "input_image" and isinstance(part.get("image_url"), str):
        image: ImageUrl = {"url": part["image_url"]}
        if part.get("detail") is not None:
            image["detail"] = CHAT_DETAILS.get(str(part["detail"]), part["detail"])
        out = {"type": "image_url", "image_url": image}
        return _with_breakpoint(out, part)
    if kind == "input_file":
        out = {"type": "file", "file": _chat_file(part, path)}
        return _with_breakpoint(out, part)
    if kind in ("image_url", "file"):
        known: ChatPart = part
        return {**known}
    raise invalid(path, f"a part of type '{kind}' cannot be sent to this account")


def fits_chat_part(part: Any) -> bool:
    """Return whether `chat_part` accepts *part*."""
    if text_of(part) is not None:
        return True
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "input_image":
        return isinstance(part.get("image_url"), str)
    return kind in ("image_url", "file") or (kind == "input_file" and _file_data(part) is not None)


def _file_data(part: Any) -> str | None:
    """Return the data of an `input_file`, None if the part only refers to it."""
    data = part.get("file_data") or part.get("file_url")
    return data if isinstance(data, str) and not data.startswith(("http:", "https:")) else None


def _chat_file(part: Any, path: str) -> ChatFile:
    data = _file_data(part)
    if data is None:
        raise invalid(path, "this account takes a file as data only")
    out: ChatFile = {"file_data": data}
    if part.get("filename"):
        out["filename"] = part["filename"]
    return out
