"""Only `app.stores` sends commands to Redis: other rooms call its repositories."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import redis
from redis.cluster import RedisCluster

ROOT = Path(__file__).parents[1]
ROOMS = ("app", "schemas", "workers")
STORES = ROOT / "app" / "stores"

CLIENT_NAMES = {"client", "redis", "redis_client", "pipeline", "pipe", "store_client"}
COMMANDS = {
    name
    for name in (*dir(redis.Redis), *dir(RedisCluster))
    if not name.startswith("_") and name not in {"close", "get_connection_kwargs", "get_encoder"}
}

RUNS_SCRIPT = re.compile(r"scripts\.run(_raw|_json)?\(")


def modules() -> list[Path]:
    """Return the modules outside of `app.stores`."""
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*.py")]
    return sorted(file for file in files if STORES not in file.parents)


def last_name(node: ast.expr) -> str:
    """Return the last name of `a.b._client` without underscores before it: `client`."""
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name.lstrip("_")
    return ""


def violations(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the code of every use of a Redis client in a module's *text*."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.ImportFrom(module=module) if module and module.split(".")[0] == "redis":
                yield node.lineno, f"from {module} import …"
            case ast.Import(names=names) if any(each.name.split(".")[0] == "redis" for each in names):
                yield node.lineno, "import redis"
            case ast.Attribute(value=value, attr="client") if last_name(value) == "scripts":
                yield node.lineno, "scripts.client"
            case ast.Call(func=ast.Attribute(value=value, attr=command)) if (
                command in COMMANDS and last_name(value) in CLIENT_NAMES
            ):
                yield node.lineno, f"{last_name(value)}.{command}()"


def test_only_stores_send_commands() -> None:
    uses = [
        f"{module.relative_to(ROOT)}:{line}: {code}"
        for module in modules()
        for line, code in violations(module.read_text())
    ]

    assert uses == []


def test_only_stores_run_scripts() -> None:
    callers = {
        str(module.relative_to(ROOT)) for module in modules() if RUNS_SCRIPT.search(module.read_text())
    }

    assert callers == set()


def test_finds_calls_of_the_store_client() -> None:
    text = """
import redis
self._client.hgetall(key)
services.scripts.client.get(key)
upstream_client.send(body)
"""
    assert sorted(violations(text)) == [
        (2, "import redis"),
        (3, "client.hgetall()"),
        (4, "client.get()"),
        (4, "scripts.client"),
    ]
