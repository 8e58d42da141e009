"""`app.wsgi`; GET /_greenlets returns how many greenlets this process has, after a collection of garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from typing import Any

from greenlet import greenlet

from app.wsgi import app as gateway


class Counted:
    def __getattr__(self, name: str) -> Any:
        return getattr(gateway, name)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/_greenlets":
            return gateway(environ, start_response)
        gc.collect()
        count = sum(isinstance(each, greenlet) and not each.dead for each in gc.get_objects())
        body = str(count).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


app = Counted()
