"""Code samples of the API reference: valid in their languages, with the example of the operation."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.docs.code_samples import ORIGIN, example_of, samples

KEY: dict[str, Any] = {"security": [{"key": []}]}
BODY = {"model": "m", "input": 'it\'s "here"\n', "flags": [True, None]}


def body(example: Any, media_type: str = "application/json") -> dict[str, Any]:
    return {"requestBody": {"content": {media_type: {"example": example, "schema": {}}}}}


def of(method: str, path: str, operation: dict[str, Any]) -> dict[str, str]:
    return {sample.label: sample.text for sample in samples(method, path, operation)}


class TestCurl:
    def test_the_body_is_quoted(self) -> None:
        words = shlex.split(of("post", "/v1/responses", {**KEY, **body(BODY)})["curl"].replace("\\\n", " "))

        assert words[:3] == ["curl", "-sS", f"{ORIGIN}/v1/responses"]
        assert "Authorization: Bearer $POOLGATE_KEY" in words
        assert '"it\'s \\"here\\"\\n"' in words[-1]

    def test_forms_send_files(self) -> None:
        form = body({"model": "m", "file": "a.mp3"}, "multipart/form-data")

        assert of("post", "/v1/audio/transcriptions", {**KEY, **form})["curl"].endswith(
            "-F model=m \\\n  -F file=@a.mp3"
        )

    def test_methods_and_credentials(self) -> None:
        assert "-X DELETE" in of("delete", "/admin/api/keys/{name}", {"security": [{"token": []}]})["curl"]
        assert '-u "key:$POOLGATE_KEY"' in of("get", "/x", {"security": [{"basic": []}]})["curl"]
        assert of("get", "/health", {}) == {"curl": f"curl -sS {ORIGIN}/health"}


class TestPrograms:
    OPERATIONS = (
        ("post", "/v1/responses", {**KEY, **body(BODY)}),
        ("get", "/v1/models", KEY),
        ("get", "/v1/models/{model}", KEY),
        ("get", "/v1/usage", KEY),
        ("post", "/v1/images/edits", {**KEY, **body({"image": "a.png"}, "multipart/form-data")}),
        ("put", "/admin/api/prices/{model}", {"security": [{"token": []}], **body(BODY)}),
        ("post", "/api/v1/openai/chat/completions", {"security": [{"basic": []}], **body(BODY)}),
    )

    @pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
    def test_python_compiles(self, method: str, path: str, operation: dict[str, Any]) -> None:
        compile(of(method, path, operation)["Python"], "sample", "exec")

    @pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
    def test_node_parses(self, tmp_path: Path) -> None:
        for number, (method, path, operation) in enumerate(self.OPERATIONS):
            file = tmp_path / f"{number}.mjs"
            file.write_text(of(method, path, operation)["Node"])
            subprocess.run(["node", "--check", file], check=True, capture_output=True)

    def test_values_are_those_of_the_language(self) -> None:
        found = of("post", "/v1/responses", {**KEY, **body(BODY)})

        assert "flags=[True, None]" in found["Python"]
        assert "true,\n" in found["Node"]


class TestExamples:
    def test_required_fields_where_there_is_no_example(self) -> None:
        fields = {
            "name": {"type": "string"},
            "many": {"type": ["array", "null"]},
            "count": {"type": "integer", "minimum": 3},
            "kind": {"enum": ["b", "a"]},
            "on": {"type": "boolean"},
            "other": {"type": "string"},
        }
        schema = {"properties": fields, "required": ["name", "many", "count", "kind", "on"]}

        assert example_of({"schema": schema}) == {
            "name": "…",
            "many": [],
            "count": 3,
            "kind": "b",
            "on": True,
        }
