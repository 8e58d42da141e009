"""The environment of a bench run: a cheap upstream, nginx in front, Redis, and the gateway."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from app.accounts.account import Account
from app.limits.limit_syntax import parse_limit
from app.stores import keys
from app.stores.records.model_routes import ModelRoute, RouteTarget
from app.wiring import Services
from tests.bench.load import Load
from tests.bench.processes import cpu_seconds, tree
from tests.bench.responses import CHAT, MODEL
from tests.support.gateway import ROOT, Gateway, running_gateway
from tests.support.ports import free_port, wait_for
from tests.support.redis import private_redis, short_folder

LIMITS = (
    "1000000 requests/minute",
    "1000000000 total_tokens/day",
    "100000 usd/month",
    "5000 parallel_requests",
)
ENTRIES_OF_EACH = 100  # other key
# logs as in production; long timeouts for a shared machine
ENVIRONMENT = {"POOLGATE_LOG_LEVEL": "info"}
FLOOR_OPTIONS = (
    *("-c", os.devnull),  # not the gateway's settings, which are in this folder
    *("-k", "gevent", "--worker-connections", "4000", "--keep-alive", "75"),
    *("--no-control-socket", "tests.bench.floor:app"),
)
PATHS = {CHAT: "/v1/chat/completions", "responses": "/v1/responses"}

NGINX = shutil.which("nginx", path=":".join([*os.get_exec_path(), "/usr/sbin"])) or ""
NGINX_CONFIG = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  client_max_body_size 64m; client_body_buffer_size 1m; keepalive_requests 1000000;
  upstream backend {{ server 127.0.0.1:{upstream}; keepalive 64; }}
  server {{ listen 127.0.0.1:{port}; location / {{
    proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_buffering off; proxy_read_timeout 300s;
  }} }}
}}
"""


@dataclass(frozen=True)
class DemoRequest:
    """The parameters of a scenario: the client's protocol, and its accounts."""

    wire: str = CHAT
    deltas: int = 1
    stream: bool = True
    pace_ms: int = 0
    account_protocols: tuple[str, ...] = (CHAT,)
    prompt_bytes: int = 20
    accounts: int = 10
    others: int = 0  # keys, teams and model routes of its pool, and a hundred ledger entries for each

    def body(self) -> dict[str, Any]:
        count = max(1, self.prompt_bytes // 2000)
        text = "What is the answer? " * (self.prompt_bytes // count // 20)
        turns = [{"role": ("user", "assistant")[n % 2], "content": text} for n in range(count)]
        if self.wire == CHAT:
            return {"model": MODEL, "messages": turns, "max_tokens": 1000, "stream": self.stream}
        return {"model": MODEL, "input": turns, "max_output_tokens": 1000, "stream": self.stream}


@dataclass
class Server:
    """A server under load. *gateway* is None for the upstream itself and for nginx."""

    name: str
    port: int
    pid: int
    gateway: Gateway | None = None
    upstream_port: int = 0
    home: Path = Path()
    _keys: dict[str, str] = field(default_factory=dict)

    def load(self, demo_request: DemoRequest, **more: Any) -> Load:
        path, key = f"/{demo_request.deltas}/{demo_request.pace_ms}{PATHS[demo_request.wire]}", ""
        if self.gateway is not None:
            path, key = PATHS[demo_request.wire], self._key(self.gateway, demo_request)
        return Load(self.port, path, key, demo_request.body(), demo_request.wire, demo_request.deltas, **more)

    def _key(self, gateway: Gateway, demo_request: DemoRequest) -> str:
        """Return a key, with limits, of a pool whose accounts give the requested answers; created once."""
        protocols = "-".join(demo_request.account_protocols)
        size = f"{demo_request.deltas}-{demo_request.pace_ms}"
        name = f"{self.name}-{size}-{protocols}-{demo_request.accounts}-{demo_request.others}".lower()
        if name not in self._keys:
            services = gateway.services
            services.pools.ensure(name)
            base_url = (
                f"http://127.0.0.1:{self.upstream_port}/{demo_request.deltas}/{demo_request.pace_ms}/v1"
            )
            for number in range(demo_request.accounts):
                account = Account(
                    "",
                    f"a{number}",
                    "openai",
                    base_url,
                    protocols=demo_request.account_protocols,
                    cap=5000,
                    credential="sk-bench",
                )
                services.accounts.add(name, account)
            add_others(services, name, demo_request.others)
            limits = tuple(map(parse_limit, LIMITS))
            self._keys[name] = services.api_keys.create(name, "bench", limits=limits)[1]
        return self._keys[name]

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)

    def workers(self) -> list[int]:
        return tree(self.pid)[1:]


def add_others(services: Services, pool: str, number: int) -> None:
    """Add so many keys, teams and model routes to *pool*, and ledger entries, which no request uses."""
    client: Any = services.scripts.client
    steps = ((RouteTarget(MODEL),),)
    for each in range(number):
        services.teams.create(pool, f"t{each}")
        services.api_keys.create(pool, f"k{each}", team=f"t{each}")
        services.routes.put(pool, ModelRoute(f"other-{each}-*", steps))
        pipeline = client.pipeline(transaction=False)
        for _ in range(ENTRIES_OF_EACH):
            pipeline.xadd(keys.ledger(pool), {"row": "{}"})
        pipeline.execute()


@dataclass(frozen=True)
class Stage:
    """All servers under load: the gateway with one worker and with two, and the references."""

    one: Server
    two: Server
    floor: Server
    nginx: Server | None  # where it is installed
    direct: Server
    redis_pid: int

    def compared(self) -> list[Server]:
        """Those that are measured in turns, in every scenario."""
        return [server for server in (self.nginx, self.floor, self.one) if server is not None]

    def redis_seconds(self) -> float:
        return cpu_seconds(self.redis_pid)


@contextmanager
def stage(**env: str) -> Iterator[Stage]:
    """Start everything, with *env* for the gateway, and end it."""
    with ExitStack() as stack:
        folder = stack.enter_context(short_folder())
        upstream = stack.enter_context(_process([sys.executable, "-m", "tests.bench.upstream"]))
        assert upstream.stdout is not None
        upstream_port = int(upstream.stdout.readline())
        redis_url = stack.enter_context(private_redis())
        log = stack.enter_context((folder / "gateway.log").open("wb"))

        def gateway(workers: int) -> Server:
            home = folder / f"home{workers}"
            running = stack.enter_context(
                running_gateway(redis_url, home, workers=workers, stderr=log, **(ENVIRONMENT | env))
            )
            port = int(running.url.rpartition(":")[2])
            return Server(f"w{workers}", port, running.process.pid, running, upstream_port, home)

        one, two = gateway(1), gateway(2)
        assert one.gateway is not None
        redis_pid = one.gateway.services.scripts.client.info("server")["process_id"]
        floor = stack.enter_context(_floor(upstream_port, redis_url, log))
        nginx = stack.enter_context(_nginx(folder, upstream_port)) if NGINX else None
        yield Stage(one, two, floor, nginx, Server("direct", upstream_port, upstream.pid), redis_pid)


@contextmanager
def _nginx(folder: Path, upstream_port: int) -> Iterator[Server]:
    """A plain reverse proxy: what no gateway can be cheaper than."""
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX_CONFIG.format(folder=folder, port=port, upstream=upstream_port))
    with _process([NGINX, "-p", str(folder), "-c", str(config)]) as process:
        wait_for(port, "/")
        yield Server("nginx", port, process.pid)


@contextmanager
def _floor(upstream_port: int, redis_url: str, log: IO[bytes]) -> Iterator[Server]:
    """The least that a gateway of these packages does, on the same Redis."""
    port = free_port()
    env = {"FLOOR_UPSTREAM": f"http://127.0.0.1:{upstream_port}", "FLOOR_REDIS": redis_url}
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", *FLOOR_OPTIONS]
    with _process(command, stdout=log, stderr=log, env=os.environ | env) as process:
        wait_for(port, "/")
        yield Server("floor", port, process.pid)


@contextmanager
def _process(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, cwd=ROOT, **({"stdout": subprocess.PIPE} | options)) as process:
        try:
            yield process
        finally:
            process.terminate()
