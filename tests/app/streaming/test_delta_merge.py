from __future__ import annotations

from typing import Any

import pytest

from app.streaming.delta_merge import join_texts, merge


def merged(*deltas: dict[str, Any]) -> Any:
    into: dict[str, Any] = {}
    for delta in deltas:
        merge(into, delta)
    return join_texts(into)


class TestMerge:
    @pytest.mark.parametrize(
        ("first", "second", "sum_"),
        [
            ("a", "b", "ab"),
            ("a", None, "a"),
            (None, "b", "b"),
            (None, None, None),
            (1, 2, 2),
            (True, False, False),
            ([1], [2], [1, 2]),
            ([], ["a"], ["a"]),
            ({"a": "x"}, {"a": "y", "b": 1}, {"a": "xy", "b": 1}),
            ("a", ["b"], ["b"]),
            (["a"], "b", "b"),
            ({"a": 1}, "b", "b"),
            ("a", {"b": 1}, {"b": 1}),
        ],
    )
    def test_values(self, first, second, sum_):
        assert merged({"k": first}, {"k": second}) == {"k": sum_}

    @pytest.mark.parametrize("key", ["id", "type", "role", "name", "format"])
    def test_repeated_words_do_not_grow(self, key):
        assert merged({key: "a"}, {key: "a"}) == {key: "a"}
        assert merged({key: ""}, {key: None}, {key: "a"}, {key: ""}) == {key: "a"}

    def test_nothing_is_shared(self):
        delta = {"a": {"b": [{"index": 0, "c": {"d": "x"}}]}}
        merged(delta, delta, {"a": {"b": [{"index": 0, "c": {"e": 1}}]}})

        assert delta == {"a": {"b": [{"index": 0, "c": {"d": "x"}}]}}

    def test_elements_without_index_are_appended(self):
        assert merged({"k": [{"a": "x"}]}, {"k": [{"a": "x"}]}) == {"k": [{"a": "x"}, {"a": "x"}]}

    def test_elements_keep_their_nulls(self):
        assert merged({"content": [{"token": "a", "bytes": None}]}) == {
            "content": [{"token": "a", "bytes": None}]
        }

    def test_elements_of_one_index_are_merged(self):
        first = {"k": [{"index": 0, "a": "x"}, {"index": 1, "a": "y"}]}

        assert merged(first, {"k": [{"index": 0, "a": "z"}]}) == {
            "k": [{"index": 0, "a": "xz"}, {"index": 1, "a": "y"}]
        }

    def test_late_type_does_not_part_an_element(self):
        assert merged({"k": [{"index": 0, "a": "x"}]}, {"k": [{"index": 0, "type": "t"}]}) == {
            "k": [{"index": 0, "a": "x", "type": "t"}]
        }
