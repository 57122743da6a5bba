"""Pages from templates, with the headers that keep them from doing anything but what they are for."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

TEMPLATES = Path(__file__).parents[1] / "pages" / "templates"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_environment = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def page(template: str, status: int = 200, **values: Any) -> Response:
    """Everything that is filled in is escaped."""
    text = _environment.get_template(template).render(**values)
    return HTMLResponse(text, status, headers=HEADERS)


def go(path: str) -> Response:
    """Sends the browser to another page of ours, by GET."""
    return RedirectResponse(path, 303, headers=HEADERS)


def leave(url: str) -> Response:
    """Sends the browser to an identity provider, at an address that identity made."""
    return RedirectResponse(url, 302, headers=HEADERS | {"referrer-policy": "no-referrer"})


def own_path(path: str, otherwise: str) -> str:
    """The path if it is one of this site's pages, else `otherwise`: nobody is sent elsewhere by a link that begins here."""
    usual = path.isascii() and path.isprintable() and "\\" not in path and " " not in path
    return path if usual and len(path) <= 500 and path.startswith("/") and not path.startswith("//") else otherwise
