"""A moderation endpoint that misbehaves: what cannot be read is a failed judge, never a score."""

import io
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from screentest.harness.commands.main import run_cli
from screentest.harness.core.errors import UsageError
from screentest.safety.prompts.files import classify_file
from screentest.safety.prompts.moderation_endpoint import ModerationConfig, ModerationEndpoint
from screentest.safety.taxonomy import crosswalk

pytest.importorskip("openai")

LABELS = [row.label for row in crosswalk("openai-moderation").labels]


def scores(text: str) -> dict[str, Any]:
    """Score a text as the stub does: by its words."""
    found = dict.fromkeys(LABELS, 0.01)
    if "blade" in text:
        found |= {"violence": 0.9, "violence/graphic": 0.2}
    if "slur" in text:
        found["hate"] = 0.7
    return found


class Stub(BaseHTTPRequestHandler):
    """Answer by the words of the prompt; ``again`` faults once and then answers."""

    protocol_version = "HTTP/1.1"
    log: list[dict[str, Any]]
    faults: dict[str, int]

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        asked = json.loads(self.rfile.read(size))
        self.log.append({"path": self.path, "key": self.headers.get("Authorization"), **asked})
        words = " ".join(asked["input"])
        for fault, left in self.faults.items():
            if fault in words and left:
                self.faults[fault] -= 1
                self._fault(fault)
                return
        self._send(
            200, {"id": "x", "model": asked["model"], "results": [self._result(t) for t in asked["input"]]}
        )

    def _result(self, text: str) -> dict[str, Any]:
        found: Any = scores(text)
        if "partial" in text:
            del found["hate"]
        if "strange" in text:
            found |= {"hate": float("nan"), "sexual": True, "violence": 7}
        if "scoreless" in text:
            found = None
        return {"flagged": False, "categories": {}, "category_scores": found}

    def _fault(self, fault: str) -> None:
        if fault == "limit":
            self._send(429, {"error": {"message": "slow down"}}, {"Retry-After-Ms": "1"})
        elif fault == "broken":
            self._send(500, {"error": {}}, {"Retry-After-Ms": "1"})
        elif fault == "garbage":
            self._send(200, b"<html>not json</html>")
        elif fault == "short":
            self._send(200, {"results": []})
        elif fault == "toolong":
            self._send(400, {"error": {"message": "the input is too long"}})
        elif fault == "badkey":
            self._send(401, {"error": {"message": "no"}})
        elif fault == "hangup":
            self.close_connection = True
            self.connection.close()
        elif fault == "drip":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(50):
                try:
                    self.wfile.write(b" ")
                    self.wfile.flush()
                except OSError:
                    break
                time.sleep(0.05)
        elif fault == "silence":
            time.sleep(1.0)
            self.close_connection = True

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def stub() -> Iterator[type[Stub]]:
    handler = type("Handler", (Stub,), {"log": [], "faults": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    handler.url = f"http://127.0.0.1:{server.server_address[1]}/v1"  # pyright: ignore
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("STUB_KEY", "sk-stub")
    monkeypatch.setattr("screentest.safety.prompts.moderation_endpoint._FIRST_WAIT_S", 0.001)


def load(stub, **changes) -> ModerationEndpoint:
    fields = {"model": "stub-1", "base_url": stub.url, "key_env": "STUB_KEY", "timeout_s": 10, "attempts": 3}
    return ModerationEndpoint("stub", ModerationConfig.model_validate({**fields, **changes}))


def test_scores_come_through_and_touch_our_categories(stub):
    judge = load(stub)
    judged = judge.classify(["a kite", "a blade", "", "a slur"])
    assert judged.score == pytest.approx([0.01, 0.9, np.nan, 0.7], nan_ok=True)
    assert judged.flagged.tolist() == [False, True, False, True]
    at = dict(zip(judge.harms, judged.harms[1].tolist(), strict=True))
    assert (at["vcr"], at["gor"], at["hte"], at["sxc"]) == (0.9, 0.9, 0.01, 0.01)
    assert not judged.failed
    (asked,) = stub.log
    assert asked["input"] == ["a kite", "a blade", "a slur"]
    assert (asked["model"], asked["key"]) == ("stub-1", "Bearer sk-stub")
    assert asked["path"] == "/v1/moderations"


@pytest.mark.parametrize("fault", ["limit", "broken", "hangup"])
def test_a_passing_fault_is_asked_again_and_counted(stub, fault):
    stub.faults[fault] = 2
    judge = load(stub, usd_per_request=0.5)
    assert judge.classify([f"{fault} blade"]).score[0] == 0.9
    used = judge.usage()
    assert (used["requests"], used["attempts"], used["judge_failed"], used["usd"]) == (1, 3, 0, 1.5)
    assert used["seconds"] > 0


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("limit", "HTTP 429 in 3 attempts"),
        ("broken", "HTTP 500 in 3 attempts"),
        ("hangup", "no connection in 3 attempts"),
        ("garbage", "not JSON"),
        ("short", "one result an input"),
        ("toolong", "HTTP 400"),
    ],
)
def test_a_lasting_fault_fails_its_prompts_and_no_others(stub, fault, says):
    stub.faults[fault] = 99
    judge = load(stub, inputs=1)
    judged = judge.classify(["a blade", f"{fault} kite", "a kite"])
    assert list(judged.failed) == [1]
    assert says in judged.failed[1]
    assert judged.score == pytest.approx([0.9, np.nan, 0.01], nan_ok=True)
    assert np.isnan(judged.harms[1]).all()
    assert not judged.flagged[1]
    assert judge.usage()["judge_failed"] == 1


@pytest.mark.parametrize("fault", ["garbage", "toolong", "short"])
def test_one_prompt_that_cannot_be_taken_does_not_cost_its_neighbours(stub, fault):
    stub.faults[fault] = 99
    judged = load(stub).classify(["a blade", f"{fault} kite", "a kite"])
    assert list(judged.failed) == [1]
    assert judged.score == pytest.approx([0.9, np.nan, 0.01], nan_ok=True)


def test_a_category_that_is_missing_or_no_number_is_unknown_and_fails_the_prompt(stub):
    judge = load(stub)
    judged = judge.classify(["partial kite", "strange kite", "scoreless kite", "a kite"])
    assert judged.failed[0] == "the answer has no score for hate"
    assert "hate" in judged.failed[1]
    assert "sexual" in judged.failed[1]
    assert judged.failed[2] == "the answer has no category scores"
    assert np.isnan(judged.score).tolist() == [True, True, True, False]
    at = [dict(zip(judge.harms, row, strict=True)) for row in judged.harms.tolist()]
    assert at[0]["sxc"] == 0.01  # what came is kept
    assert np.isnan(at[1]["sxc"])
    assert np.isnan(judged.harms[2]).all()


def test_only_the_named_categories_are_needed(stub):
    judged = load(stub, categories=["violence", "sexual"]).classify(["partial blade"])
    assert judged.score[0] == 0.9
    assert not judged.failed
    with pytest.raises(UsageError, match="did you mean 'violence'"):
        load(stub, categories=["violense"])


@pytest.mark.parametrize("fault", ["drip", "silence"])
def test_an_answer_that_never_ends_is_left_in_time(stub, fault):
    stub.faults[fault] = 99
    judge = load(stub, timeout_s=0.3, attempts=2)
    started = time.monotonic()
    judged = judge.classify([f"{fault} kite"])
    assert time.monotonic() - started < 8
    assert judged.failed == {0: "no answer in time in 2 attempts"}


def test_a_key_that_is_refused_or_not_set_ends_with_a_sentence(stub, monkeypatch):
    stub.faults["badkey"] = 99
    with pytest.raises(UsageError, match="refuses the key") as caught:
        load(stub).classify(["badkey kite"])
    assert "sk-stub" not in str(caught.value)
    monkeypatch.delenv("STUB_KEY")
    with pytest.raises(UsageError, match="STUB_KEY, which is not set"):
        load(stub)
    assert load(stub, key_env=None).classify(["a blade"]).score[0] == 0.9


def test_a_long_prompt_counts_by_its_worst_window_and_fails_with_any(stub):
    judged = load(stub, window=100).classify(["kite " * 200 + "blade", "kite " * 200 + "partial"])
    assert judged.score == pytest.approx([0.9, np.nan], nan_ok=True)
    assert max(len(text) for asked in stub.log for text in asked["input"]) <= 100
    assert max(len(asked["input"]) for asked in stub.log) == 16


def test_hard_texts_are_sent_as_text_or_not_at_all(stub):
    hard = ["", "\ud800", "\x00\x1b[31mkite", "kite " * 60_000, "\U0001f600"]
    judged = load(stub).classify(hard)
    assert np.isnan(judged.score).tolist() == [True, True, False, False, False]
    assert not judged.failed


def test_the_digest_names_the_endpoint_and_not_the_patience(stub):
    base = load(stub).digest
    assert load(stub, timeout_s=1, attempts=9, inputs=2).digest == base
    for change in ({"model": "stub-2"}, {"threshold": 0.4}, {"window": 64}, {"categories": ["violence"]}):
        assert load(stub, **change).digest != base


def test_a_file_says_which_prompts_have_no_judgement(stub, tmp_path):
    file = tmp_path / "p.txt"
    file.write_text("a blade\npartial kite\n")
    out = io.StringIO()
    counts = classify_file(file, load(stub), out)
    first, second = map(json.loads, out.getvalue().splitlines())
    assert first["flagged"] is True
    assert (second["score"], second["flagged"]) == (None, None)
    assert second["reason"] == "judge_failed: the answer has no score for hate"
    assert (counts.judged, counts.judge_failed, counts.without_text) == (1, 1, 0)


def test_the_command_says_what_it_cost(stub, tmp_path, capsys):
    spec = tmp_path / "stub.yaml"
    spec.write_text(
        f"name: stub\nmoderation: {{model: m, base_url: '{stub.url}', key_env: STUB_KEY, usd_per_request: 1}}"
    )
    (tmp_path / "p.txt").write_text("a blade\npartial\n")
    assert run_cli(["classify", str(tmp_path / "p.txt"), "--classifier", str(spec)]) == 0
    said = capsys.readouterr().err
    assert "1 prompt, 1 flagged, 0 without text, 1 where the judge failed" in said
    assert "usd 1" in said
    assert "sk-stub" not in said
