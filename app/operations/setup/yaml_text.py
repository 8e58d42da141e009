"""
Read and write YAML, within bounds.

Scalars have the meaning of the core schema of YAML 1.2: `yes` and `2025-04-01` are text, 1e-6 is a number.
Keys are always text. Tags and repeated keys are refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from app.errors import InvalidRequest

MAX_NODES = 100_000  # values and keys; those that an alias repeats count again
MAX_DEPTH = 50
MAX_NUMBER_CHARS = 64
STEP_TOKENS = 200  # parsed in about ten milliseconds
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_SCALARS = {  # tag, pattern, first characters
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]{1,64}|0o[0-7]{1,32}|0x[0-9a-fA-F]{1,32}", list("-+0123456789")),
    "float": (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    "merge": (r"<<", ["<"]),
}


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """Calls *pause* after each STEP_TOKENS tokens: PyYAML parses only about 100 kB per second."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # the type that PyYAML declares

    def __init__(self, text: str, pause: Callable[[], None]) -> None:
        super().__init__(text)
        self._pause = pause
        self._fetched = 0

    def fetch_more_tokens(self) -> None:
        self._fetched += 1
        if self._fetched % STEP_TOKENS == 0:
            self._pause()
        super().fetch_more_tokens()


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Quotes text that this reader, or one of YAML 1.1, would read as another type."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _name, (_pattern, _first) in _SCALARS.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _first)


def _go_on() -> None:
    """The default *pause*: does nothing."""


class YamlInvalid(InvalidRequest):
    """The syntax of a document is wrong, at *line* if that is known."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {problem}" if line else problem)
        self.problem, self.line = problem, line


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """The *content* of a document, and the lines of its values."""

    content: Any
    root: yaml.Node | None

    def line_of(self, path: str) -> int:
        """
        Return the line of the value at *path*, such as `keys[0].limits`, or of the innermost value around it.
        """
        found, line = _find_child(self.root, path), 1
        while found is not None:
            mark, node, rest = found
            found, line = _find_child(node, rest.removeprefix(".")), mark.line + 1
        return line


def parse_yaml(data: bytes, pause: Callable[[], None] = _go_on) -> Any:
    """Parse the YAML document *data*, see `read_document`, and return its content."""
    return read_document(data, pause).content


def read_document(data: bytes, pause: Callable[[], None] = _go_on) -> YamlDocument:
    """
    Parse the YAML document *data*. Raises YamlInvalid.

    *pause* is called regularly, so that a server can do other work.
    """
    try:
        node = _Loader(data.decode("utf-8-sig"), pause).get_single_node()
        return YamlDocument(_Reader(pause).read(node) if node is not None else None, node)
    except UnicodeDecodeError:
        raise YamlInvalid("not text in UTF-8") from None
    except RecursionError:
        raise YamlInvalid(f"nested deeper than {MAX_DEPTH} levels") from None
    except yaml.reader.ReaderError as error:
        raise YamlInvalid(f"character {error.position + 1}: {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlInvalid(f"{error.problem or error.context}", mark.line + 1 if mark else None) from None


def write_yaml(content: Mapping[str, Any]) -> str:
    """Return *content* as YAML that `parse_yaml` reads."""
    text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def _find_child(node: yaml.Node, path: str) -> tuple[yaml.Mark, yaml.Node, str] | None:
    """Return the mark and the node of the child with which *path* begins, and the rest of *path*."""
    children: list[tuple[str, yaml.Mark, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        children = [(key.value, key.start_mark, value) for key, value in node.value if key.value]
    elif isinstance(node, yaml.SequenceNode):
        children = [(f"[{index}]", child.start_mark, child) for index, child in enumerate(node.value)]
    found = [
        each for each in children if path.startswith(each[0]) and path[len(each[0]) :][:1] in ("", ".", "[")
    ]
    if not found:
        return None
    name, mark, child = max(found, key=lambda each: len(each[0]))  # names of models may contain dots
    return mark, child, path[len(name) :]


class _Reader:
    """Converts nodes to values, and counts them."""

    def __init__(self, pause: Callable[[], None]) -> None:
        self._pause = pause
        self._nodes = 0

    def read(self, node: yaml.Node, depth: int = 0) -> Any:
        self._nodes += 1
        if self._nodes % STEP_TOKENS == 0:
            self._pause()
        if self._nodes > MAX_NODES:
            raise _fault(node, f"more than {MAX_NODES} values")
        if depth > MAX_DEPTH:
            raise _fault(node, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.read(each, depth + 1) for each in node.value]
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        raise _fault(node, f"the tag {node.tag[:64]} is not supported")

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        read: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            self._nodes += 1
            if key_node.tag == _MERGE:
                for name, value in self._merged(value_node, depth):
                    merged.setdefault(name, value)
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise _fault(key_node, "a key must be text")
            if key_node.value in read:
                raise _fault(key_node, f"the key '{key_node.value[:64]}' is repeated")
            read[key_node.value] = self.read(value_node, depth + 1)
        return {**merged, **read}

    def _merged(self, node: yaml.Node, depth: int) -> list[tuple[str, Any]]:
        values = self.read(node, depth + 1)
        sources = values if isinstance(values, list) else [values]
        if not all(isinstance(source, dict) for source in sources):
            raise _fault(node, "what << merges must be a mapping")
        return [item for source in sources for item in source.items()]


def _scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    kind = node.tag.removeprefix(_TAG)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        return int(text, 8 if text.startswith("0o") else 16 if text.startswith("0x") else 10)
    if kind == "float":
        number = float(text) if len(text) <= MAX_NUMBER_CHARS else math.inf
        return number if math.isfinite(number) else text
    if kind in ("str", "merge"):
        return text
    raise _fault(node, f"the tag {node.tag[:64]} is not supported")


def _fault(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
