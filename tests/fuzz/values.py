"""
Odd JSON, as text: what no library would write is among it.

`odd` returns one value, `written` a body of which some values are odd. Everything comes from the
`random.Random` that is given, so that a case is made again by its seed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

NUMBERS = (
    *("0", "-0", "-1", "0.5", "-0.0", "1e-320", "1e2", "2147483647", "2147483648", "-2147483649"),
    *("9007199254740991", "9007199254740992", "9007199254740993", "1000000000000", "1000000000001"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551616"),
    *("1e17", "1e30", "1e308", "-1e308", "9" * 400),
)
NOT_JSON = ("NaN", "Infinity", "-Infinity", "1e999", "1E400", "undefined", "01", "+1", "'x'", "True", "[1,]")
TEXTS = (
    *('""', '" "', '"x"', '"null"', '"NaN"', '"-1"', '"1e308"', r'"\u0000"', r'"a\u0000b"', r'"\ud83d"'),
    *(r'"\ude00\ud83d"', '"\U0001f600"', '"\u202eabc"', '"\ufeff"', r'"\r\nX-Odd: 1"', '"../../etc"'),
    *('"%00"', '"*"', '"sk-pg-x-y"', '"<script>"', '"data:image/png;base64,AAAA"', r'"\u2028"', '"é"'),
)
LITERALS = ("null", "true", "false")
WORDS = """
    type role content text name id index delta choices usage error code message model finish_reason status
    output input arguments tool_calls function call_id summary item part response sequence_number refusal
    image_url file_id prompt_tokens total_tokens output_tokens __proto__ constructor detail object data
""".split()  # noqa: SIM905
LENGTHS = (64, 65, 256, 257, 1025, 20_000)
DEPTHS = (2, 20, 130, 1000)


def odd(chance: Random, depth: int = 0, *, strict: bool = False) -> str:
    """Return one value. *strict*: one that any JSON parser reads."""
    kind = chance.randrange(12 if depth < 3 else 8)
    if kind < 3:
        return chance.choice(NUMBERS)
    if kind < 5:
        return chance.choice(TEXTS)
    if kind < 7:
        return chance.choice(LITERALS)
    if kind == 7:
        return _large(chance) if strict or chance.random() < 0.7 else chance.choice(NOT_JSON)
    if kind < 10:
        return "[" + ",".join(odd(chance, depth + 1, strict=strict) for _ in range(chance.randrange(4))) + "]"
    pairs = (
        f"{json.dumps(chance.choice(WORDS))}:{odd(chance, depth + 1, strict=strict)}"
        for _ in range(chance.randrange(4))
    )
    return "{" + ",".join(pairs) + "}"


def _large(chance: Random) -> str:
    length, depth = chance.choice(LENGTHS), chance.choice(DEPTHS)
    return chance.choice(
        (
            json.dumps("x" * length),
            json.dumps("é\U0001f600" * (length // 2), ensure_ascii=False),
            json.dumps("*a" * (length // 2)),
            "[" * depth + "]" * depth,
            '{"a":' * depth + "1" + "}" * depth,
            "[" + ",".join(["1"] * length) + "]",
            "[" + ",".join(["{}"] * length) + "]",
            "{" + ",".join(f'"k{number}":1' for number in range(length)) + "}",
        )
    )


def text_of(token: str) -> str | None:
    """Return the text that a JSON token is, None for another value and for half of a surrogate pair."""
    try:
        found = json.loads(token)
        found.encode()
    except (ValueError, AttributeError, RecursionError):
        return None
    return str(found)


def written(value: Any, chance: Random, changes: int, *, strict: bool = False) -> str:
    """Return *value* as JSON, with *changes* of its values replaced, left out, doubled or wrapped."""
    places = list(_places(value, ()))
    chosen = {places[chance.randrange(len(places))] for _ in range(changes)} if places else set()
    return _write(value, (), chosen, chance, strict)


def _places(value: Any, place: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield (*place, name)
        yield from _places(each, (*place, name))


def _write(
    value: Any, place: tuple[Any, ...], chosen: set[tuple[Any, ...]], chance: Random, strict: bool
) -> str:
    if isinstance(value, dict):
        pairs: list[str] = []
        for name, each in value.items():
            inner = (*place, name)
            texts = [_write(each, inner, chosen, chance, strict)]
            if inner in chosen:
                texts = _changed(texts[0], chance, strict)
            pairs += [f"{json.dumps(name)}:{text}" for text in texts]
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        items: list[str] = []
        for index, each in enumerate(value):
            inner = (*place, index)
            text = _write(each, inner, chosen, chance, strict)
            items += _changed(text, chance, strict) if inner in chosen else [text]
        return "[" + ",".join(items) + "]"
    return json.dumps(value)


def _changed(text: str, chance: Random, strict: bool) -> list[str]:
    """Return what stands in place of *text*: nothing, one value or two."""
    kind = chance.randrange(10)
    if kind == 0:
        return []
    if kind == 1:
        return [text, odd(chance, strict=strict)]
    if kind == 2:
        return [f"[{text}]"]
    if kind == 3:
        return [f'{{"{chance.choice(WORDS)}":{text}}}']
    return [odd(chance, strict=strict)]
