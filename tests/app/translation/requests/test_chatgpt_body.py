"""A Responses request as the ChatGPT backend takes it."""

from __future__ import annotations

from typing import ClassVar

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


class TestSystemMessages:
    USER: ClassVar = {"role": "user", "content": "hi"}
    TOOLS: ClassVar = {"type": "additional_tools", "role": "developer", "tools": []}

    def test_at_the_start(self):
        """Their text becomes instructions, after those that were given; lists of tools stay."""
        items = [{"role": "system", "content": "b"}, self.TOOLS, {"role": "developer", "content": "c"}]
        sent = chatgpt_body({"model": "m", "instructions": "a", "input": [*items, self.USER]})

        assert sent["instructions"] == "a\nb\nc"
        assert sent["input"] == [self.TOOLS, self.USER]

    def test_later(self):
        """They stay in place, so that the start of the prompt is the same in each turn."""
        note = [{"type": "input_text", "text": "c"}]
        before = [{"role": "developer", "content": "b"}, self.USER]
        first = chatgpt_body({"model": "m", "input": before})
        sent = chatgpt_body(
            {"model": "m", "input": [*before, {"role": "system", "content": note}, self.USER]}
        )

        assert sent["instructions"] == first["instructions"] == "b"
        assert sent["input"] == [self.USER, {"role": "developer", "content": note}, self.USER]

    def test_not_only_text(self):
        """A message that shows an image cannot be instructions."""
        image = {"role": "developer", "content": [{"type": "input_image", "image_url": "u"}]}
        sent = chatgpt_body({"model": "m", "input": [image, self.USER]})

        assert (sent["instructions"], sent["input"]) == ("", [image, self.USER])
