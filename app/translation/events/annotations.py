"""
Citations of addresses: nested in chat, flat in Responses. Chat has no other annotations.

Positions count the characters of a part's text, which in chat are those of the whole message.

Source: https://platform.openai.com/docs/api-reference/chat/object (message, annotations) and
https://platform.openai.com/docs/api-reference/responses-streaming (annotation added)
"""

from __future__ import annotations

from typing import Any

Annotation = dict[str, Any]

CITATION = "url_citation"


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


def _objects(annotations: Any) -> list[Annotation]:
    return [one for one in annotations if isinstance(one, dict)] if isinstance(annotations, list) else []


def _index(value: Any) -> int:
    return value if type(value) is int else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
