"""YAML, within bounds."""

from __future__ import annotations

import pytest
import yaml

from app.errors import InvalidRequest
from app.operations.setup.yaml_text import STEP_TOKENS, YamlInvalid, parse_yaml, read_document, write_yaml


def read(text):
    return parse_yaml(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: yes", {"a": "yes"}),
        ("a: true", {"a": True}),
        ("a: 1e-6", {"a": 1e-6}),
        ("a: 1.75e-06", {"a": 1.75e-6}),
        ("a: 0x1F", {"a": 31}),
        ("a: 2025-04-01", {"a": "2025-04-01"}),
        ("a: 12:30", {"a": "12:30"}),
        ("a: ~", {"a": None}),
        ("a:", {"a": None}),
        ("1: x", {"1": "x"}),
        ("a: '1'", {"a": "1"}),
        ("a: .inf", {"a": ".inf"}),
        ("a: 1e999", {"a": "1e999"}),
        ("", None),
        ("[1, 2]", [1, 2]),
        ('{"a": [true]}', {"a": [True]}),
        ("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}", {"x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 3}}),
        ("a: " + "9" * 65, {"a": "9" * 65}),
        (b"\xef\xbb\xbfa: 1", {"a": 1}),
    ],
)
def test_values(text, value):
    assert read(text) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\na: 2", "line 2: the key 'a' is repeated"),
        ("a: [", "line 1: "),
        ("a: !!python/object/apply:os.system [id]", "line 1: the tag tag:yaml.org,2002:python"),
        ("a: !secret x", "line 1: the tag !secret is not supported"),
        ("a: !!binary aGk=", "the tag tag:yaml.org,2002:binary is not supported"),
        ("a: *b", "line 1: found undefined alias 'b'"),
        ("? [a]\n: 1", "line 1: a key must be text"),
        ("a: {<<: 1}", "what << merges must be a mapping"),
        ("a: &a [*a]", "nested deeper"),
        ("--- 1\n--- 2", "line 2: "),
        (b"a: \x00", "character 4: special characters are not allowed"),
        (b"a: \xff", "not text in UTF-8"),
        ("[" * 100_000, "nested deeper"),
        ("a: " + "[" * 60 + "]" * 60, "nested deeper"),
    ],
)
def test_faults_are_one_line(text, problem):
    with pytest.raises(InvalidRequest) as raised:
        read(text)

    assert problem in raised.value.message
    assert "\n" not in raised.value.message


def test_a_bomb_of_aliases():
    """Each level repeats the former ten times; reading ends at a bound."""
    levels = ["l0: &l0 [x]"]
    levels += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 12)]

    with pytest.raises(InvalidRequest, match="more than 100000 values"):
        read("\n".join(levels))


@pytest.mark.parametrize(
    "value", ["yes", "no", "1e-6", "1", "null", "2025-04-01", "~", "<<", "", "a: b", "0x1"]
)
def test_written_text_is_text_for_every_reader(value):
    text = write_yaml({"a": value})

    assert read(text) == {"a": value}
    assert yaml.safe_load(text) == {"a": value}


def test_written_values():
    content = {"a": [1, 1.5, 1e-6, True, None, "é"], "b": {"c": []}}

    assert read(write_yaml(content)) == content


def test_pauses():
    """A long document is read with pauses, so that a server can do other work."""
    pauses = []

    parse_yaml(b"- 1\n" * STEP_TOKENS, lambda: pauses.append(1))

    assert len(pauses) >= 2


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", 1),
        ("keys", 4),
        ("keys[0]", 5),
        ("keys[0].name", 5),
        ("keys[0].limits[1]", 8),
        ("keys[0].nothing", 5),
        ("keys[1]", 9),
        ("models.gpt-4.1.steps[0]", 3),
        ("models.gpt-4", 2),
        ("elsewhere[3]", 1),
    ],
)
def test_lines_of_values(path, line):
    """The innermost value of a path that exists has the line; names of models may contain dots."""
    text = """# a comment
models:
  gpt-4.1: {steps: [a]}
keys:
- name: ann
  limits:
  - 1 usd/day
  - 2 usd/day
- {name: bob}
"""
    assert read_document(text.encode()).line_of(path) == line


def test_lines_of_a_document_that_contains_itself():
    """Reading it fails, so its lines are never searched without end."""
    with pytest.raises(YamlInvalid):
        read_document(b"a: &a {'': *a}")
