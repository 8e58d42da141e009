"""The figures as a table for people, next to our targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Row(NamedTuple):
    words: str
    scenario: str  # without the server's name, or a group that only the gateway has
    figure: str
    target: str = ""


ROWS = (
    Row("CPU ms / request, small, 1 client", "small_1", "cpu_ms", "0.75"),
    Row("CPU ms / request, small, 32 clients", "small_32", "cpu_ms", "0.65"),
    Row("   of Redis, in addition", "small_32", "redis_ms"),
    Row("CPU ms / request, 200 kB prompt", "large", "cpu_ms", "1.0"),
    Row("CPU ms / stream of 5 events, 16 clients", "stream_5", "cpu_ms", "0.75"),
    Row("CPU us / event, burst of 200, chat", "burst_chat", "event_us", "10"),
    Row("   without its share of the request", "burst_chat", "more_us", "4"),
    Row("CPU us / event, burst, responses to chat", "burst_translated", "event_us", "15"),
    Row("   without its share of the request", "burst_translated", "more_us"),
    Row("CPU us / event, burst, responses", "burst_responses", "event_us", "10"),
    Row("   without its share of the request", "burst_responses", "more_us", "4"),
    Row("CPU us / event, slow streams", "slow", "event_us", "50"),
    Row("event lag p50 ms, slow streams", "slow", "lag_p50_ms"),
    Row("event lag p99 ms, slow streams", "slow", "lag_p99_ms", "5"),
    Row("   % of the time others had its CPU", "slow", "starved_percent"),
    Row("first byte p99 ms of others meanwhile", "slow", "others_first_p99_ms", "20"),
    Row("p50 ms, small, 1 client", "small_1", "p50_ms"),
    Row("p99 ms, small, 1 client", "small_1", "p99_ms"),
    Row("requests / s, 32 clients", "small_32", "per_second"),
)
SERVERS = {"w1": "gateway", "floor": "floor", "nginx": "nginx", "direct": "direct"}
COMPARED = {"floor": "x floor", "nginx": "x nginx"}
CPU = ("cpu_ms", "event_us", "more_us")  # figures that are also shown as multiples of these servers'


def table(figures: Mapping[str, Any]) -> str:
    lines = [_line("", *SERVERS.values(), *COMPARED.values(), "target")]
    for row in ROWS:
        values = {server: figures.get(f"{row.scenario} {server}", {}).get(row.figure) for server in SERVERS}
        multiples = [multiple(row, values, server) for server in COMPARED]
        lines.append(_line(row.words, *map(_cell, (*values.values(), *multiples)), row.target))
    for quantile in ("p50_ms", "p99_ms"):
        added = figures["small_1 w1"][quantile] - figures["small_1 direct"][quantile]
        lines.append(_gateway_line(f"added {quantile[:3]} ms, small, 1 client", added))
    memory, growth = figures["memory"], figures["growth"]["growth_percent"]
    lines += [
        _gateway_line("requests / s, two workers", figures["small_32 w2"]["per_second"]),
        _gateway_line("idle worker MiB", memory["idle_worker_mib"], "75"),
        _gateway_line("MiB per 1,000 open streams", memory["mib_per_1000_streams"], "60"),
        _gateway_line("% more CPU in a pool of 1,000 accounts", growth, "5"),
        _gateway_line("Redis round trips / request", figures["store"]["round_trips"], "2"),
    ]
    for name, scripts in figures["store"].items():
        if name.startswith("script_us_"):
            reply = ", ".join(f"{script} {us:g}" for script, us in scripts.items())
            lines.append(f"Redis us / call, {name.removeprefix('script_us_')} accounts: {reply}")
    machine = figures.get("machine", {})
    lines.append(", ".join(f"{name} {value}" for name, value in machine.items()))
    return "\n".join(lines)


def multiple(row: Row, values: Mapping[str, float | None], server: str) -> float | None:
    """Return the CPU time of the gateway as a multiple of that of *server*, None for other rows."""
    measured, compared = values["w1"], values[server]
    if row.figure not in CPU or measured is None or not compared or compared <= 0:
        return None
    return measured / compared


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def _line(words: str, *cells: str) -> str:
    return f"{words:40}" + "".join(f"{cell:>9}" for cell in cells)


def _gateway_line(words: str, value: float, target: str = "") -> str:
    """Return a line of what is measured of the gateway alone."""
    return _line(words, _cell(value), *[""] * (len(SERVERS) - 1 + len(COMPARED)), target)
