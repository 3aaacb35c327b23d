"""Expanded prompts: a file of them or a function, the same items, and what the generator was given."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from screentest.generators import Refusal
from screentest.generators.expanded import EXPANDED, ExpandedGenerator
from screentest.generators.expansions import (
    ChatExpander,
    Expansions,
    FunctionExpander,
    expand,
    read_expansions,
)
from screentest.generators.wrapper import Layered
from screentest.harness.commands.main import run_cli
from screentest.harness.comparison.compare import compare
from screentest.harness.core.errors import ScreentestError, UsageError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.store import open_run
from screentest.metrics.encoders.base import EncoderOptions

SECRET = "sk-very-secret-7c1"


class Model:
    """A chat model that is told what to answer: text, a status, or a whole body."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.url = ""


@pytest.fixture
def model() -> Iterator[Model]:
    told = Model()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.asked.append(body)
            told.keys.append(self.headers["Authorization"])
            answer = told.answers.pop(0) if told.answers else f"long {body['messages'][1]['content']}"
            status = answer if isinstance(answer, int) else 200
            if isinstance(answer, str):
                answer = {"choices": [{"message": {"content": answer}, "finish_reason": "stop"}]}
            data = json.dumps(answer if isinstance(answer, dict) else {"error": "told to"}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    yield told
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr("screentest.generators.expansions._FIRST_WAIT_S", 0.001)


def texts(**more: str | None) -> dict[str, str | None]:
    return {f"block number {k}": f"a large block, the number {k}" for k in range(4)} | more


def test_a_run_of_expanded_prompts_is_compared_pair_by_pair(tmp_path, suite, generator, cache):
    given: list[str] = []

    class Listening(type(generator)):
        def generate(self, items):
            given.extend(item.prompt for item in items)
            return super().generate(items)

    inner = Listening()
    expanded = ExpandedGenerator(inner, texts(), {"kind": "toy"}, "expanded:toy")
    run(suite, generator, tmp_path / "plain", Settings(cache))
    run(suite, expanded, tmp_path / "expanded", Settings(cache))
    assert given == [f"a large block, the number {k}" for k in range(4) for _ in range(2)]
    items = {item.id: item for item in open_run(tmp_path / "expanded").items()}
    assert {item.prompt: item.given for item in items.values()} == texts()
    plain = {item.id: item for item in open_run(tmp_path / "plain").items()}
    assert plain.keys() == items.keys()
    assert {item.given for item in plain.values()} == {None}
    paired = compare(open_run(tmp_path / "plain"), open_run(tmp_path / "expanded"))
    (row,) = [d for d in paired.differences if d.measure == "motion.flicker" and d.tag is None]
    assert row.n == 8


def test_the_identity_has_the_expansions_and_the_inner_generator(generator):
    one = ExpandedGenerator(generator, texts(), {"texts": "1"}).identity()
    other = ExpandedGenerator(generator, texts(), {"texts": "2"}).identity()
    assert one != other
    assert one["inner"] == {**generator.identity(), "source": one["inner"]["source"]}


def test_prompts_that_the_file_lacks_are_refused_and_empty_ones_told(generator):
    clip = ClipSettings()
    asked = [make_item(text, 0, clip) for text in ("block number 1", "block number 9")]
    with pytest.raises(UsageError, match="has no expansion of 1 of 2 prompts; 'screentest expand'"):
        ExpandedGenerator(generator, texts(), {}).check(asked)
    made = ExpandedGenerator(generator, texts(**{"block number 9": None}), {})
    assert made.check(asked) == ["used as they are, without an expansion: 1 of 2 prompts"]
    assert made.prompt_of(asked[1]) == "block number 9"


def test_the_order_of_wrappers_says_what_a_filter_sees(generator):
    from screentest.generators.wrapper import Wrapper

    class Filter(Wrapper):
        def identity(self):
            return {}

        def before(self, items):
            return {item.id: Refusal(item.prompt) for item in items}

        def after(self, item, output, folder):
            return output

    (item,) = (make_item("block number 1", 0, ClipSettings()),)
    outside = Filter(ExpandedGenerator(generator, texts(), {}), "filter")
    inside = ExpandedGenerator(Filter(generator, "filter"), texts(), {})
    for whole, seen in ((outside, "block number 1"), (inside, "a large block, the number 1")):
        assert whole.generate([item]) == [Refusal(seen)]
        assert Layered(whole).before([item], Path("none")) == {item.id: Refusal(seen)}


# -- writing a file


def test_a_chat_model_is_asked_once_for_each_prompt(model, tmp_path):
    out = tmp_path / "long.yaml"
    by = ChatExpander("toy", model.url, SECRET)
    model.answers = ["A tabby\ncat runs.", 429, 503, "A dog sleeps."]
    made = expand(["a cat", "a dog", "a cat"], by, out)
    assert made.expansions == {"a cat": "A tabby cat runs.", "a dog": "A dog sleeps."}
    assert read_expansions(out) == made
    assert [body["messages"][1]["content"] for body in model.asked] == ["a cat", "a dog", "a dog", "a dog"]
    assert {body["temperature"] for body in model.asked} == {0.0}
    assert set(model.keys) == {f"Bearer {SECRET}"}
    assert SECRET not in out.read_text()
    expand(["a cat", "a bird"], by, out)
    assert len(model.asked) == 5
    assert read_expansions(out).expansions["a bird"] == "long a bird"


def test_what_a_model_declines_is_left_as_it_is_and_said(model, tmp_path):
    declined = {"choices": [{"message": {"content": "no", "refusal": "no"}}]}
    cut = {"choices": [{"message": {"content": "a very"}, "finish_reason": "length"}]}
    model.answers = [declined, cut, ""]
    made = expand(["a", "c", "d", "e"], ChatExpander("toy", model.url, None), tmp_path / "long.yaml")
    assert made.expansions == {"a": None, "c": None, "d": None, "e": "long e"}


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_is_not_taken_is_no_answer_and_is_asked_again(model, tmp_path, status):
    by, out = ChatExpander("toy", model.url, None), tmp_path / "long.yaml"
    model.answers = ["A cat.", status]
    with pytest.raises(ScreentestError, match=rf"does not take the next prompt \(HTTP {status}"):
        expand(["a cat", "a dog"], by, out)
    assert read_expansions(out).expansions == {"a cat": "A cat."}
    assert expand(["a cat", "a dog"], by, out).expansions["a dog"] == "long a dog"


def test_a_model_that_does_not_answer_keeps_what_there_is(model, tmp_path):
    by = ChatExpander("toy", model.url, None)
    model.answers = ["A cat.", *[500] * 6]
    with pytest.raises(ScreentestError, match=r"gave no answer in 6 attempts .*the same command goes on"):
        expand(["a cat", "a dog"], by, tmp_path / "long.yaml")
    assert read_expansions(tmp_path / "long.yaml").expansions == {"a cat": "A cat."}
    assert expand(["a cat", "a dog"], by, tmp_path / "long.yaml").expansions["a dog"] == "long a dog"


def test_a_file_of_another_expander_is_refused(tmp_path):
    out = tmp_path / "long.yaml"
    expand(["a cat"], FunctionExpander(str.upper, {"kind": "function", "name": "upper"}), out)
    with pytest.raises(UsageError, match=r"by another expander .*name differ"):
        expand(["a cat"], FunctionExpander(str.lower, {"kind": "function", "name": "lower"}), out)


@pytest.mark.parametrize(
    ("function", "why"), [(lambda text: 7, "returned a int"), (lambda text: 1 / 0, "failed")]
)
def test_a_function_that_gives_no_text_is_one_sentence(function, why):
    with pytest.raises(UsageError, match=why):
        FunctionExpander(function, {})("a cat")


# -- the command line


def test_the_command_writes_a_file_that_the_generator_reads(model, tmp_path, monkeypatch, capsys, generator):
    monkeypatch.setenv("SCREENTEST_EXPAND_URL", model.url)
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a cat\na dog\n")
    out = tmp_path / "long.yaml"
    assert run_cli(["expand", str(prompts), "--model", "toy", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"2 expansions: {out}\n"
    made = EXPANDED.make(f"[toy]?by={out}", EncoderOptions(), ["toy"], lambda spec: generator)
    assert made.prompt_of(make_item("a cat", 0, ClipSettings())) == "long a cat"
    assert json.loads(json.dumps(dict(made.identity())))["by"]["model"] == "toy"


def test_a_function_can_be_named_by_its_file(tmp_path, generator):
    file = tmp_path / "mine.py"
    file.write_text("def longer(text):\n    return f'{text}, in the rain'\n")
    made = EXPANDED.make(f"[toy]?by={file}:longer", EncoderOptions(), ["toy"], lambda spec: generator)
    (item,) = (make_item("a cat", 0, ClipSettings()),)
    assert made.prompt_of(item) == "a cat, in the rain"
    out = tmp_path / "long.yaml"
    (tmp_path / "prompts.txt").write_text("a cat\n")
    words = ["expand", str(tmp_path / "prompts.txt"), "--by", f"{file}:longer", "--out", str(out)]
    assert run_cli(words) == 0
    assert read_expansions(out) == Expansions(
        by=dict(made.identity())["by"], expansions={"a cat": "a cat, in the rain"}
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--out", "x.txt", "--model", "m"], "should end in .yaml"),
        (["--out", "x.yaml"], "say what expands the prompts"),
        (["--out", "x.yaml", "--model", "m"], "give the address of the model with --base"),
        (["--out", "x.yaml", "--model", "m", "--base", "http://k:s3cret@h"], "should be a plain address"),
        (
            ["--out", "x.yaml", "--by", "mine.txt"],
            "should be a .yaml file of 'screentest expand', or file.py",
        ),
    ],
)
def test_wrong_usage_is_one_sentence(words, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("SCREENTEST_EXPAND_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("prompts.txt").write_text("a cat\n")
    assert run_cli(["expand", "prompts.txt", *words]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "s3cret" not in error
    assert error.count("\n") == 1


def test_a_spec_without_a_file_is_one_sentence(generator):
    with pytest.raises(UsageError, match="says not by what to expand prompts; write"):
        EXPANDED.make("[toy]", EncoderOptions(), ["toy"], lambda spec: generator)


def test_a_suite_without_prompts_is_not_expanded(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("e.py").write_text("def longer(text):\n    return text + '.'\n")
    assert run_cli(["expand", "videos", "--by", "e.py:longer", "--out", "long.yaml"]) == 2
    assert "videos has no prompts to expand" in capsys.readouterr().err
