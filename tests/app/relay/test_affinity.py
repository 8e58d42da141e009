"""Which conversation a request belongs to."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.relay import affinity
from app.relay.affinity import SMALL_BYTES, affinity_of, ownership_of

TURN_1 = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}]
TURN_2 = [*TURN_1, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "And now?"}]


def of(body: dict[str, Any], headers: dict[str, str] | None = None, key: str = "key_1") -> str:
    return affinity_of(key, {"model": "m", **body}, headers or {})


def test_later_turns_share_the_start_of_their_conversation() -> None:
    assert of({"messages": TURN_1}) == of({"messages": TURN_2})


def test_other_conversations_do_not() -> None:
    assert of({"messages": TURN_1}) != of({"messages": [{"role": "user", "content": "Hello"}]})


def test_a_cache_key_beats_the_text() -> None:
    assert of({"messages": TURN_1, "prompt_cache_key": "c"}) == of({"input": "x", "prompt_cache_key": "c"})


def test_a_cache_key_beats_a_session_header() -> None:
    with_header = of({"input": "x", "prompt_cache_key": "c"}, {"session_id": "s"})

    assert with_header == of({"input": "x", "prompt_cache_key": "c"})


def test_a_session_header_beats_the_text() -> None:
    assert of({"input": "x"}, {"session_id": "s"}) == of({"input": "y"}, {"session_id": "s"})


def test_a_conversation_id_beats_the_text() -> None:
    assert of({"input": "x", "conversation": "c"}) == of({"input": "y", "conversation": "c"})


def test_keys_do_not_meet() -> None:
    """Otherwise a caller could learn which account the cache key of another caller leads to."""
    assert of({"prompt_cache_key": "c"}) != of({"prompt_cache_key": "c"}, key="key_2")


def test_no_text_of_the_conversation_is_in_it() -> None:
    assert of({"input": "secret"}).isalnum()
    assert len(of({"input": "secret"})) == 24


def test_only_a_conversation_is_owned() -> None:
    first, later = {"conversation": "c"}, {"conversation": "c", "input": "x"}

    assert ownership_of("key_1", first) == ownership_of("key_1", later) != ""
    assert ownership_of("key_1", {"prompt_cache_key": "c"}) == ""


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 2**60) | st.text(max_size=8) | st.just('"é\n' * 9000),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=30,
    ),
    st.integers(1, 60),
)
def test_the_start_equals_that_of_the_full_conversation(value: Any, room: int) -> None:
    """Only parts after the hashed bytes are left out, so fingerprints do not change."""
    part, _ = affinity._prefix(value, room)

    assert orjson.dumps(part)[:room] == orjson.dumps(value)[:room]


def test_only_the_start_of_a_long_conversation_is_encoded() -> None:
    turns = [{"role": "system", "content": "x" * 10_000_000}]
    turns += [{"role": "assistant", "content": "y"}] * 100_000

    part, _ = affinity._prefix(["m", None, turns], affinity.START_BYTES)

    assert affinity.START_BYTES <= len(orjson.dumps(part)) < 2 * affinity.START_BYTES


@pytest.mark.parametrize("characters", [0, 100, SMALL_BYTES - 300])
def test_a_small_body_is_the_same_without_being_cut(characters: int) -> None:
    messages = [
        {"role": "system", "content": "x" * characters},
        *TURN_1,
        {"role": "user", "content": [1, None]},
    ]
    body = {"model": "m", "messages": messages}
    size = len(orjson.dumps(body))
    assert size <= SMALL_BYTES

    assert affinity_of("k", body, {}, size) == affinity_of("k", body, {})
