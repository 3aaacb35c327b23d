"""Serve the page of votes on this machine, to people who sit at it, until interrupted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from ..harness.core.errors import ScreentestError, UsageError
from .rating import Rating
from .serve import asked_here

__all__ = ["rate_server", "serve_rating"]

_TEMPLATES = Path(__file__).parent / "templates"
_FILES = {
    "/": ("rate.html", "text/html; charset=utf-8"),
    "/rate.css": ("rate.css", "text/css; charset=utf-8"),
    "/rate.js": ("rate.js", "text/javascript; charset=utf-8"),
}
_CLIP = re.compile(r"/clip/([0-9a-f]{24})-([01])\.mp4")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_LONGEST = 10_000
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; media-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def rate_server(rating: Rating, port: int) -> ThreadingHTTPServer:
    """Make the server of a vote at 127.0.0.1.

    Raises:
        UsageError: the port cannot be used.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not asked_here(self.headers.get("Host", "")):
                self.send_error(421)
                return
            path = self.path.partition("?")[0]
            clip = _CLIP.fullmatch(path)
            if clip is not None:
                self._clip(clip[1], int(clip[2]))
            elif path in _FILES:
                name, kind = _FILES[path]
                self._send(200, kind, (_TEMPLATES / name).read_bytes())
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            if not (asked_here(self.headers.get("Host", "")) and self._own_page()):
                self.send_error(421)
                return
            try:
                asked = self._asked()
                rater = asked.get("rater")
                if self.path == "/vote":
                    told = rating.vote(rater, asked.get("pair"), asked.get("answer"), asked.get("seconds"))
                elif self.path == "/undo":
                    told = rating.undo(rater)
                elif self.path == "/next":
                    told = rating.next(rater)
                else:
                    self.send_error(404)
                    return
                status = 200
            except ScreentestError as error:
                told, status = {"error": str(error)}, 400
            self._send(status, "application/json", json.dumps(told).encode())

        def _own_page(self) -> bool:
            """Refuse what a page of another site sends: it cannot send JSON without asking first."""
            origin = self.headers.get("Origin")
            own = origin is None or origin == f"http://{self.headers.get('Host', '')}"
            return own and self.headers.get("Content-Type", "").partition(";")[0] == "application/json"

        def _asked(self) -> dict[str, Any]:
            try:
                length = int(self.headers.get("Content-Length", "0"))
                found: Any = json.loads(self.rfile.read(min(length, _LONGEST)))
            except ValueError:
                found = None
            if not isinstance(found, dict):
                raise UsageError("the request is no JSON object")
            return cast("dict[str, Any]", found)

        def _clip(self, token: str, side: int) -> None:
            try:
                body = rating.clip(token, side)
            except ScreentestError:
                body = None
            if body is None:
                self.send_error(404)
                return
            part = _RANGE.fullmatch(self.headers.get("Range", ""))
            if part is None or int(part[1]) >= len(body):
                self._send(200, "video/mp4", body)
                return
            start, end = int(part[1]), min(int(part[2] or len(body)), len(body) - 1)
            more = {"Content-Range": f"bytes {start}-{end}/{len(body)}"}
            self._send(206, "video/mp4", body[start : end + 1], more)

        def _send(self, status: int, kind: str, body: bytes, more: dict[str, str] | None = None) -> None:
            self.send_response(status)
            headers = {
                "Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store",
                "Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer", "Accept-Ranges": "bytes", **(more or {}),
            }  # fmt: skip
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Pass over browsers that break off, as they do with a video that is no longer shown."""
            del request, client_address

    try:
        return Server(("127.0.0.1", port), Handler)
    except OSError as error:
        raise UsageError(
            f"port {port} cannot be used ({error.strerror}); choose another with --port"
        ) from None


def serve_rating(rating: Rating, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve a vote at 127.0.0.1 until interrupted.

    Raises:
        UsageError: the port cannot be used.
    """
    with rate_server(rating, port) as server:
        on_ready(f"http://127.0.0.1:{server.server_port}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
