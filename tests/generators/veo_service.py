"""A local service with the two protocols of Veo: operations of Google Cloud and of the Gemini API."""

from __future__ import annotations

import base64
import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CLOUD = "projects/toy/locations/us-central1/publishers/google/models/veo-toy"
PARAMETERS = {
    *("sampleCount", "seed", "durationSeconds", "aspectRatio", "resolution", "negativePrompt"),
    *("generateAudio", "enhancePrompt", "personGeneration"),
}


class VeoService:
    """What the service was asked for, and what it answers.

    Attributes:
        answers: what requests of operations end with, by prompt: fields of the operation.
        faults: (status, body) of the next requests, or ``lost`` for a connection that is closed.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.operations: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        self.faults: deque[tuple[int, Any] | str] = deque()
        self.url = ""
        self.elsewhere = ""

    @property
    def creates(self) -> list[Any]:
        return [body for _, path, _, body in self.requests if path.endswith(":predictLongRunning")]


@contextmanager
def serve(service: VeoService, video: bytes) -> Iterator[VeoService]:
    """Serve until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(service, video))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    service.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()


def _handler(service: VeoService, video: bytes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            path = self.path.partition("?")[0].removeprefix("/v1beta1/").removeprefix("/v1/")
            service.requests.append(("POST", path, dict(self.headers.items()), body))
            if self._faulty():
                return
            place, _, verb = path.rpartition(":")
            if place not in (CLOUD, "models/veo-toy"):
                self._json(404, {"error": {"code": 404, "status": "NOT_FOUND", "message": "no such model"}})
            elif verb == "fetchPredictOperation":
                self._operation(body["operationName"])
            elif set(body.get("parameters", {})) - PARAMETERS or len(body["instances"]) != 1:
                self._json(400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "unknown"}})
            else:
                name = f"{place}/operations/{len(service.operations)}"
                service.operations[name] = {"prompt": body["instances"][0]["prompt"], "polls": 1}
                self._json(200, {"name": name})

        def do_GET(self) -> None:
            path = self.path.removeprefix("/v1/")
            service.requests.append(("GET", path, dict(self.headers.items()), None))
            if self._faulty():
                return
            if path.startswith("files/") and service.elsewhere:
                self._json(302, {}, {"Location": service.elsewhere})
            elif path.startswith("files/"):
                self._send(200, video, "video/mp4")
            else:
                self._operation(path)

        def _operation(self, name: str) -> None:
            operation = service.operations.get(name)
            if operation is None:
                self._json(404, {"error": {"code": 404, "status": "NOT_FOUND", "message": "no operation"}})
                return
            operation["polls"] -= 1
            if operation["polls"] >= 0:
                self._json(200, {"name": name})
                return
            told = service.answers.get(operation["prompt"])
            if told is None and name.startswith("projects/"):
                data = base64.b64encode(video).decode()
                told = {"response": {"videos": [{"bytesBase64Encoded": data, "mimeType": "video/mp4"}]}}
            elif told is None:
                sample = {"video": {"uri": f"{service.url}/files/1:download?alt=media"}}
                told = {"response": {"generateVideoResponse": {"generatedSamples": [sample]}}}
            self._json(200, {"name": name, "done": True, **told})

        def _faulty(self) -> bool:
            if not service.faults:
                return False
            fault = service.faults.popleft()
            if isinstance(fault, str):
                self.close_connection = True
                self.connection.close()
            else:
                self._json(fault[0], fault[1])
            return True

        def _json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
            self._send(status, json.dumps(body).encode(), "application/json", headers)

        def _send(self, status: int, data: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {
                "Content-Type": kind,
                "Content-Length": str(len(data)),
                **(headers or {}),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

    return Handler
