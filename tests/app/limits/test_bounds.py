from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.limits.bounds import ESTIMATED_OUTPUT_TOKENS, Bounds, ModelSize, compute_bounds
from app.limits.output_lengths import LENGTH_FIELDS, MIN_RESPONSES_LENGTH
from app.limits.prices import load_shipped_prices

TABLE = load_shipped_prices()
JSON_MODE = {"type": "json_object"}
EVERY_LENGTH_FIELD = ("max_completion_tokens", "max_tokens", "max_output_tokens", "n_predict")
PROTOCOLS = ("chat", "responses", "responses/compact")
PICTURE = "data:image/png;base64," + base64.b64encode(bytes(600_000)).decode()
USER_MESSAGE = {"role": "user", "content": "hi"}


def bounds(body: dict[str, Any], client_protocol: str = "chat", model: str = "gpt-4o") -> Bounds:
    return compute_bounds(client_protocol, body, len(orjson.dumps(body)), TABLE.find(model))


def shown(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}], **more}


def image(**fields: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": PICTURE, **fields}}


class TestInput:
    @given(st.text(), st.text())
    def test_text(self, content: str, instructed: str) -> None:
        """No token has less than one byte of UTF-8, however its JSON is escaped."""
        body = {"messages": [{"role": "system", "content": instructed}, {"role": "user", "content": content}]}

        assert bounds(body).upper_bound["input_tokens"] >= len((content + instructed).encode()) + 2 * 8

    @pytest.mark.parametrize(
        "body",
        [
            {
                "messages": [{"role": "system", "content": "JSON " * 200}, USER_MESSAGE],
                "response_format": JSON_MODE,
            },
            {"instructions": "JSON " * 200, "input": "hi", "text": {"format": JSON_MODE}},
        ],
    )
    def test_instructions_in_json_mode(self, body: dict[str, Any]) -> None:
        """They may be sent twice, so they count twice."""
        client_protocol = "chat" if "messages" in body else "responses"

        assert bounds(body, client_protocol).upper_bound["input_tokens"] >= 2 * 1000

    @given(st.lists(st.sampled_from(["low", "high", "auto", None]), max_size=4), st.text(max_size=50))
    def test_images(self, details: list[str | None], content: str) -> None:
        """An image counts as the maximum for its detail, never as the bytes of its data."""
        body = shown({"type": "text", "text": content}, *(image(detail=detail) for detail in details))
        ceilings = sum(85 if detail == "low" else 1445 for detail in details)

        maximum = bounds(body).upper_bound["input_tokens"]

        assert ceilings + len(content.encode()) <= maximum <= ceilings + 12 * len(content) + 1000

    def test_image_elsewhere(self) -> None:
        """Responses items show images too, also in what a function returned."""
        shown_by_user = {"role": "user", "content": [{"type": "input_image", "image_url": PICTURE}]}
        returned = {"type": "function_call_output", "call_id": "c", "output": shown_by_user["content"]}

        maximum = bounds({"input": [shown_by_user, returned]}, "responses").upper_bound["input_tokens"]

        assert 2 * 1445 <= maximum <= 2 * 1445 + 1000

    def test_unknown_models_image(self) -> None:
        """An image for an unknown model has no upper bound, but an estimate."""
        guessed = bounds(shown(image()), model="llama")

        assert "input_tokens" not in guessed.upper_bound
        assert guessed.estimate["input_tokens"] < 2000

    def test_unscaled_image(self) -> None:
        """For a model that does not scale images, only the context window is a bound."""
        assert bounds(shown(image()), model="gpt-5.6-sol").upper_bound["input_tokens"] == 1_050_000
        assert bounds(shown(image(detail="high")), model="gpt-5.6-sol").upper_bound["input_tokens"] < 10_000

    @pytest.mark.parametrize(
        "part",
        [
            {"type": "file", "file": {"file_data": PICTURE}},
            {"file": {"file_data": PICTURE}},
            {"type": "input_file", "file_url": "https://example.com/1.pdf"},
            {"type": "input_audio", "input_audio": {"data": "A" * 4000, "format": "wav"}},
            {"type": "something_new"},
        ],
    )
    def test_content_that_cannot_be_measured(self, part: dict[str, Any]) -> None:
        """Files and similar parts are bounded by the context window and estimated by their size."""
        result = bounds(shown(part))

        assert result.upper_bound["input_tokens"] == 128_000
        assert result.estimate["input_tokens"] < 60_000
        assert "input_tokens" not in bounds(shown(part), model="llama").upper_bound

    @pytest.mark.parametrize(
        "more", [{"conversation": "conv_1"}, {"input": [{"type": "item_reference", "id": "msg_1"}]}]
    )
    def test_stored_items(self, more: dict[str, Any]) -> None:
        assert bounds({"input": "hi", **more}, "responses").upper_bound["input_tokens"] == 128_000

    @pytest.mark.parametrize(
        "more",
        [{"tools": [{"type": "web_search"}]}, {"web_search_options": {}, "prompt": {"id": "p"}}],
    )
    def test_hosted_tools(self, more: dict[str, Any]) -> None:
        """Input that the upstream may add repeatedly, such as search results, has no bound."""
        result = bounds({"messages": [USER_MESSAGE], **more})

        assert "input_tokens" not in result.upper_bound
        assert "cost" not in result.upper_bound
        assert result.estimate["cost"] > 0

    def test_own_tools(self) -> None:
        tools = [{"type": "function", "function": {"name": "look"}}] * 3

        assert bounds({"messages": [USER_MESSAGE], "tools": tools}).upper_bound["input_tokens"] >= 3 * 16


class TestOutput:
    @pytest.mark.parametrize(
        ("more", "maximum"),
        [
            ({}, 16_384),
            ({"max_tokens": 50}, 50),
            ({"max_completion_tokens": 50, "max_tokens": 70}, 70),
            ({"max_completion_tokens": 10**9}, 16_384),
            ({"max_tokens": 50, "n": 3}, 150),
            ({"max_tokens": 50, "n": 2, "best_of": 3}, 150),
            ({"max_tokens": True}, 16_384),
            ({"max_tokens": None, "n": None}, 16_384),
        ],
    )
    def test_most(self, more: dict[str, Any], maximum: int) -> None:
        """The bound is the caller's length, else the model's maximum, for each choice."""
        assert bounds({"messages": [USER_MESSAGE], **more}).upper_bound["output_tokens"] == maximum

    @given(
        st.dictionaries(st.sampled_from(EVERY_LENGTH_FIELD), st.integers(1, 10**6)),
        st.sampled_from(PROTOCOLS),
    )
    def test_only_names_that_the_endpoint_honours_count(
        self, lengths: dict[str, int], client_protocol: str
    ) -> None:
        """Other names count as absent: an upstream ignores them, so the response may have any length."""
        honoured = [lengths[name] for name in LENGTH_FIELDS.get(client_protocol, ()) if name in lengths]

        maximum = compute_bounds(
            client_protocol, {"input": "hi", "messages": [USER_MESSAGE], **lengths}, 100, None
        ).upper_bound

        # in the other protocol it is raised to that
        shortest = MIN_RESPONSES_LENGTH if client_protocol == "chat" else 0
        assert maximum.get("output_tokens") == max((*honoured, shortest) if honoured else (), default=None)

    @pytest.mark.parametrize(
        ("more", "model", "unenforced"),
        [
            ({"max_tokens": 50, "n": 2}, "gpt-4o", 2 * 16_384),
            ({}, "gpt-4o", 16_384),
            ({"max_tokens": 5}, "llama", None),
        ],
    )
    def test_where_the_length_is_ignored(
        self, more: dict[str, Any], model: str, unenforced: int | None
    ) -> None:
        """Only the model's own maximum is a bound there, and only if it is known."""
        assert (
            bounds({"messages": [USER_MESSAGE], **more}, model=model).unenforced.get("output_tokens")
            == unenforced
        )

    def test_what_a_pool_assumes_of_an_unknown_model(self) -> None:
        """It bounds a request that names no length, whose upstream is then sent it, and nothing else."""
        assumed = ModelSize.from_price(None, context=5000, output=800)
        unnamed = compute_bounds("chat", {"messages": [USER_MESSAGE], "n": 2}, 100, None, assumed)
        named = compute_bounds("responses", {"input": "hi", "max_output_tokens": 900}, 100, None, assumed)
        compacting = compute_bounds("responses/compact", {"input": "hi"}, 100, None, assumed)

        assert (unnamed.upper_bound["output_tokens"], unnamed.sent_length) == (1600, 800)
        assert (named.upper_bound["output_tokens"], named.sent_length) == (900, 0)
        assert "output_tokens" not in unnamed.unenforced
        assert ("output_tokens" in compacting.upper_bound, compacting.sent_length) == (False, 0)
        assert (
            compute_bounds("chat", shown(image()), 10**6, None, assumed).upper_bound["input_tokens"] == 5000
        )

    def test_unknown_model(self) -> None:
        result = bounds({"messages": [USER_MESSAGE]}, model="llama")

        assert "output_tokens" not in result.upper_bound
        assert result.estimate["output_tokens"] == ESTIMATED_OUTPUT_TOKENS

    def test_prediction(self) -> None:
        """The tokens of a prediction that is wrong are billed on top."""
        wrong = {"type": "content", "content": "x" * 500}

        assert (
            bounds({"messages": [USER_MESSAGE], "prediction": wrong}).upper_bound["output_tokens"]
            >= 16_384 + 500
        )

    def test_the_estimate_is_at_most_the_limit(self) -> None:
        assert bounds({"messages": [USER_MESSAGE], "max_tokens": 5}).estimate["output_tokens"] == 5


class TestCost:
    def test_dearest_tier(self) -> None:
        """A request that names no tier may be billed as priority, by its account's settings."""
        open_to_all, fixed = (
            bounds({"messages": [USER_MESSAGE]}),
            bounds({"messages": [USER_MESSAGE], "service_tier": "default"}),
        )

        assert open_to_all.upper_bound["cost"] > fixed.upper_bound["cost"]
        assert open_to_all.upper_bound["cost"] >= 16_384 * 17
        assert fixed.upper_bound["cost"] >= 16_384 * 10

    def test_unknown_model(self) -> None:
        """Strict limits find no bound; balanced ones count it at the ceiling price, never as free."""
        result = bounds({"messages": [USER_MESSAGE], "max_tokens": 10}, model="llama")

        assert "cost" not in result.upper_bound
        assert result.estimate["cost"] > 10 * 50
