"""A list, report, token or error that arrives byte by byte has the same time limit as one that stalls."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
from gevent import monkey; monkey.patch_all()
import json, sys, time
import gevent
from gevent.server import StreamServer
from app.errors import UpstreamError
from app.accounts.account import Account
from app.operators.oidc_issuer import OidcIssuer
from app.upstream import client, oauth, oidc, responses

OK = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\n"
BUSY = OK.replace(b"200 OK", b"503 Busy")
LENGTH = b"content-length: 100000\\r\\n\\r\\n"
DROPS = {"head": (OK, b"x-more: 1\\r\\n"), "body": (OK + LENGTH, b" "), "error": (BUSY + LENGTH, b" ")}
begin, drop = DROPS[sys.argv[1]]

def serve(sock, address):
    sock.recv(65536)
    try:
        sock.sendall(begin)
        while True:
            gevent.sleep(0.25)
            sock.sendall(drop)
    except OSError:
        sock.close()

server = StreamServer(("127.0.0.1", 0), serve)
server.start()
url = f"http://127.0.0.1:{server.server_port}"
client.LATE_SECONDS = oauth.LATE_SECONDS = oidc.LATE_SECONDS = 0.1
responses.ERROR_BODY_SECONDS, oauth.RESPONSE_SECONDS = 0.3, 0.3
oidc.CONNECT_SECONDS = oidc.RESPONSE_SECONDS = 0.2
names = {"connect_timeout_seconds": 0.3, "originator": "o", "user_agent": "u"}
account = Account("a", "a", "compatible", url, protocols=("chat",))
if sys.argv[2] == "list":
    query = lambda: client.UpstreamClient(**names).get_json(account, "/models", 0.3)
elif sys.argv[2] == "issuer":
    query = OidcIssuer(url, oidc.OidcHttp(user_agent="u")).current
else:
    query = lambda: oauth.OAuth(url, **names).refresh("r", "why")
found = "answered"
with gevent.Timeout(20, False):
    try:
        query()
    except UpstreamError as error:
        found = error.code or type(error).__name__
    print(json.dumps({"found": found}))
"""


@pytest.mark.parametrize("what", ["list", "tokens", "issuer"])
@pytest.mark.parametrize("drops", ["head", "body", "error"])
def test_drop_by_drop(what: str, drops: str) -> None:
    """It runs with gevent's sockets, as workers do; if the wait does not end, the program prints nothing."""
    command = [sys.executable, "-c", PROGRAM, drops, what]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)

    assert done.stdout, done.stderr
    assert json.loads(done.stdout)["found"] != "answered"
