"""A local server that speaks the chat protocol as a test tells it to: answers, and every way to fail."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = str | int | float | bytes | dict[str, Any]
"""Text of an answer; a status to fail with; seconds to wait before yes; a raw body; or a whole JSON body."""


@dataclass
class Stub:
    """What the server saw, and how it answers.

    Attributes:
        answer: question and how often it was asked before -> what to answer.
    """

    answer: Callable[[str, int], Answer] = lambda question, before: "yes"
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    retry_after: str | None = None
    url: str = ""

    def asked(self) -> Counter[str]:
        return Counter(question_of(request) for request in self.requests)


def question_of(request: dict[str, Any]) -> str:
    text: str = request["messages"][1]["content"][-1]["text"]
    return text.removeprefix("Question: ").split("\n")[0]


def body(text: str | None, **message: Any) -> dict[str, Any]:
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "stub-2",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text, **message},
            }
        ],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010},
    }


def serve(stub: Stub) -> ThreadingHTTPServer:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                question = question_of(request)
                before = stub.asked()[question]
                stub.requests.append(request)
                stub.keys.append(self.headers["Authorization"])
            told = stub.answer(question, before)
            status, data = 200, b""
            if isinstance(told, float):
                time.sleep(told)
                told = "yes"
            if isinstance(told, bool):
                told = "yes" if told else "no"
            if isinstance(told, int):
                status, data = told, json.dumps({"error": {"message": f"told to, about {question}"}}).encode()
            elif isinstance(told, bytes):
                data = told
            else:
                data = json.dumps(body(told) if isinstance(told, str) else told).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                if status == 429 and stub.retry_after is not None:
                    self.send_header("Retry-After", stub.retry_after)
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                pass  # a client that would not wait has gone

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server
