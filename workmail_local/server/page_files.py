"""The page's files over HTTP. They hold no secret, so nobody needs a token for them; all data comes from the API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER: Final = Path(__file__).with_name("page")
_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}

# A message is shown in a frame of the page, made from text (`srcdoc`), which inherits this policy and adds a stricter
# one. Hence inline styles, and pictures that are part of the HTML. No frame can be led anywhere.
CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "frame-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # The browser itself refuses to make HTML of text, but for that frame.
        "require-trusted-types-for 'script'",
        "trusted-types mail-frame",
    )
)
_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
}


class PageFiles:
    """`/`, and what it loads: a fixed set of files, read at the start."""

    def __init__(self) -> None:
        files = {f"/page/{path.name}": path for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}
        files["/"] = files.pop("/page/index.html")
        self._files = {url: (path.read_bytes(), _TYPES[path.suffix]) for url, path in files.items()}

    def routes(self) -> list[web.RouteDef]:
        """Return a route for each file."""
        return [web.get(url, self._answer) for url in self._files]

    def has(self, path: str) -> bool:
        """Whether a path of the server is a file of the page."""
        return path in self._files

    async def _answer(self, request: web.Request) -> web.Response:
        body, content_type = self._files[request.path]
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=_HEADERS)
