"""
Citations of addresses: nested in chat, flat in Responses. Chat has no other annotations.

Mistral cites in parts of the content, by an address or by numbers of documents in the request. Chat clients
receive these parts unchanged, Responses clients receive annotations.

Positions count the characters of a part's text; in chat, a message has a single text.

Source: https://platform.openai.com/docs/api-reference/chat/object (message, annotations),
https://platform.openai.com/docs/api-reference/responses-streaming (annotation added) and
https://docs.mistral.ai/capabilities/citations (reference)
"""

from __future__ import annotations

from typing import Any

from app.streaming.chat_repair import OFFSET

Annotation = dict[str, Any]

CITATION = "url_citation"
DOCUMENT = "file_citation"


def chat_annotations(annotations: Any) -> list[Annotation]:
    """Return the citations among the Responses *annotations*, for chat."""
    return [
        {"type": CITATION, CITATION: {key: value for key, value in one.items() if key != "type"}}
        for one in _objects(annotations)
        if one.get("type") == CITATION
    ]


def responses_annotations(annotations: Any) -> list[Annotation]:
    """Return the citations among the chat *annotations*, for Responses, which requires all four fields."""
    return [
        {
            "type": CITATION,
            "start_index": _index(citation.get("start_index")),
            "end_index": _index(citation.get("end_index")),
            "url": _text(citation.get("url")),
            "title": _text(citation.get("title")),
        }
        for one in _objects(annotations)
        if isinstance(citation := one.get(CITATION), dict)
    ]


def part_annotations(parts: Any, text_length: int) -> list[Annotation]:
    """
    Return the citations among *parts* of a delta that are not text, for Responses.

    *text_length* is the number of characters before this delta.
    """
    annotations: list[Annotation] = []
    for part in _objects(parts):
        position = text_length + _index(part.get(OFFSET))
        if part.get("type") == "tool_reference" and _text(part.get("url")):
            place = {"start_index": position, "end_index": position}
            annotations.append(
                {"type": CITATION, **place, "url": part["url"], "title": _text(part.get("title"))}
            )
        elif part.get("type") == "reference":
            ids = part.get("reference_ids")
            annotations += [
                {"type": DOCUMENT, "file_id": str(number), "filename": "", "index": position}
                for number in (ids if isinstance(ids, list) else ())
                if isinstance(number, int | str)
            ]
    return annotations


def _objects(annotations: Any) -> list[Annotation]:
    return [one for one in annotations if isinstance(one, dict)] if isinstance(annotations, list) else []


def _index(value: Any) -> int:
    return value if type(value) is int else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
