"""Serve pages on this machine, for example to read them from a server through a tunnel."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ..harness.core.errors import UsageError
from .site import Answer, NotFound, Site

__all__ = ["asked_here", "serve"]


def asked_here(host: str) -> bool:
    """Check the Host of a request.

    A page of another site whose name was made to lead here asks under that name, and gets nothing.
    """
    return host.partition(":")[0].lower() in ("127.0.0.1", "localhost")


def serve(shown: Site | Path, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve the runs of a folder, or one page alone, at 127.0.0.1, until interrupted.

    Raises:
        UsageError: the port cannot be used.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            if not asked_here(self.headers.get("Host", "")):
                self.send_error(421)
                return
            try:
                found = _answer_of(shown, self.path)
            except NotFound as error:
                self.send_error(404, "Not Found", str(error))
                return
            except (UsageError, OSError) as error:
                self.send_error(500, "Cannot be shown", str(error))
                return
            self._send(found, with_body)

        def _send(self, found: Answer, with_body: bool) -> None:
            first, last = _part(self.headers.get("Range", ""), len(found.body))
            body = found.body[first : last + 1]
            whole = len(body) == len(found.body)
            self.send_response(200 if whole else 206)
            self.send_header("Content-Type", found.kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Referrer-Policy", "no-referrer")
            if found.kind == "video/mp4":
                self.send_header("Accept-Ranges", "bytes")
            if not whole:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(found.body)}")
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    class Server(ThreadingHTTPServer):
        daemon_threads = True  # a browser keeps connections open, and they must not hold the end

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Pass over browsers that break off, as they do with a video that is no longer shown."""
            if not isinstance(sys.exception(), ConnectionError):
                super().handle_error(request, client_address)

    try:
        server = Server(("127.0.0.1", port), Handler)
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


def _answer_of(shown: Site | Path, address: str) -> Answer:
    parts = urlsplit(address)
    if isinstance(shown, Site):
        query: Mapping[str, list[str]] = parse_qs(parts.query, max_num_fields=200)
        # Split before decoding: a slash in a name is not a step of the path, and no name holds one.
        steps = [unquote(step) for step in parts.path.split("/")]
        if any("/" in step or step == ".." for step in steps):
            raise NotFound("there is no such page")
        return shown.answer("/".join(steps), query)
    if parts.path not in ("/", "/index.html"):
        raise NotFound("there is no such page")
    return Answer("text/html; charset=utf-8", shown.read_bytes())


def _part(asked: str, size: int) -> tuple[int, int]:
    """Read a ``Range`` of bytes, first and last; the whole where it is none that can be given."""
    first, dash, last = asked.removeprefix("bytes=").partition("-")
    whole = (0, size - 1)
    if not asked.startswith("bytes=") or not dash or not (first + last).isdigit() or not size:
        return whole
    if not first:
        return max(0, size - int(last)), size - 1
    start, end = int(first), min(size - 1, int(last) if last else size - 1)
    return (start, end) if start <= end else whole
