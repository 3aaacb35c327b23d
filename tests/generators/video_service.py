"""A local video service with the ``/v1/videos`` protocol that checks requests and fails as a test tells it.

It is as strict as the server that it stands for: what that server would refuse to read is answered with 422.
"""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from screentest.harness.core.media import write_clip

MODEL = "toy-video"
COMMON = {"model", "prompt", "size", "seconds"}
DIFFUSION = {
    *("num_frames", "fps", "seed", "negative_prompt", "num_inference_steps", "guidance_scale", "flow_shift"),
}


@dataclass(frozen=True)
class Fault:
    """What a request is answered with instead.

    Attributes:
        status: an HTTP status with an error body; None for a fault of the connection.
        how: ``hang`` (no answer), ``reset`` (closed without one), ``lost`` (the job is made, and the answer
            is not sent), ``cut`` (half a body), ``long`` (more bytes declared than sent), ``short`` (fewer),
            ``text`` (a page instead of a file), ``junk`` (no video), ``empty``, ``away`` (redirect),
            ``garbage`` (no JSON), ``twice`` (the id of the job before).
    """

    status: int | None = None
    how: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    error: Any = field(default_factory=lambda: {"code": "toy", "message": "as told"})
    to: str = ""


@dataclass
class Sent:
    """A request as it came."""

    method: str
    path: str
    key: str | None
    fields: dict[str, Any]
    files: dict[str, bytes]
    idempotency: str | None = None


class VideoService:
    """The server's state: what it was asked for, and how it fails.

    Attributes:
        faults: step (``create``, ``status``, ``content``) -> faults, each used once.
        outcomes: prompt -> the error of its job, which fails.
        polls: how often a job is still running when it is asked for.
    """

    def __init__(self, server: str = "sglang") -> None:
        self.server = server
        self.requests: list[Sent] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.faults: dict[str, deque[Fault]] = {"create": deque(), "status": deque(), "content": deque()}
        self.outcomes: dict[str, Any] = {}
        self.polls = 1
        self.url = ""
        self.forgotten = False
        self.honours_keys = False
        self.at_once: Counter[str] = Counter()
        self.most_at_once = 0
        self.more: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.lock = threading.Lock()
        self.released = threading.Event()

    @property
    def creates(self) -> list[Sent]:
        return [sent for sent in self.requests if sent.method == "POST"]

    def made(self) -> Counter[str]:
        """Count the jobs by prompt and seed."""
        return Counter(f"{job['prompt']}/{job.get('seed')}" for job in self.jobs.values())


def video_bytes(folder: Path, seed: int = 0) -> bytes:
    """Make a small video."""
    rng = np.random.default_rng(seed)
    write_clip(folder / "made.mp4", rng.integers(0, 255, (6, 32, 40, 3), dtype=np.uint8), 8)
    return (folder / "made.mp4").read_bytes()


@contextmanager
def serve(service: VideoService, video: bytes) -> Iterator[VideoService]:
    """Serve until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(service, video))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield service
    finally:
        service.released.set()
        server.shutdown()
        server.server_close()


def _fields_of(request: BaseHTTPRequestHandler) -> tuple[str, dict[str, Any], dict[str, bytes]]:
    """Read a body: its kind, its fields and its files."""
    body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
    kind = request.headers.get("Content-Type", "")
    if kind.startswith("application/json"):
        return "json", json.loads(body), {}
    if not kind.startswith("multipart/form-data"):
        return kind, {}, {}
    whole = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    fields: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    for part in whole.get_payload():
        name = part.get_param("name", header="content-disposition")
        data = part.get_payload(decode=True)
        if part.get_filename():
            files[name] = data
        else:
            fields[name] = data.decode()
    return "form", fields, files


def _wrong(service: VideoService, kind: str, fields: dict[str, Any], files: dict[str, bytes]) -> str:
    """Say what the server would not read in a request; empty for nothing."""
    known = {
        "openai": COMMON,
        "sglang": COMMON | DIFFUSION,
        "vllm-omni": COMMON | DIFFUSION,
        "dynamo": COMMON | {"nvext", "response_format", "input_reference"},
    }[service.server]
    kinds = {"openai": "form", "vllm-omni": "form", "dynamo": "json"}
    wanted = kinds.get(service.server) or ("form" if files else "json")
    if kind != wanted:
        return f"the body is {kind} and not {wanted}"
    if set(fields) - known or not fields.get("prompt"):
        return f"unknown fields {sorted(set(fields) - known)}"
    if service.server == "openai" and not isinstance(fields.get("seconds", ""), str):
        return "seconds is no text"
    if service.server == "dynamo" and set(fields["nvext"]) - DIFFUSION:
        return "unknown nvext"
    return "" if fields.get("model") == MODEL else "404"


def _handler(service: VideoService, video: bytes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            kind, fields, files = _fields_of(self)
            key = self.headers.get("Authorization")
            with service.lock:
                service.requests.append(
                    Sent("POST", self.path, key, fields, files, self.headers.get("Idempotency-Key"))
                )
            fault = self._fault("create")
            if fault is not None and fault.how not in ("lost", "twice", "garbage"):
                self._fail(fault)
                return
            wrong = _wrong(service, kind, fields, files)
            if wrong:
                self._json(404 if wrong == "404" else 422, {"detail": [{"msg": wrong, "loc": ["body"]}]})
                return
            job = self._make(fields)
            if fault is not None and fault.how == "lost":
                self._close()
            elif fault is not None and fault.how == "garbage":
                self._send(200, b"<html>made</html>", "text/html")
            elif fault is not None and fault.how == "twice":
                self._json(200, {**job, "id": next(iter(service.jobs))})
            else:
                self._json(200, job)

        def _make(self, fields: dict[str, Any]) -> dict[str, Any]:
            with service.lock:
                key = self.headers.get("Idempotency-Key")
                for job in service.jobs.values():
                    if service.honours_keys and job["key"] == key:
                        return self._public(job)
                name = f"video_{len(service.jobs)}"
                seed = fields.get("seed", fields.get("nvext", {}).get("seed"))
                job = {
                    "id": name,
                    "object": "video",
                    "status": "queued",
                    "prompt": fields["prompt"],
                    "seed": seed,
                    "seconds": str(fields.get("seconds", "1")),
                    "polls": service.polls,
                    "key": key,
                    **service.more,
                }
                if service.server == "dynamo":
                    job |= {"status": "completed", "data": [{"b64_json": base64.b64encode(video).decode()}]}
                service.jobs[name] = job
                running = sum(
                    one["polls"] >= 0 and one["status"] != "completed" for one in service.jobs.values()
                )
                service.most_at_once = max(service.most_at_once, running)
                return self._public(job)

        def _public(self, job: dict[str, Any]) -> dict[str, Any]:
            return {name: value for name, value in job.items() if name not in ("polls", "key", "seed")}

        def do_GET(self) -> None:
            with service.lock:
                service.requests.append(Sent("GET", self.path, self.headers.get("Authorization"), {}, {}))
            parts = self.path.strip("/").split("/")
            content = parts[-1] == "content"
            fault = self._fault("content" if content else "status")
            if fault is not None:
                self._fail(fault)
                return
            if self.path == "/elsewhere.mp4":
                self._send(200, video, "video/mp4")
                return
            job = service.jobs.get(parts[-2] if content else parts[-1])
            if job is None or service.forgotten:
                self._json(404, {"detail": "Video not found"})
            elif content:
                self._send(200, video, "video/mp4")
            else:
                self._status(job)

        def _status(self, job: dict[str, Any]) -> None:
            with service.lock:
                job["polls"] -= 1
                if job["polls"] >= 0:
                    job["status"] = "in_progress"
                elif job["prompt"] in service.outcomes:
                    job |= {"status": "failed", "error": service.outcomes[job["prompt"]]}
                else:
                    job["status"] = "completed"
            self._json(200, self._public(job))

        # -- faults

        def _fault(self, step: str) -> Fault | None:
            with service.lock:
                return service.faults[step].popleft() if service.faults[step] else None

        def _fail(self, fault: Fault) -> None:
            if fault.status is not None:
                self._json(fault.status, {"error": fault.error}, dict(fault.headers))
            elif fault.how == "hang":
                service.released.wait(20)
                self._close()
            elif fault.how == "away":
                self._json(302, {}, {"Location": fault.to})
            elif fault.how == "text":
                self._send(200, b"<html>busy</html>", "text/html")
            elif fault.how == "junk":
                self._send(200, b"\x00\x01 no video at all" * 50, "video/mp4")
            elif fault.how == "empty":
                self._send(200, b"", "video/mp4")
            elif fault.how == "garbage":
                self._send(200, b"[not json", "application/json")
            elif fault.how == "long":
                self._send(200, video, "video/mp4", length=len(video) + 1000)
            elif fault.how == "short":
                self._send(200, video, "video/mp4", length=len(video) // 2)
            elif fault.how == "cut":
                self._send(200, video[: len(video) // 2], "video/mp4", length=len(video))
            else:
                self._close()

        def _json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
            self._send(status, json.dumps(body).encode(), "application/json", headers=headers)

        def _send(
            self,
            status: int,
            data: bytes,
            kind: str,
            *,
            headers: dict[str, str] | None = None,
            length: int | None = None,
        ) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data) if length is None else length))
                for name, value in {**service.headers, **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                pass
            if length is not None:
                self._close()

        def _close(self) -> None:
            self.close_connection = True
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                time.sleep(0)

    return Handler
