"""The version comes from the metadata of the installed package, wherever it is shown."""

from __future__ import annotations

import configparser
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app import create_app
from app.admin.api import openapi as admin_openapi
from app.api import openapi
from app.api.store_metrics import StoreMetrics
from app.cli import main
from app.config import Settings, package_version
from app.operations.effective_settings import serialize_settings
from app.web_wiring import build_web

VERSION = "9.8.7"


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.config.settings.version", lambda name: VERSION)


def test_setup_cfg_has_it() -> None:
    parser = configparser.ConfigParser()
    parser.read(Path(__file__).parents[2] / "setup.cfg")
    try:
        installed = version("poolgate")
    except PackageNotFoundError:
        installed = "dev"

    assert package_version() == installed
    assert installed in ("dev", parser["metadata"]["version"])


@pytest.mark.usefixtures("_installed")
def test_everywhere(tmp_path: Any) -> None:
    services = build_web(Settings(home=tmp_path, redis_url="redis://127.0.0.1:1/0"))
    with create_app(services).test_request_context():
        documents = [openapi.build_document(), admin_openapi.build_document()]
    metrics = {each.name: each.samples[0].labels for each in StoreMetrics(services).collect()}

    assert [each["info"]["version"] for each in documents] == [VERSION, VERSION]
    assert metrics["poolgate_build_info"] == {"version": VERSION}
    assert Settings.from_environment({}).user_agent == f"poolgate/{VERSION}"
    assert serialize_settings(Settings(home=tmp_path))["version"] == VERSION


def test_command_line() -> None:
    """Also where the package is not installed."""
    ran = CliRunner().invoke(main, ["--version"])

    assert ran.exit_code == 0
    assert ran.output.strip().endswith(package_version())
