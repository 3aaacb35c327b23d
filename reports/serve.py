"""Serve one page locally, for example to read it from a server through a tunnel."""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ..harness.core.errors import UsageError

__all__ = ["asked_here", "serve_page"]


def asked_here(host: str) -> bool:
    """Check the Host of a request.

    A page of another site whose name was made to lead here asks under that name, and gets nothing.
    """
    return host.partition(":")[0].lower() in ("127.0.0.1", "localhost")


def serve_page(page: Path, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve only ``page``, at 127.0.0.1, until interrupted.

    Raises:
        UsageError: the port cannot be used.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            if not asked_here(self.headers.get("Host", "")):
                self.send_error(421)
                return
            if self.path.partition("?")[0] not in ("/", "/index.html"):
                self.send_error(404)
                return
            body = page.read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        raise UsageError(
            f"port {port} cannot be used ({error.strerror}); choose another with --port"
        ) from None
    with server:
        on_ready(f"http://127.0.0.1:{server.server_port}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
