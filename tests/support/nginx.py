"""A real nginx in front of a service."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.ports import wait_for

PROGRAM = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
MARKS = [pytest.mark.nginx, pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed")]
CONFIG = """
{user}
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{http}
}}
"""


@contextmanager
def running_nginx(folder: Path, port: int, http: str) -> Iterator[None]:
    """Run nginx inside the block, with the directives *http*, which let it listen on *port* of 127.0.0.1."""
    user = "user root;" if os.getuid() == 0 else ""  # or its workers may not write into our folder
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(user=user, folder=folder, http=http))
    with subprocess.Popen([str(PROGRAM), "-p", str(folder), "-c", str(config)]) as process:
        try:
            wait_for(port)
            yield
        finally:
            process.terminate()
