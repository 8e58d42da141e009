from __future__ import annotations

from app.translation.events.bifrost_chat import extend

CHUNK = {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hi"}}]}


def test_existing_fields_of_a_chunk_stay() -> None:
    out = extend(CHUNK, cost=None, extra_fields={"chunk_index": 0})

    assert out == {**CHUNK, "extra_fields": {"chunk_index": 0}}


def test_logprobs_have_two_names() -> None:
    choice = {"index": 0, "delta": {}, "logprobs": {"content": []}}
    (out,) = extend({"choices": [choice]}, cost=None, extra_fields={})["choices"]

    assert out == {**choice, "log_probs": {"content": []}}


class TestThoughts:
    def key_name(self, **message: object) -> object:
        payload = {"choices": [{"message": message}]}
        return extend(payload, cost=None, extra_fields={})["choices"][0]["message"]

    def test_reasoning_text_becomes_details(self) -> None:
        details = [{"index": 0, "type": "reasoning.text", "text": "Hm."}]

        assert self.key_name(reasoning="Hm.") == {"reasoning": "Hm.", "reasoning_details": details}
        assert self.key_name(reasoning_content="Hm.")["reasoning_details"] == details  # type: ignore[index]

    def test_details_become_reasoning_text(self) -> None:
        details = [{"type": "reasoning.summary", "summary": "H"}, {"type": "reasoning.text", "text": "m."}]

        assert self.key_name(reasoning_details=details) == {"reasoning": "Hm.", "reasoning_details": details}

    def test_sealed_ones_have_no_text(self) -> None:
        details = [{"type": "reasoning.encrypted", "data": "x"}]

        assert self.key_name(reasoning_details=details) == {"reasoning_details": details}


class TestUsage:
    USAGE = {"prompt_tokens": 10, "completion_tokens": 8, "total_tokens": 18}

    def test_in_full_and_with_its_cost(self) -> None:
        usage = {**self.USAGE, "completion_tokens_details": {"reasoning_tokens": 3, "citation_tokens": 1}}
        out = extend({"usage": usage}, cost={"total_cost": 1.0}, extra_fields={})["usage"]

        assert out["prompt_tokens_details"] == {
            "cached_tokens": 0,
            "audio_tokens": 0,
            "image_tokens": 0,
            "text_tokens": 10,
        }
        assert out["completion_tokens_details"]["text_tokens"] == 5
        assert out["completion_tokens_details"]["citation_tokens"] == 1
        assert out["cost"] == {"total_cost": 1.0}

    def test_none_yet(self) -> None:
        assert extend({"usage": None}, cost={"total_cost": 1.0}, extra_fields={})["usage"] is None
