"""Answers: HTML, updates and assets with the headers that keep them harmless in a browser.

The policy lets a page load nothing but our own files and run no script or style that stands in the HTML: even
text that somebody managed to smuggle in as markup could neither run nor call anywhere.
"""

import gzip
import hashlib
import json
from collections.abc import Collection, Iterable
from importlib.resources import files
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from runners.api.page.render import Part

_SOURCES = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)
POLICY = "; ".join(_SOURCES)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Not no-referrer: browsers would then send our own forms with Origin: null.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
ASSETS = ("page.css", "page.js", "live.js", "morph.js", "times.js", "grid.js", "icon.svg")
# Under this, compressing costs more than it saves.
GZIP_FROM = 2048
GZIP_LEVEL = 5


def html(request: Request, text: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A page."""
    return _packed(request, HTMLResponse(text, status, headers={**HEADERS, **(headers or {})}))


def update(request: Request, parts: Iterable[Part], have: Collection[str], **facts: Any) -> Response:
    """Those parts that the browser does not have, by their marks, and what holds for all of them."""
    told = {each.name: {"mark": each.mark, "html": each.html} for each in parts if each.mark not in have}
    body = json.dumps({**facts, "parts": told}, ensure_ascii=False)
    return _packed(request, Response(body, media_type="application/json", headers=HEADERS))


def asset(request: Request, name: str) -> Response | None:
    """One of our files, or None; a browser asks each time and gets it only when it has changed."""
    if name not in ASSETS:
        return None
    body = (files("runners.api.page") / "static" / name).read_bytes()
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {**HEADERS, "Cache-Control": "no-cache", "ETag": etag}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return _packed(request, Response(body, media_type=TYPES[name.rpartition(".")[2]], headers=headers))


def _packed(request: Request, answer: Response) -> Response:
    """Compressed where the browser takes it: a grid of a thousand runners is a tenth of its size then."""
    body = bytes(answer.body)
    answer.headers["Vary"] = "Accept-Encoding, Cookie"
    if len(body) >= GZIP_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        answer.body = gzip.compress(body, GZIP_LEVEL, mtime=0)
        answer.headers["Content-Encoding"] = "gzip"
        answer.headers["Content-Length"] = str(len(answer.body))
    return answer
