"""
`python -m app.demo`: serve until a signal, or until the parent process closes standard input.

Prints one line when it listens, `{"port": N}`, and nothing else.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys

import gevent.socket
import orjson
from gevent.pywsgi import WSGIServer

from app.demo.server import wsgi_application

KEY_VARIABLE = "POOLGATE_DEMO_KEY"


def main() -> int:
    arguments = _arguments()
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        print(f"{KEY_VARIABLE} is not set: it is the key that clients must send", file=sys.stderr)
        return 2
    server = WSGIServer(_listener(arguments.port), wsgi_application(key), log=None, error_log=None)
    server.start()
    sys.stdout.buffer.write(orjson.dumps({"port": server.server_port}) + b"\n")
    sys.stdout.buffer.flush()
    if arguments.until_stdin_closes:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C also reaches the parent, which decides
        _wait_for_stdin_to_close()
        return 0
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 130
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m app.demo",
        description="The simulated upstream.",
        epilog=f"environment: {KEY_VARIABLE} is the key that clients must send; it must be set",
    )
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 chooses a free port")
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="exit when the other end of standard input closes, for whatever reason",
    )
    return parser.parse_args()


def _listener(port: int) -> gevent.socket.socket:
    listener = gevent.socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited; a response is two writes
    listener.bind(("127.0.0.1", port))
    listener.listen(512)
    return listener


def _wait_for_stdin_to_close() -> None:
    stdin = sys.stdin.fileno()
    while True:
        gevent.socket.wait_read(stdin)
        if not os.read(stdin, 4096):
            return


if __name__ == "__main__":
    sys.exit(main())
