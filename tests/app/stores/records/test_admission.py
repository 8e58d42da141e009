"""The records of admission, and the arguments and replies of scripts."""

from __future__ import annotations

import re
from importlib import resources

import orjson

from app.stores.records.admission import (
    AdmitRequest,
    LimitStanding,
    Obstacle,
    RefusalKind,
    Selection,
    selection_or_refusal,
)


def request(**fields: object) -> AdmitRequest:
    empty = dict.fromkeys(AdmitRequest.__slots__, "")
    amounts = {"bounds": {"cost": 5}, "estimates": {"cost": 1}, "unenforced_bounds": {"cost": 5}}
    return AdmitRequest(**(empty | amounts | {"is_stored": False} | fields))  # type: ignore[arg-type]


def test_arguments_that_do_not_apply_are_absent() -> None:
    """A JSON null would be true in Lua."""
    arguments = request().arguments()

    assert not {"kinds", "stored", "unenforced_bounds", "unreadable"} & set(arguments)
    assert None not in arguments.values()


def test_arguments_that_do() -> None:
    arguments = request(
        account_kinds=("openai", "demo"), unenforced_bounds={"cost": 9}, unreadable=("a",)
    ).arguments()

    assert (arguments["kinds"], arguments["unreadable"]) == (["openai", "demo"], ("a",))
    assert (arguments["bounds"], arguments["unenforced_bounds"]) == ({"cost": 5}, {"cost": 9})


def test_a_stored_response_reserves_nothing() -> None:
    arguments = request(is_stored=True, unenforced_bounds={"cost": 9}).arguments()

    assert (arguments["stored"], arguments["bounds"], arguments["estimates"]) == (True, {}, {})
    assert "unenforced_bounds" not in arguments


def test_a_selection() -> None:
    reply = {"account": "a", "version": 3, "attempt": 2, "by": "policy", "now": 7, "unenforced": True}

    assert selection_or_refusal(reply) == Selection("a", 3, 2, 7, may_exceed_length=True, limits=[])


def test_every_refusal_of_the_scripts_is_a_kind() -> None:
    lua = resources.files("app.stores") / "lua"
    scripts = ("admit", "report", "reservations", "obstacles", "availability")
    texts = [(lua / f"{name}.lua").read_text() for name in scripts]
    written = {kind for text in texts for kind in re.findall(r"refused = '(\w+)'", text)}

    assert written == set(RefusalKind)


def test_every_obstacle_of_the_scripts_is_known() -> None:
    text = (resources.files("app.stores") / "lua" / "obstacles.lua").read_text()
    table, code = text.partition("local OBSTACLES = {")[2].split("}", 1)
    code = code.partition("return { refused")[0]
    written = set(re.findall(r"= '(\w+)'", table + code)) | set(re.findall(r"(?:return|or) '(\w+)'", code))
    written |= set(re.findall(r"return reason and '(\w+)'", code))

    assert written == set(Obstacle)


def test_open_requests_share_the_texts_of_their_limits() -> None:
    """Each has the same few, which are read from a reply of its own."""
    reply = orjson.dumps({"account": "a", "limits": [["lim_1", "requests", "minute", 10, 9, 1000, "key"]]})

    first, second = (selection_or_refusal(orjson.loads(reply)) for _ in range(2))

    assert isinstance(first, Selection)
    assert isinstance(second, Selection)
    assert first.limits == [LimitStanding("lim_1", "requests", "minute", 10, 9, 1000, "key")]
    for text, other in zip(first.limits[0], second.limits[0], strict=True):
        assert text is other or isinstance(text, int)
