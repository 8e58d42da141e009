import pytest

from schemas.call_ids import call_id_of


@pytest.mark.parametrize(
    ("message", "call_id"),
    [
        ({"tool_call_id": "a", "call_id": "b"}, "a"),
        ({"tool_call_id": "", "call_id": "b"}, "b"),
        ({"toolCallId": "c"}, "c"),
        ({"tool_call_id": 5}, None),
        ({}, None),
    ],
)
def test_call_id_of(message, call_id):
    assert call_id_of(message) == call_id
