from __future__ import annotations

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from app.ledger.json_members import FEW, parse_members

NAMES = st.one_of(st.text(max_size=4), st.text('ab":,{\\[0]', max_size=6))
VALUES = st.recursive(st.integers(-(2**53), 2**53), lambda inner: st.lists(inner, max_size=3), max_leaves=6)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=12)


@given(OBJECTS, st.sets(NAMES, max_size=2 * FEW))
@example({'x"b': [1], "b": [2]}, {"b"})
@example({'{"b": ': [1], ',"b"': [3]}, {"b"})
@example({"b": [1]}, set())
def test_the_same_as_parsing_all(members: dict[str, object], others: set[str]) -> None:
    """Whatever is in the names: quotation marks, commas, braces."""
    text = orjson.dumps(members).decode()

    assert parse_members(text, None) == members
    for names in (others, set(members), set(list(members)[:3]) | set(list(others)[:2])):
        assert parse_members(text, names) == {name: members[name] for name in names if name in members}
