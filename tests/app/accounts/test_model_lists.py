"""Lists of models, as upstreams return them: what is invalid is left out, and sizes are bounded."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.accounts.model_lists import MAX_INSTRUCTIONS, read_codex_models, read_openai_models
from app.errors import UpstreamProtocolError
from schemas.bounds import MAX_LISTED_BYTES, MAX_LISTED_MODELS, MAX_TEXT_CHARS


class TestOpenAi:
    def test_names(self) -> None:
        """In order, each once; what is no model is left out."""
        data: list[Any] = [{"id": "b"}, {"id": "a"}, {"id": "b"}]
        data += [{"id": 5}, {"id": ""}, {"id": "x" * (MAX_TEXT_CHARS + 1)}, {}, "c", None]

        listed = read_openai_models({"data": data})

        assert (listed.names, listed.metadata, listed.catalogue) == (["a", "b"], {}, {})

    @pytest.mark.parametrize("payload", [{}, {"data": None}, {"data": {"id": "a"}}, {"models": []}])
    def test_no_list(self, payload: dict[str, Any]) -> None:
        with pytest.raises(UpstreamProtocolError):
            read_openai_models(payload)

    def test_an_empty_list(self) -> None:
        assert read_openai_models({"data": []}).names == []

    def test_too_many(self) -> None:
        data = [{"id": str(number)} for number in range(MAX_LISTED_MODELS + 1)]

        assert len(read_openai_models({"data": data}).names) <= MAX_LISTED_MODELS

    def test_too_large(self) -> None:
        """The first names are listed, as far as they fit."""
        data = [{"id": f"{number:05}" + "x" * (MAX_TEXT_CHARS - 5)} for number in range(MAX_LISTED_MODELS)]

        names = read_openai_models({"data": data}).names

        assert 0 < len(names) < len(data)
        assert names == [model["id"] for model in data[: len(names)]]
        assert len(orjson.dumps(names)) <= MAX_LISTED_BYTES


class TestCodex:
    def test_metadata_and_catalogue(self) -> None:
        model = {"slug": "m", "display_name": "M", "base_instructions": "Be brief.", "unknown": 1}

        listed = read_codex_models({"models": [model]})

        assert listed.names == ["m"]
        assert listed.metadata == {"m": {"display_name": "M"}}
        assert listed.catalogue == {"m": {"base_instructions": "Be brief."}}

    def test_models_that_the_api_does_not_serve(self) -> None:
        models = [
            {"slug": "a", "supported_in_api": False},
            {"slug": "b", "supported_in_api": True},
            {"slug": "c"},
        ]

        assert read_codex_models({"models": models}).names == ["b", "c"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("display_name", 5),
            ("context_window", "many"),
            ("context_window", -1),
            ("context_window", True),
            ("priority", 2**31),
            ("priority", 1.5),
            ("support_verbosity", 1),
            ("truncation_policy", []),
            ("base_instructions", ""),
            ("base_instructions", "x" * (MAX_INSTRUCTIONS + 1)),
        ],
    )
    def test_a_field_that_codex_would_reject(self, field: str, value: Any) -> None:
        """Codex rejects a catalogue as a whole, so one field is left out, and its model stays."""
        listed = read_codex_models({"models": [{"slug": "m", field: value, "visibility": "list"}]})

        assert listed.names == ["m"]
        assert field not in listed.metadata["m"] | listed.catalogue["m"]
        assert listed.catalogue["m"] == {"visibility": "list"}

    def test_metadata_that_is_too_large(self) -> None:
        """The names remain."""
        model = {"slug": "m", "description": "x" * MAX_LISTED_BYTES}

        listed = read_codex_models({"models": [model]})

        assert (listed.names, listed.metadata) == (["m"], {})

    def test_no_list(self) -> None:
        with pytest.raises(UpstreamProtocolError):
            read_codex_models({"data": []})
