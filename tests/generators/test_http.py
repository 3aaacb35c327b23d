"""A server of one's own: the contract, what each answer becomes, and a crash in between."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screentest.generators import Failure, NotApplicable, Refusal, VideoFile
from screentest.generators.base import answers
from screentest.generators.http import KEY_VARIABLE, HttpGenerator, HttpOptions, make_http
from screentest.harness.core.errors import ScreentestError, UsageError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.media import write_clip
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.store import open_run

CLIP = ClipSettings(frames=6, height=32, width=40, fps=8)
Answer = tuple[int, Any]


class Toy:
    """A server whose answers a test writes: a function of the step and the request's body."""

    def __init__(self, film: bytes) -> None:
        self.film = film
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.auth: list[str | None] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.told: dict[str, Callable[[str], Answer | None]] = {}
        self.url = ""

    def post(self, key: str, body: dict[str, Any]) -> Answer:
        self.posts.append((key, body))
        told = self.told.get("post", lambda _: None)(str(body["prompt"]))
        if told is not None:
            return told
        self.jobs.setdefault(key[:16], body)
        return 200, {"id": key[:16]}

    def get(self, path: list[str]) -> Answer:
        job = self.jobs.get(path[1])
        if job is None:
            return 404, {}
        step = "video" if path[-1] == "video" else "status"
        told = self.told.get(step, lambda _: None)(str(job["prompt"]))
        return told or ((200, self.film) if step == "video" else (200, {"status": "ok"}))


@pytest.fixture
def toy(tmp_path) -> Iterator[Toy]:
    film = tmp_path / "film.mp4"
    write_clip(film, np.full((6, 32, 40, 3), 90, np.uint8), 8.0)
    server = Toy(film.read_bytes())

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def answer(self, found: Answer) -> None:
            status, body = found
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "video/mp4" if isinstance(body, bytes) else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            server.auth.append(self.headers["Authorization"])
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(server.post(self.headers["Idempotency-Key"], body))

        def do_GET(self) -> None:
            self.answer(server.get(self.path.strip("/").split("/")))

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server.url = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
        thread.start()
        yield server
        listening.shutdown()
        thread.join()


def made(toy: Toy, **options: Any) -> HttpGenerator:
    given = {"poll": 0.01, "version": "1", **options}
    generator = HttpGenerator(toy.url, HttpOptions.model_validate(given))
    generator.first_wait_s = 0.01
    return generator


def test_each_answer_is_one_outcome(toy, tmp_path, make_suite):
    says = {
        "b": (200, {"status": "refused", "reason": "no weapons"}),
        "c": (422, {"status": "refused"}),
        "d": (422, {"status": "not_applicable", "reason": "no portrait"}),
        "e": (400, {"error": "what?"}),
    }
    ends = {
        "f": (200, {"status": "failed", "reason": "no memory"}),
        "g": (200, {"status": "refused", "reason": "the clip is unsafe"}),
        "h": (404, {}),
    }
    toy.told = {"post": says.get, "status": ends.get}
    suite = make_suite(prompts=list("abcdefgh"), seeds=1)
    run(suite, made(toy), tmp_path / "run", Settings(tmp_path / "cache"))
    store = open_run(tmp_path / "run")
    found = {item.prompt: store.clips()[item.id] for item in store.items()}
    assert {prompt: (record.outcome, record.reason) for prompt, record in found.items() if prompt != "h"} == {
        "a": ("ok", ""),
        "b": ("refused", "no weapons"),
        "c": ("refused", "the server refuses, and gives no reason"),
        "d": ("not_applicable", "no portrait"),
        "e": ("failed", "the server does not take the item (HTTP 400): what?"),
        "f": ("failed", "no memory"),
        "g": ("refused", "the clip is unsafe"),
    }
    assert found["h"].outcome == "failed"
    assert "no longer knows the job" in found["h"].reason
    assert store.clip_file(found["a"]).read_bytes() == toy.film


def test_the_server_is_asked_for_all_of_an_item(toy, tmp_path):
    start = tmp_path / "start.png"
    start.write_bytes(b"picture")
    item = make_item("a ball", 3, CLIP, image=str(start))
    (output,) = answers(made(toy, starts="image"), [item])
    assert isinstance(output, VideoFile)
    (_, body), *_ = toy.posts
    assert body == {
        "protocol": 1,
        "id": item.id,
        "prompt": "a ball",
        "seed": 3,
        "clip": {"frames": 6, "height": 32, "width": 40, "fps": 8.0},
        "use": None,
        "strength": None,
        "image": {"name": "start.png", "data": "cGljdHVyZQ=="},
        "video": None,
        "video_to": None,
    }
    (unfit,) = answers(made(toy), [item])
    assert isinstance(unfit, NotApplicable)
    assert len(toy.posts) == 1


def test_a_busy_server_is_waited_for_and_a_lost_answer_makes_no_second_job(toy):
    answered = iter([(429, {}), (503, {}), (500, {})])
    toy.told = {"post": lambda _: next(answered, None)}
    (output,) = made(toy).generate([make_item("a ball", 0, CLIP)])
    assert isinstance(output, VideoFile)
    assert len({key for key, _ in toy.posts}) == 1
    assert len(toy.posts) == 4
    assert len(toy.jobs) == 1


def test_a_file_that_is_no_video_is_downloaded_again(toy):
    sent = iter([(200, b"no video at all"), (200, toy.film[: len(toy.film) // 2])])
    toy.told = {"video": lambda _: next(sent, None)}
    generator = made(toy)  # its files go with it
    (output,) = generator.generate([make_item("a ball", 0, CLIP)])
    assert isinstance(output, VideoFile)
    assert output.path.read_bytes() == toy.film


def test_a_server_that_is_down_ends_the_run_and_the_same_command_goes_on(toy, tmp_path, make_suite):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    options = HttpOptions.model_validate({"version": "1", "name": "toy", "patience": 0.2, "poll": 0.01})
    gone = HttpGenerator(f"http://127.0.0.1:{port}", options)
    gone.first_wait_s = 0.01
    suite = make_suite(prompts=["a", "b"], seeds=1)
    with pytest.raises(ScreentestError) as caught:
        run(suite, gone, tmp_path / "run", Settings(tmp_path / "cache"))
    assert "\n" not in str(caught.value)
    summary = run(suite, made(toy, name="toy"), tmp_path / "run", Settings(tmp_path / "cache"))
    assert summary.outcomes == {"ok": 2, "refused": 0, "failed": 0}


def test_a_wrong_key_ends_the_run(toy, tmp_path, make_suite):
    toy.told = {"post": lambda _: (401, {})}
    with pytest.raises(UsageError, match="refuses the key"):
        run(make_suite(prompts=["a"]), made(toy), tmp_path / "run", Settings(tmp_path / "cache"))


def test_the_key_comes_from_the_environment_and_is_written_nowhere(toy, tmp_path, make_suite, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "secret-7731")
    toy.told = {"post": lambda _: (422, {"status": "failed", "reason": "you sent secret-7731"})}
    folder = tmp_path / "run"
    run(make_suite(prompts=["a"]), made(toy), folder, Settings(tmp_path / "cache", stop_after=0))
    assert set(toy.auth) == {"Bearer secret-7731"}
    assert all(b"secret-7731" not in path.read_bytes() for path in folder.rglob("*") if path.is_file())
    with pytest.raises(UsageError, match="MY_KEY, which is not set"):
        made(toy, key_env="MY_KEY")


def test_the_identity_is_what_is_declared(toy):
    plain = made(toy).identity()
    assert made(toy, parallel=1, wait=9).identity() == plain
    assert made(toy, version="2").identity() != plain
    assert made(toy, starts="image").identity() != plain
    assert made(toy, name="mine").identity()["server"] == "mine"
    assert plain["server"] == toy.url
    assert "say version=... and raise it" in made(toy, version="").check([])[0]


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("", "name the server after the colon"),
        ("ftp://host", "should be a plain address"),
        ("http://user:secret@host", "a key goes into an environment variable"),
        ("http://host?verison=1", "did you mean 'version'"),
        ("http://host?starts=imag", "did you mean 'image'"),
        ("http://host?poll=0", "poll: it should be more than 0"),
    ],
)
def test_a_wrong_spec_is_one_sentence(argument, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        make_http(argument)
    assert "secret" not in str(caught.value)


def test_an_option_that_could_change_nothing_is_refused():
    with pytest.raises(UsageError, match="'uncertain'"):
        make_http("http://127.0.0.1:1?uncertain=resubmit")


def test_a_bare_address_is_a_spec():
    assert make_http("//host:8000?version=1").identity()["server"] == "http://host:8000"
    assert make_http("https://host/v2?version=1").identity()["server"] == "https://host/v2"


def test_the_example_of_the_page_runs_as_it_stands(tmp_path, monkeypatch, code_blocks, capsys):
    from screentest.harness.commands.main import run_cli

    (server,) = code_blocks("http.md", "python")
    (suite,) = code_blocks("http.md", "yaml")
    (shell,) = code_blocks("http.md", "")
    monkeypatch.chdir(tmp_path)
    Path("server.py").write_text(server)
    Path("balls.yaml").write_text(suite)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    started, command = (shlex.split(line.replace("8090", str(port))) for line in shell.strip().splitlines())
    assert started[:2] == ["python", "server.py"]
    process = subprocess.Popen([sys.executable, *started[1:-1]], stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with socket.socket() as there:
                if there.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        assert run_cli([*command[1:], "--tracking-uri", "none"]) == 0, capsys.readouterr().err
    finally:
        process.kill()
        process.wait()
    records = open_run(Path("runs/balls")).clips().values()
    assert [(record.outcome, record.reason) for record in records] == [("ok", "")] * 2 + [
        ("refused", "no weapons")
    ] * 2


def test_outcomes_of_the_contract_are_types():
    assert {Refusal, Failure, NotApplicable} == {
        type(outcome) for outcome in map(_outcome, ("refused", "failed", "not_applicable"))
    }
    assert _outcome("ok") is None
    assert _outcome(None) is None


def _outcome(status: object) -> Any:
    from screentest.generators.request import outcome_of

    return outcome_of(status, "", "server")
