"""GET /docs: the user guide, and its search. It needs neither a key nor scripts."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response, redirect, render_template

from app.api.context import current_request, services
from app.api.operator_pages import find_operator_pages
from app.docs import guide
from app.docs.search import MAX_QUERY_CHARS, search_sections
from app.errors import NotFound
from app.server.compression import compress

ROOT = "/docs"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",  # needed by the API reference only
        "connect-src 'self'",
        "img-src 'self' data:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

ASSETS = f"{ROOT}/static"

bp = Blueprint(
    "guide",
    __name__,
    template_folder=str(guide.FOLDER / "templates"),
    static_folder=str(guide.FOLDER / "static"),
    static_url_path=ASSETS,
)


@bp.after_request
def add_headers(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    return compress(response) if response.status_code == 200 else response


@bp.get("/")
def home() -> Response:
    """Redirect a browser to the pages of operators or, if their address is unknown, to the guide."""
    if "text/html" not in current_request().headers.get("Accept", ""):
        raise NotFound(f"There is nothing at this address; the API is at /v1, the guide at {ROOT}")
    return redirect(_operator_pages() or ROOT)  # type: ignore[return-value]


@bp.get("/favicon.ico")
def icon() -> Response:
    """Redirect to the icon: browsers request this address for every site."""
    return redirect(f"{ASSETS}/icon.svg", 301)  # type: ignore[return-value]


@bp.get(ROOT, strict_slashes=False)
def contents() -> str:
    """Show the table of contents of the guide."""
    return render("guide/contents.html", admin=services().settings.admin)


@bp.get(f"{ROOT}/<name>", strict_slashes=False)
def page(name: str) -> str:
    """Show a page of the guide."""
    found = guide.pages(ROOT).get(name)
    if found is None:
        raise NotFound(f"The guide has no page '{name}'; see {ROOT}")
    return render("guide/page.html", page=found)


@bp.get(f"{ROOT}/search")
def search() -> str:
    """Search the guide for the words in `q`."""
    query = current_request().args.get("q", "")[:MAX_QUERY_CHARS]
    return render("guide/search.html", query=query, hits=search_sections(query, _sections()))


def render(template: str, **values: object) -> str:
    """Return the HTML of *template* in the layout of the guide."""
    return render_template(
        template,
        root=ROOT,
        assets=ASSETS,
        groups=guide.GROUPS,
        pages=guide.pages(ROOT),
        operator_pages=_operator_pages(),
        **values,
    )


def _operator_pages() -> str:
    request = current_request()
    return find_operator_pages(services().settings, request.scheme, request.host)


def _sections() -> Iterator[guide.Section]:
    return (section for page in guide.pages(ROOT).values() for section in page.sections)
