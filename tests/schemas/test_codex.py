"""What Codex may send beyond the Responses API, and what of a conversation is compacted."""

from __future__ import annotations

import pytest
from marshmallow import ValidationError

from schemas.codex import CODEX_REQUEST
from schemas.compact import COMPACT_REQUEST
from schemas.responses import RESPONSES_REQUEST
from schemas.tools import BUILT_IN
from schemas.validation_errors import first_error

USER = {"role": "user", "content": "Hi"}


class TestCodex:
    @pytest.mark.parametrize("tool", BUILT_IN)
    def test_built_in_tools_are_its_own(self, tool: str) -> None:
        body = {"model": "m", "instructions": "", "input": [USER], "tools": [{"type": tool}]}

        assert CODEX_REQUEST.load(body)["tools"] == [{"type": tool}]
        with pytest.raises(ValidationError):
            RESPONSES_REQUEST.load(body)

    def test_instructions_may_be_empty_but_not_absent(self) -> None:
        with pytest.raises(ValidationError) as raised:
            CODEX_REQUEST.load({"model": "m", "input": [USER]})

        assert first_error(raised.value)[0] == "instructions"

    def test_faults_of_the_input_come_first(self) -> None:
        with pytest.raises(ValidationError) as raised:
            CODEX_REQUEST.load({"model": "m", "input": [1]})

        assert first_error(raised.value)[0] == "input"


class TestCompact:
    def test_only_the_conversation_remains(self) -> None:
        body = {"model": "m", "input": [USER], "stream": True, "tools": 1, "store": True, "text": []}

        assert COMPACT_REQUEST.load(body) == {"model": "m", "input": [USER]}

    def test_a_conversation_is_needed(self) -> None:
        with pytest.raises(ValidationError) as raised:
            COMPACT_REQUEST.load({"model": "m"})

        assert first_error(raised.value)[0] == "input"
