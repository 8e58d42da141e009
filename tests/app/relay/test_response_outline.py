"""The outline of a large response has all that is read from it, whatever its numbers and files are."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.relay import response_outline
from app.relay.response_outline import MAX_VALUES, SHORTENED_FROM_BYTES, outline
from tests.support.examples import examples

USAGE = {"prompt_tokens": 5, "total_tokens": 5}
NUMBER = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = (
    st.text(max_size=20)
    | st.text("ABCab01+/=", min_size=0, max_size=300)
    | st.sampled_from(["[1,2]", '"[1', "\\u00"])
)
VALUE = st.recursive(
    NUMBER | TEXT | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_outline, "SHORTENED_FROM_BYTES", 0)
    monkeypatch.setattr(response_outline, "WINDOW_BYTES", 20)
    monkeypatch.setattr(response_outline, "end_turn", lambda: None)


@pytest.mark.usefixtures("_small")
@settings(max_examples=examples(300))
@given(VALUE, st.sampled_from([None, orjson.OPT_INDENT_2]))
def test_any_response(data: object, option: int | None) -> None:
    """However windows divide it, an outline is JSON with the usage and the members of the response."""
    text = orjson.dumps({"model": "m", "data": data, "usage": USAGE}, option=option, default=str)

    value = orjson.loads(outline(text))

    assert (value["model"], value["usage"], list(value)) == ("m", USAGE, ["model", "data", "usage"])


def test_embeddings() -> None:
    row = b"[" + b",".join([b"-0.012345678"] * 3072) + b"]"
    rows = b",".join([b'{"object":"embedding","embedding":' + row + b"}"] * 100)
    data = b'{"object":"list","data":[' + rows + b'],"usage":' + orjson.dumps(USAGE) + b"}"

    value = orjson.loads(outline(data))

    assert len(data) > SHORTENED_FROM_BYTES > 100 * len(outline(data))
    assert value["usage"] == USAGE
    assert len(value["data"]) == 100


def test_image() -> None:
    data = (
        b'{"data":[{"b64_json":"' + b"A" * SHORTENED_FROM_BYTES + b'"}],"usage":' + orjson.dumps(USAGE) + b"}"
    )

    assert orjson.loads(outline(data))["usage"] == USAGE
    assert len(outline(data)) < len(data) / 3


def test_short_response() -> None:
    assert outline(b'{"data":[1,2]}') == b'{"data":[1,2]}'


def test_too_many_values() -> None:
    """The number of values that are neither in an array of numbers nor Base64 is bounded."""
    with pytest.raises(ValueError, match="too many values"):
        outline(b"[" + b'"a",' * (MAX_VALUES + 1) + b'"a"]')


def test_broken_json() -> None:
    """Invalid JSON does not become valid by leaving parts out."""
    with pytest.raises(ValueError, match="values"):
        orjson.loads(outline(b'{"data":[' + b"1," * SHORTENED_FROM_BYTES + b'nothing"'))
