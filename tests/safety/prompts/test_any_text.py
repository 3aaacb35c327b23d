"""Whatever a JSON, CSV or text file can hold passes every classifier, with and without canonicalising."""

import csv
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from screentest.harness.commands.main import run_cli
from screentest.harness.core.errors import MissingWeightsError
from screentest.harness.core.text import well_formed
from screentest.safety.prompts import Judged, PromptClassifier, load_classifier, windows
from screentest.safety.prompts.files import classify_file, read_prompts
from screentest.safety.taxonomy import crosswalk
from screentest.safety.transforms import families, transform
from screentest.safety.transforms.canonical import canonicalise

from . import tiny_models

PEACH = "&#55356;&#57169;"  # a peach as the two halves of a UTF-16 pair, as scraped prompts have it
_REFERENCE = st.integers(0, 0x110000).flatmap(lambda n: st.sampled_from([f"&#{n};", f"&#x{n:x};"]))
_HALVES = st.sampled_from(
    ["\ud83c\udf51", "\ud83c", "\udf51", PEACH, "&#55356;", "%ED%A0%BC", "\0", "\x1b[31m"]
)
ANY_TEXT = st.lists(st.one_of(st.text(st.characters(), max_size=20), _REFERENCE, _HALVES), max_size=6).map(
    "".join
)
any_prompts = given(texts=st.lists(ANY_TEXT, min_size=1, max_size=4))
few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Moderation(BaseHTTPRequestHandler):
    """Answers with a score for each category, and reads what it is sent as JSON in UTF-8."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])).decode("utf-8"))
        assert all(text.encode("utf-8") for text in asked["input"])
        scores = {row.label: 0.1 for row in crosswalk("openai-moderation").labels}
        body = json.dumps({"results": [{"category_scores": scores}] * len(asked["input"])}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture(scope="module")
def specs(tmp_path_factory):
    """Configuration files of one classifier of each kind."""
    folder = tmp_path_factory.mktemp("specs")
    tiny_models.classifier(folder / "bert", ("fine", "bad"))
    tiny_models.guard(folder / "llama")
    tiny_models.entities(folder / "ner", ("O", "B-PER"), {"blade": "B-PER"})
    server = HTTPServer(("127.0.0.1", 0), Moderation)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    kinds = {
        "keywords": {"phrases": {"vcr": ["blade"]}},
        "transformers": {"model": "bert", "labels": {"fine": "none", "bad": "vcr"}},
        "entities": {"model": "ner"},
        "names": {},
        "guard": {"model": "llama", "safe": "safe", "unsafe": "unsafe", "least_mass": 0},
        "moderation": {
            "model": "m", "base_url": f"http://127.0.0.1:{server.server_port}/v1", "key_env": None,
        },
        "ensemble": {"members": ["ngram", "keywords.json", "transformers.json"], "rule": "mean"},
    }  # fmt: skip
    for kind, fields in kinds.items():
        (folder / f"{kind}.json").write_text(json.dumps({"name": kind, kind: fields}))
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()


KINDS = (
    "ngram",
    "minilm",
    "any",
    "keywords",
    "transformers",
    "guard",
    "moderation",
    "ensemble",
    "names",
    "entities",
)


@pytest.fixture(scope="module")
def load(specs: Path):
    kept: dict[tuple[str, bool], PromptClassifier] = {}

    def loaded(kind: str, canonical: bool) -> PromptClassifier:
        name = kind if kind in ("ngram", "minilm", "any") else str(specs / f"{kind}.json")
        if (kind, canonical) not in kept:
            try:
                kept[kind, canonical] = load_classifier(name, canonical=canonical)
            except MissingWeightsError as error:
                pytest.skip(str(error))
        return kept[kind, canonical]

    return loaded


@pytest.mark.parametrize("canonical", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@few
@any_prompts
@example(texts=[f"a {PEACH} on a plate", "a kite", "\ud83c"])
def test_every_classifier_takes_any_text(load, kind: str, canonical: bool, texts: list[str]) -> None:
    classifier = load(kind, canonical)
    judged = classifier.classify(texts)
    assert judged.failed == {}
    with_text = set(windows([well_formed(text) for text in texts], canonical=canonical)[1].tolist())
    assert set(np.flatnonzero(~np.isnan(judged.score)).tolist()) == with_text


@settings(deadline=None)
@given(text=ANY_TEXT)
def test_canonical_text_can_be_written(text: str) -> None:
    made = canonicalise(text)
    assert made.encode("utf-8").decode("utf-8") == made


@pytest.mark.parametrize("reference", [PEACH, "&#xD83C;&#xDF51;", "&#x1F351;", "&#127825;", "\ud83c\udf51"])
def test_references_of_a_pair_are_one_character(reference: str) -> None:
    assert canonicalise(f"a {reference} on a plate") == "a \U0001f351 on a plate"


def test_half_of_a_pair_is_replaced() -> None:
    assert canonicalise("a &#55356; on a plate \udf51") == "a \ufffd on a plate \ufffd"


# -- a judge that breaks down


class Breaks(PromptClassifier):
    """Breaks down on what it cannot read, whatever else is in the list."""

    name, threshold, digest = "breaks", 0.5, "0" * 64
    harms = ("vcr",)

    def _classify(self, texts):
        if bad := [text for text in texts if "broken" in text]:
            raise RuntimeError(f"cannot read {bad[0]!r}" if "quoted" in bad[0] else "cannot read it")
        n = len(texts)
        return Judged(np.full(n, 0.1), np.full((n, 1), 0.1), np.zeros(n, np.bool_))


@pytest.mark.parametrize("bad", [[], [0], [3], [1, 6], [0, 1, 2, 3, 4, 5, 6]])
def test_one_prompt_that_a_judge_cannot_read_does_not_cost_the_others(bad: list[int]) -> None:
    judged = Breaks().classify(["broken" if k in bad else "kite" for k in range(7)])
    assert np.flatnonzero(np.isnan(judged.score)).tolist() == bad
    assert judged.failed == dict.fromkeys(bad, "RuntimeError: cannot read it")
    assert not judged.flagged.any()
    assert judged.harms.shape == (7, 1)


def test_a_reason_does_not_quote_the_prompt() -> None:
    assert Breaks().classify(["a quoted broken thing"]).failed == {0: "RuntimeError"}


def test_the_file_goes_on_and_the_failed_prompt_is_counted(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("a kite\nbroken\na lamp\n")
    with (tmp_path / "out").open("w") as out:
        counts = classify_file(tmp_path / "p.txt", Breaks(), out)
    assert (counts.judged, counts.judge_failed, counts.without_text) == (2, 1, 0)
    rows = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [row["score"] is None for row in rows] == [False, True, False]
    assert rows[1]["reason"] == "judge_failed: RuntimeError: cannot read it"


# -- files and commands

HARD = (
    f"a {PEACH} on a plate",
    "half \ud83c of it",
    "\udf51",
    "",
    " ",
    "\0",
    "&#0;&#27;[31m",
    "\u202e&#xD83C;",
)


def _write(folder: Path, texts: tuple[str, ...]) -> list[Path]:
    plain = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
    (folder / "p.jsonl").write_text("".join(json.dumps({"prompt": text}) + "\n" for text in texts))
    with (folder / "p.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["prompt"], *([text] for text in plain)])
    lines = (text.replace("\n", " ").replace("\r", " ") for text in plain)
    (folder / "p.txt").write_bytes("".join(line + "\n" for line in lines).encode())
    return [folder / "p.jsonl", folder / "p.csv", folder / "p.txt"]


@few
@any_prompts
def test_every_row_of_any_file_is_read_as_whole_text(tmp_path: Path, texts: list[str]) -> None:
    table, lines = _write(tmp_path, tuple(texts))[:2], _write(tmp_path, tuple(texts))[2]
    for file in table:
        found = [prompt.text for prompt in read_prompts(file)]
        assert len(found) == len(texts)
        assert all(text.encode("utf-8").decode("utf-8") == text for text in found)
    assert all(prompt.text for prompt in read_prompts(lines))


@pytest.mark.parametrize("canonical", ["--canonicalise", "--no-canonicalise"])
def test_commands_take_any_file(tmp_path: Path, capsys, canonical: str) -> None:
    for file in _write(tmp_path, (*HARD, "a kite")):
        assert run_cli(["classify", str(file), canonical]) == 0
        said = capsys.readouterr()
        rows = [json.loads(line) for line in said.out.splitlines()]
        assert len(rows) == (9 if file.suffix != ".txt" else 8)  # a text file has no empty prompts
        assert rows[-1]["score"] is not None
        assert run_cli(["transform", str(file), "--out", str(tmp_path / "made.jsonl")]) == 0
        made = [json.loads(line) for line in (tmp_path / "made.jsonl").read_text().splitlines()]
        assert {one["family"] for one in made} == set(families())
        capsys.readouterr()
    columns = ["--columns", "text=prompt,label=harm,scheme=llama-guard"]
    (tmp_path / "q.csv").write_text(f'prompt,harm\n"a {PEACH} fight",S1\n" ",S1\n"a blade",S1\n')
    sources = [f"csv={tmp_path / 'q.csv'}", "contrast", *columns]
    assert run_cli(["assess", *sources, "--disguise", "entities", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["left_out"] == {"no text": 1}


@pytest.mark.parametrize(
    "line", ["9" * 5000, '{"prompt": ' + "9" * 5000 + "}", "[" * 100_000], ids=["number", "value", "nested"]
)
@pytest.mark.parametrize("command", ["classify", "transform"])
def test_json_beyond_reading_gets_a_sentence(tmp_path: Path, capsys, line: str, command: str) -> None:
    (tmp_path / "p.jsonl").write_text(line + "\n")
    assert run_cli([command, str(tmp_path / "p.jsonl")]) == 2
    assert "line 1 is not JSON" in capsys.readouterr().err


@few
@given(text=ANY_TEXT)
@pytest.mark.parametrize("name", families())
def test_what_families_make_of_any_text_is_judged(load, name: str, text: str) -> None:
    made = transform(text, name).text
    assert load("ngram", True).classify([made]).failed == {}
    assert load("keywords", False).classify([made]).failed == {}
