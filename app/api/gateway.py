"""The Flask application, without what Flask does for sites under several names."""

from __future__ import annotations

from flask import Flask, Request
from werkzeug.routing import MapAdapter

from app.api.headers import GatewayRequest

HOST = "gateway"  # nothing is routed by host, and no address is built


class Gateway(Flask):
    request_class = GatewayRequest

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Match paths alone: to find out by which name we were called costs as much as matching."""
        if request is None:
            return super().create_url_adapter(request)
        return self.url_map.bind(HOST, path_info=request.path, default_method=request.method)
