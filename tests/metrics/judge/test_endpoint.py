"""Asking an endpoint for yes or no, against a local server with every fault that real ones have."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from screentest.harness.core.errors import UsageError
from screentest.metrics.judge import endpoint as judge_endpoint
from screentest.metrics.judge.endpoint import FAILURES, Endpoint, JudgeSettings, Reply
from screentest.metrics.judge.frames import Pictures, pictures

from .stub import Stub, body, serve

SHOWN = pictures([np.full((8, 8, 3), level, np.uint8) for level in (10, 200)], [0.0, 0.5], 90)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    monkeypatch.setenv("JUDGE_KEY", "s3cret")
    monkeypatch.setattr(judge_endpoint, "_FIRST_WAIT_S", 0.01)
    told = Stub()
    server = serve(told)
    yield told
    server.shutdown()
    server.server_close()


def endpoint(stub: Stub, **changes: object) -> Endpoint:
    fields = {"model": "m", "base_url": stub.url, "key_env": "JUDGE_KEY", "timeout_s": 20.0, "attempts": 3}
    return Endpoint(JudgeSettings.model_validate({**fields, **changes}))


def ask(stub: Stub, **changes: object) -> Reply:
    return endpoint(stub, **changes).ask(SHOWN, "Is it bright?")


# -- what is sent


def test_a_request_holds_the_frames_in_order_the_question_and_the_key(stub):
    reply = ask(stub, temperature=0.5, tokens=9, tokens_key="max_tokens")
    assert (reply.answer, reply.failure, reply.model) == (True, "", "stub-2")
    assert (reply.tokens_in, reply.tokens_out) == (1000, 10)
    assert reply.seconds > 0
    (request,) = stub.requests
    assert stub.keys == ["Bearer s3cret"]
    assert (request["model"], request["temperature"], request["max_tokens"]) == ("m", 0.5, 9)
    parts = request["messages"][1]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "text", "image_url", "text"]
    assert (parts[0]["text"], parts[2]["text"]) == ("Frame 1 of 2, at 0.00 s:", "Frame 2 of 2, at 0.50 s:")
    data = parts[3]["image_url"]["url"].removeprefix("data:image/jpeg;base64,")
    seen = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert seen.shape == (8, 8, 3)
    assert abs(int(seen.mean()) - 200) <= 2
    assert "s3cret" not in json.dumps(request)


def test_a_temperature_that_is_not_set_is_not_sent(stub):
    ask(stub)
    assert "temperature" not in stub.requests[0]
    assert stub.requests[0]["max_completion_tokens"] == 512


# -- what is an answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("yes", True), ("No", False), ("**Yes**", True), (" no.\n", False), ("Yes, the ball falls.", True),
        ("No - it never lands", False), ("<think>is it? no ... yes</think>\nNo", False), ("'Yes'", True),
    ],
)  # fmt: skip
def test_yes_and_no_are_read(stub, text, answer):
    stub.answer = lambda question, before: text
    assert ask(stub).answer is answer


@pytest.mark.parametrize(
    "text",
    ["maybe", "No idea what this shows", "not sure", "I think yes", "yesterday", "nothing", "<think>yes"],
)
def test_anything_else_is_unclear_and_not_asked_again(stub, text):
    stub.answer = lambda question, before: text
    reply = ask(stub)
    assert (reply.answer, reply.failure) == (None, "an answer that is neither yes nor no")
    assert reply.text == text
    assert len(stub.requests) == 1


@given(st.text())
def test_no_text_is_more_than_one_answer_or_none(text):
    reply = judge_endpoint._reply(json.dumps(body(text)).encode())
    assert (reply.answer is None) == (reply.failure in FAILURES)
    if reply.answer is not None:
        assert ("yes" if reply.answer else "no") in text.lower()


def test_parts_of_a_message_are_joined(stub):
    stub.answer = lambda question, before: body(
        [{"type": "text", "text": "No"}, {"type": "text", "text": "."}]
    )  # type: ignore[arg-type]
    assert ask(stub).answer is False


def test_a_model_that_declines_is_a_failure_of_its_own(stub):
    stub.answer = lambda question, before: body(None, refusal="I cannot look at this")
    reply = ask(stub)
    assert (reply.answer, reply.failure) == (None, "the model declines to answer")
    assert len(stub.requests) == 1


# -- faults


@pytest.mark.parametrize(
    ("fault", "failure", "attempts"),
    [
        (429, "a limit of the endpoint (HTTP 429)", 3),
        (500, "an error of the endpoint (HTTP 5xx)", 3),
        (503, "an error of the endpoint (HTTP 5xx)", 3),
        (400, "the endpoint rejects the request (HTTP 4xx)", 1),
        (401, "the endpoint refuses the key, or knows no such model", 1),
        (404, "the endpoint refuses the key, or knows no such model", 1),
        (b"<html>busy</html>", "a body that is no answer", 3),
        (b"", "a body that is no answer", 3),
        (b"[" * 100_000, "a body that is no answer", 3),
        (b'{"choices": []}', "a body that is no answer", 3),
        (b'{"choices": [{"message": "yes"}]}', "a body that is no answer", 3),
        ({"choices": [{"message": {"content": 7}}]}, "a body that is no answer", 3),
        ("", "an empty answer", 3),
        (" \n", "an empty answer", 3),
        ({"choices": [{"message": {"content": None}}]}, "an empty answer", 3),
    ],
)
def test_a_fault_is_a_named_failure_and_never_a_no(stub, fault, failure, attempts):
    stub.answer = lambda question, before: fault
    reply = ask(stub)
    assert (reply.answer, reply.failure) == (None, failure)
    assert failure in FAILURES
    assert len(stub.requests) == attempts


@pytest.mark.parametrize("fault", [429, 500, b"garbage", ""])
def test_a_fault_that_passes_is_an_answer(stub, fault):
    stub.answer = lambda question, before: fault if before < 2 else "no"
    reply = ask(stub)
    assert (reply.answer, len(stub.requests)) == (False, 3)


def test_no_answer_in_time(stub):
    stub.answer = lambda question, before: 9.0
    began = time.monotonic()
    reply = ask(stub, timeout_s=0.5, attempts=2)
    assert (reply.answer, reply.failure) == (None, "no answer in time")
    assert len(stub.requests) == 2
    assert time.monotonic() - began < 8


def test_the_wait_that_a_limit_asks_for_is_kept_and_has_an_end(stub, monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr(judge_endpoint.time, "sleep", waits.append)
    stub.answer = lambda question, before: 429 if before < 3 else "yes"
    stub.retry_after = "7"
    assert ask(stub, attempts=4).answer is True
    assert waits == [7.0, 7.0, 7.0]
    waits.clear()
    stub.requests.clear()
    stub.retry_after = "86400"
    assert ask(stub, attempts=2).answer is None
    assert waits == [30.0]


def test_a_server_that_is_not_there(stub):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    reply = ask(stub, base_url=url, attempts=2)
    assert (reply.answer, reply.failure) == (None, "no connection")


def test_a_server_that_drips_is_cut_off():
    """It sends a byte now and then, which keeps every single read alive."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
                try:
                    for _ in range(400):
                        connection.sendall(b" ")
                        time.sleep(0.05)
                except OSError:
                    pass

        threading.Thread(target=drip, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        settings = JudgeSettings(model="m", base_url=url, key_env=None, timeout_s=0.4, attempts=1)
        began = time.monotonic()
        reply = Endpoint(settings).ask(SHOWN, "?")
    assert reply.failure == "no answer in time"
    assert time.monotonic() - began < 15


def test_an_endpoint_that_keeps_failing_is_left_alone(stub):
    stub.answer = lambda question, before: 401
    tried = endpoint(stub)
    failures = [tried.ask(SHOWN, str(k)).failure for k in range(8)]
    assert len(stub.requests) == 5
    assert failures[4:] == [failures[0], *["not asked: the endpoint failed too often in a row"] * 3]


def test_failures_of_single_questions_do_not_count_against_the_endpoint(stub):
    stub.answer = lambda question, before: "who knows"
    tried = endpoint(stub)
    assert {tried.ask(SHOWN, str(k)).failure for k in range(9)} == {"an answer that is neither yes nor no"}
    assert len(stub.requests) == 9


# -- settings


def test_the_key_comes_from_the_environment_only(stub, monkeypatch):
    monkeypatch.delenv("JUDGE_KEY")
    with pytest.raises(UsageError, match="a key in the environment variable JUDGE_KEY, which is not set"):
        endpoint(stub).check()
    endpoint(stub, key_env=None).check()
    assert ask(stub, key_env=None).answer is True


@pytest.mark.parametrize(
    "address", ["ftp://x/v1", "nothing", "https://user:pass@host/v1", "https://host/v1?key=1", "https:///v1"]
)
def test_addresses_are_plain(address):
    with pytest.raises(ValidationError, match="should be"):
        JudgeSettings(model="m", base_url=address)


def test_the_address_is_taken_from_the_settings_the_environment_or_is_openai(monkeypatch):
    monkeypatch.delenv("SCREENTEST_JUDGE_URL", raising=False)
    assert JudgeSettings(model="m").address == "https://api.openai.com/v1"
    monkeypatch.setenv("SCREENTEST_JUDGE_URL", "http://here:8000/v1/")
    assert JudgeSettings(model="m").address == "http://here:8000/v1"
    assert JudgeSettings(model="m", base_url="http://there/v1").address == "http://there/v1"


def test_the_identity_of_an_answer_is_what_changes_it():
    base = JudgeSettings(model="m", base_url="http://a/v1")
    same = {"timeout_s": 1.0, "attempts": 9, "parallel": 1, "key_env": None, "repeats": 9, "drawn": 0}
    assert base.model_copy(update=same).identity() == base.identity()
    for change in ({"model": "n"}, {"base_url": "http://b/v1"}, {"frames": 4}, {"temperature": 0.0}):
        assert base.model_copy(update=change).identity() != base.identity()
    assert isinstance(SHOWN, Pictures)
