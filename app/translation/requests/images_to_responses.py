"""
Translate a request of the Images API to a Responses request in which a model calls the image tool.

The tool has most of the fields under the same names. A field that it lacks has no effect and is reported as
ignored, unless it changes which image is produced (`uncarried_field`): such a request needs an account with
the Images API.

Source: https://platform.openai.com/docs/api-reference/images and
https://platform.openai.com/docs/guides/tools-image-generation
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app.errors import InvalidRequest
from app.translation.requests.field_support import MAX_IGNORED_NAMES, is_nameable
from schemas.bounds import parse_integer

Fields = Mapping[str, Any]  # fields of a JSON body, or of a form, where all values are texts

MAX_IMAGES = 10  # most images of one request, as in the Images API
TOOL = "image_generation"
# The tool draws what the model passes to it, so the model must pass on the caller's prompt unchanged.
INSTRUCTIONS = (
    "Call the image_generation tool once, with the complete text of the user's message as its prompt, "
    "word for word, and with the attached images, if any. Write no text of your own."
)

NUMBERS = ("frame_count", "frame_duration_ms", "output_compression", "partial_images")
TOOL_FIELDS = (
    *("background", "complexity", "frame_count", "frame_duration_ms", "input_fidelity", "moderation"),
    *("output_compression", "output_format", "quality", "size"),
)
HANDLED = frozenset((*TOOL_FIELDS, "model", "prompt", "n", "stream", "partial_images", "service_tier"))
FILES = ("image", "mask")
REFERENCES = {"images": list, "mask": dict}  # fields of a JSON body in place of files
UNCARRIED = ("markup", "svg")  # they change the image, and the tool has no such fields
_NEUTRAL = {"response_format": "b64_json", "partial_images": 0}

_SIGNATURES = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)


class ImageFile(NamedTuple):
    """A file of a form: an image that is edited, or a mask."""

    name: str  # name of the form field
    content_type: str
    data: bytes | memoryview


class ToolRequest(NamedTuple):
    """`body` is a Responses request for one image; `ignored` names the fields without effect."""

    body: dict[str, Any]
    ignored: list[str]


def image_count(fields: Fields) -> int | None:
    """Return how many images *fields* request, None where `n` is not a number that the API accepts."""
    count = _number(fields.get("n"))
    if count is None:
        return 1
    return count if type(count) is int and 1 <= count <= MAX_IMAGES else None


def is_streamed(fields: Fields) -> bool:
    """Return whether *fields* request a stream of events."""
    return str(fields.get("stream")).lower() in ("true", "1")


def uncarried_field(fields: Fields) -> str | None:
    """Return the first of *fields* that needs the Images API itself, None if the tool is enough."""
    if image_count(fields) is None:
        return "n"
    if (reference := _uncarried_reference(fields)) is not None:
        return reference
    return next(
        (name for name in UNCARRIED if any(_plain(field) == name and fields[field] for field in fields)), None
    )


def images_to_responses(
    fields: Fields, files: Sequence[ImageFile], main_model: str, *, is_edit: bool
) -> ToolRequest:
    """
    Return the request by which *main_model* produces one image as *fields* and *files* require.

    Raises InvalidRequest for an edit without an image.
    """
    images = _image_urls(fields, files)
    if is_edit and not images:
        raise InvalidRequest("An edit needs at least one image", param="image")
    tool: dict[str, Any] = {
        "type": TOOL,
        "model": fields["model"],
        "action": "edit" if is_edit else "generate",
    }
    tool |= _tool_fields(fields)
    if mask := next((file for file in files if _plain(file.name) == "mask"), None):
        tool["input_image_mask"] = {"image_url": _data_url(mask)}
    elif isinstance(mask := fields.get("mask"), dict):
        tool["input_image_mask"] = {"image_url": mask["image_url"]}
    content: list[dict[str, Any]] = [{"type": "input_text", "text": fields["prompt"]}]
    content += [{"type": "input_image", "image_url": image, "detail": "auto"} for image in images]
    body: dict[str, Any] = {
        "model": main_model,
        "instructions": INSTRUCTIONS,
        "input": [{"type": "message", "role": "user", "content": content}],
        "tools": [tool],
        "tool_choice": {"type": TOOL},
    }
    if fields.get("service_tier"):
        body["service_tier"] = fields["service_tier"]
    return ToolRequest(body, _ignored(fields, files))


def _uncarried_reference(fields: Fields) -> str | None:
    """Return the field that refers to an uploaded file, which only one account of the API has, or None."""
    images, mask = fields.get("images"), fields.get("mask")
    if isinstance(images, list) and not all(map(_has_url, images)):
        return "images"
    if isinstance(mask, dict) and not _has_url(mask):
        return "mask"
    image = fields.get("image")  # a file name in a form, an image in the JSON of other servers
    return "image" if isinstance(image, list | dict) or str(image).startswith(("data:", "http")) else None


def _has_url(reference: Any) -> bool:
    url = reference.get("image_url") if isinstance(reference, dict) else None
    return isinstance(url, str) and url != ""


def _image_urls(fields: Fields, files: Sequence[ImageFile]) -> list[str]:
    """Return the images to edit: references in a JSON body unchanged, files as data URLs."""
    images = fields.get("images")
    if isinstance(images, list):
        return [image["image_url"] for image in images]
    return [_data_url(file) for file in files if _plain(file.name) == "image"]


def _tool_fields(fields: Fields) -> dict[str, Any]:
    names = (*TOOL_FIELDS, "partial_images") if is_streamed(fields) else TOOL_FIELDS
    values = {name: fields[name] for name in names if _has_effect(name, fields.get(name))}
    return {name: _number(value) if name in NUMBERS else value for name, value in values.items()}


def _ignored(fields: Fields, files: Sequence[ImageFile]) -> list[str]:
    """Return the names of fields that are not sent, as far as they fit into a response header."""
    uploaded = {file.name for file in files}  # form fields include the names of files
    carried = {name for name, kind in REFERENCES.items() if isinstance(fields.get(name), kind)}
    names = [
        name
        for name in fields
        if name not in uploaded
        and name not in carried
        and _plain(name) not in HANDLED
        and _has_effect(name, fields[name])
    ]
    if not is_streamed(fields) and _has_effect("partial_images", _number(fields.get("partial_images"))):
        names.append("partial_images")
    names += [name for name in uploaded if _plain(name) not in FILES]
    return [name for name in map(_plain, names) if is_nameable(name)][:MAX_IGNORED_NAMES]


def _has_effect(name: str, value: Any) -> bool:
    return value is not None and value != "" and (name not in _NEUTRAL or value != _NEUTRAL[name])


def _number(value: Any) -> Any:
    """Return the integer in the form text *value*; return any other value unchanged."""
    number = parse_integer(value) if isinstance(value, str) else None
    return value if number is None else number


def _plain(name: str) -> str:
    """Return *name* without the brackets of a list or of a member: `image[]` is `image`."""
    return name.partition("[")[0]


def _data_url(file: ImageFile) -> str:
    return f"data:{_image_type(file)};base64,{b64encode(file.data).decode()}"


def _image_type(file: ImageFile) -> str:
    """Return the type of an image by its first bytes: many clients send files without one."""
    beginning = bytes(file.data[:4])
    for signature, content_type in _SIGNATURES:
        if beginning.startswith(signature):
            return content_type
    return file.content_type if file.content_type.startswith("image/") else "image/png"
