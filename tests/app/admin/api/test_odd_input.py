"""Every odd input is answered with an envelope that names the problem, never with an internal error."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from flask import Flask

from app.admin.api.openapi import BODIES, QUERIES

DEEP: Any = "x"
for _ in range(300):
    DEEP = [DEEP]
DEEPEST_OBJECT: Any = {}
for _ in range(300):
    DEEPEST_OBJECT = {"tokens": DEEPEST_OBJECT}
ODD = [
    *(None, True, 0, -1, 1.5, 10**18, 1e308, "", " ", "x", "\x00", "é\u2028<b>", "x" * 5000),
    *([], [None], ["x"], [[]], {}, {"": 1}, {"*": {"idle": 1e308}}, {"*": {"idle": -1}}, {"tokens": {}}),
]
PATHS = ["%00", "%ff", "x" * 3000, "a%2Fb", "..", "%F0%9F%98%80", "%0d%0aX-A:b", "'\"<script>"]


def routes(app: Flask) -> Any:
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("api."):
            yield rule, (rule.methods or set()) - {"HEAD", "OPTIONS"}


def is_clear_error(response: Any) -> bool:
    if response.status_code < 400:
        return True
    error = orjson.loads(response.data)["error"]
    return (
        response.status_code < 500
        and bool(error["message"])
        and "handle this request" not in error["message"]
    )


@pytest.fixture
def full(call: Any) -> Any:
    """What the addresses name is there, so that bodies are looked at."""
    call(
        "POST",
        "/accounts",
        {"kind": "openai", "name": "x", "credential": "sk", "base_url": "http://127.0.0.1:9"},
    )
    call("POST", "/keys", {"name": "x"})
    call("POST", "/pools", {"name": "x"})
    return call


@pytest.mark.parametrize("endpoint", sorted(BODIES))
def test_bodies(full, app, endpoint):
    schema = BODIES[endpoint]
    [(rule, methods)] = [(rule, methods) for rule, methods in routes(app) if rule.endpoint == endpoint]
    path = app.url_map.bind("gate.test").build(endpoint, dict.fromkeys(rule.arguments, "x"))
    path = path.removeprefix("/admin/api")
    method = next(iter(methods & {"POST", "PATCH", "PUT"}))
    names = [field.data_key or name for name, field in schema.load_fields.items()]
    fine = {"name": "n", "kind": "openai", "credential": "sk", "limit": "1 requests/day", "address": "x"}
    fine |= {"input": 1, "output": 1, "auth_json": {}, "steps": [[{"model": "m"}]], "url": "http://h/"}
    fine |= {"document": {}, "config": {}, "content": {}, "role": "viewer", "names": ["n"], "do": "remove"}
    least = {
        field.data_key or name: fine[name] for name, field in schema.load_fields.items() if field.required
    }
    for value in ODD:
        assert is_clear_error(
            full(method, path, data=orjson.dumps(value), content_type="application/json")
        ), value
        for name in names:
            body = orjson.dumps({**least, name: value})
            response = full(method, path, data=body, content_type="application/json")
            assert is_clear_error(response), (name, value, response.text)


@pytest.mark.parametrize("body", [DEEP, DEEPEST_OBJECT], ids=["list", "object"])
def test_depth(full, body):
    text = b'{"name": "n", "auth_json": ' + _written(body) + b"}"

    assert is_clear_error(full("POST", "/accounts/import", data=text, content_type="application/json"))


def _written(value: Any) -> bytes:
    if isinstance(value, list):
        return b"[" + b"".join(map(_written, value)) + b"]"
    if isinstance(value, dict):
        return b"{" + b"".join(b'"tokens":' + _written(inner) for inner in value.values()) + b"}"
    return orjson.dumps(value)


@pytest.mark.parametrize("endpoint", sorted(QUERIES))
def test_what_stands_behind_an_address(full, app, endpoint):
    [(rule, methods)] = [(rule, methods) for rule, methods in routes(app) if rule.endpoint == endpoint]
    path = app.url_map.bind("gate.test").build(endpoint, dict.fromkeys(rule.arguments, "x"))
    path = path.removeprefix("/admin/api")
    for name in ("pool", *QUERIES[endpoint].load_fields):
        for text in (
            "",
            "%00",
            "%ff",
            "x" * 3000,
            "-1",
            "9" * 400,
            "1e9",
            "0-0",
            *("2026-13-01", "0001-01-01", "1960-01-01", "1970-01-01", "9999-12-31T23:59:59-23:59"),
            *("%F0", "%ED%A0%80", "NaN", "1e30", "-1e300", "18446744073709551615-18446744073709551615"),
        ):
            for method in methods & {"GET", "DELETE"}:
                assert is_clear_error(full(method, f"{path}?{name}={text}")), (name, text)


@pytest.mark.parametrize("odd", PATHS)
def test_addresses(full, app, odd):
    for rule, methods in routes(app):
        path = rule.rule.removeprefix("/admin/api")
        for argument in rule.arguments:
            path = path.replace(f"<path:{argument}>", odd).replace(f"<{argument}>", odd)
        if rule.arguments:
            for method in methods:
                body = {"model": "x"} if path.endswith("/test") else None
                assert is_clear_error(full(method, path, body)), (method, path)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"name": "a", "name": "b", "owner": "x"}', "name"),
        (b'{"name": "a", "labels": {"env": "x", "env": "y"}}', "env"),
        (b'{"name": "a", "na\\u006de": "b"}', "name"),
    ],
)
def test_a_field_that_is_given_twice(full, body, param):
    """Which of the two is meant is not known."""
    refused = full("POST", "/keys", data=body, content_type="application/json")

    assert (refused.status_code, refused.json["error"]["param"]) == (400, param)
    assert not {"a", "b"} & {key["name"] for key in full("GET", "/keys").json["data"]}
