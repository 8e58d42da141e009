"""
Steps of model routes as text: `gpt-5-mini`, `llama-3.3@gpu1,gpu2` or `a=90,b@gpu1=10`.

A target is a model, `@` and the accounts that may serve it, and `=` and its weight, all but the model
optional. What follows the last `@` are accounts, or groups of accounts such as `group:2`: a model
with an `@` in its own name ends with one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import InvalidRequest
from app.stores.records.model_routes import GROUP_PREFIX

_GROUP = re.compile(re.escape(GROUP_PREFIX) + r"(0|[1-9][0-9]?)")
_WEIGHT = re.compile(r"[0-9]{1,15}")
_NUMBER = re.compile(r"[-+]?[0-9.]+%?")  # looks like a weight

NUMBERS = ("temperature", "max_tokens")  # fields of a route that are numbers

RouteTarget = dict[str, Any]  # model, accounts (names), weight


def is_group(name: str) -> bool:
    """Return whether *name*, among the accounts of a target, means all accounts of a group."""
    return _GROUP.fullmatch(name) is not None


def parse_step(text: str) -> list[RouteTarget]:
    """Return the targets of a step. Raises InvalidRequest, also for a number that is not a weight."""
    targets: list[RouteTarget] = []
    continues = False  # whether the next item may be an account of the last target
    for piece in map(str.strip, text.split(",")):
        name, equals, weight = (part.strip() for part in piece.rpartition("="))
        if not equals or _NUMBER.fullmatch(weight) is None:
            name, weight = piece, ""
        elif _WEIGHT.fullmatch(weight) is None:
            raise InvalidRequest(
                f"A weight must be a whole number from 1, not {weight[:40]!r}", param="steps"
            )
        if not name:
            raise InvalidRequest("A target of a step must have the name of a model", param="steps")
        if continues:
            targets[-1]["accounts"].append(name)
        else:
            model, at, account = (part.strip() for part in name.rpartition("@"))
            is_named = bool(at and model)
            target: RouteTarget = {"model": model if is_named else name, "accounts": [], "weight": 1}
            if is_named and account:
                target["accounts"].append(account)
            targets.append(target)
            continues = bool(target["accounts"])
        if weight:
            targets[-1]["weight"] = int(weight)
            continues = False
    return targets


def format_step(targets: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of a step; `parse_step` reads it."""
    is_weighted = len(targets) > 1
    return ",".join(_format_target(target, is_weighted=is_weighted) for target in targets)


def _format_target(target: Mapping[str, Any], *, is_weighted: bool) -> str:
    model, accounts = target["model"], target["accounts"]
    at = f"@{','.join(accounts)}" if accounts else "@" if "@" in model[1:] else ""
    ends_as_weight = not at and _NUMBER.fullmatch(model.rpartition("=")[2]) is not None and "=" in model
    return f"{model}{at}={target['weight']}" if is_weighted or ends_as_weight else f"{model}{at}"


def parse_fields(texts: Sequence[str], param: str) -> dict[str, Any]:
    """Return the fields in *texts*, each `NAME=VALUE`, for a schema to check. Raises InvalidRequest."""
    fields: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidRequest("A field must be written as NAME=VALUE", param=param)
        name = name.strip()
        if name in fields:
            raise InvalidRequest(f"The field {name!r} is given twice", param=param)
        fields[name] = _number(value) if name in NUMBERS else value.strip()
    return fields


def format_fields(fields: Mapping[str, Any]) -> list[str]:
    """Return *fields* as `parse_fields` reads them."""
    return [f"{name}={value}" for name, value in fields.items()]


def _number(text: str) -> int | float | str:
    """Return *text* as a number; if it is not one, return it unchanged, so that the schema refuses it."""
    for read in (int, float):
        try:
            return read(text[:40])
        except ValueError:
            pass
    return text
