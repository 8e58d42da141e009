"""A Responses request as the ChatGPT backend takes it."""

from __future__ import annotations

from app.translation.requests.chatgpt_body import chatgpt_body


def test_least():
    """Instructions are always there; nothing is stored; it streams."""
    assert chatgpt_body({"model": "m", "input": []}) == {
        "model": "m",
        "input": [],
        "instructions": "",
        "store": False,
        "stream": True,
    }


def test_only_listed_fields():
    assert "top_p" not in chatgpt_body({"model": "m", "input": [], "top_p": 1, "brand_new": 1})


def test_priority():
    """The backend's name for `fast`."""
    assert chatgpt_body({"model": "m", "input": [], "service_tier": "fast"})["service_tier"] == "priority"
    assert chatgpt_body({"model": "m", "input": [], "service_tier": "flex"})["service_tier"] == "flex"


def test_parts():
    """Refusals become text and cache hints go; items without either are the same objects."""
    plain = {"role": "user", "content": [{"type": "input_text", "text": "a"}]}
    odd = {
        "role": "assistant",
        "content": [
            {"type": "refusal", "refusal": "no"},
            {"type": "output_text", "text": "b", "prompt_cache_breakpoint": {"mode": "explicit"}},
        ],
    }
    sent = chatgpt_body({"model": "m", "input": [plain, odd]})["input"]

    assert sent[0] is plain
    assert sent[1]["content"] == [{"type": "output_text", "text": "no"}, {"type": "output_text", "text": "b"}]
