"""A vision-language judge in a run: what is asked, what is kept, what failed, and the measures of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.gates.gate import gate
from screentest.harness.policies.policy import Policy
from screentest.harness.run import Settings, run, score_run
from screentest.harness.run_folder.store import open_run
from screentest.metrics import MEASURES as KNOWN
from screentest.metrics import EncoderOptions, MeasureFailed, NotApplicable, Sample, Scored, make_encoder
from screentest.metrics.encoders.base import Record
from screentest.metrics.encoders.cache import FeatureCache
from screentest.metrics.judge import endpoint as endpoint_module
from screentest.metrics.judge.answers import JudgeAnswer, answers_of, answers_record
from screentest.metrics.judge.encoder import VlmEncoder
from screentest.metrics.judge.endpoint import FAILURES, JudgeSettings
from screentest.metrics.judge.questions import Source
from screentest.reports.build import build_report

from ..helpers import encode, pan
from .stub import Stub, serve

MEASURES = [
    "judge.vlm", "judge.yes_rate", "judge.control_accuracy", "judge.agreement", "judge.failure_rate",
    "judge.latency", "judge.cost", "motion.flicker",
]  # fmt: skip
BITE = {"ask": "Does the biscuit lack a piece?", "answer": True, "elsewhere": False}
SECOND = {"ask": "Is there a second biscuit?", "answer": False}
CAT = {"ask": "Does a cat walk?", "answer": "yes", "elsewhere": "no"}
ELEPHANT = {"ask": "Is an elephant there?", "answer": "no", "control": True}
RATE = {"ask": "How natural is the motion?", "scale": 5}
DRAWN_YES, DRAWN_NO = "drawn yes", "drawn no"


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    monkeypatch.setenv("OPENAI_API_KEY", "s3cret")
    monkeypatch.setattr(endpoint_module, "_FIRST_WAIT_S", 0.01)
    told = Stub(lambda question, before: truth(question))
    server = serve(told)
    yield told
    server.shutdown()
    server.server_close()


def truth(question: str) -> str:
    """A judge that sees the clip of the biscuit everywhere, cannot look at drawings and says yes to them."""
    right = {BITE["ask"]: "yes", SECOND["ask"]: "no", CAT["ask"]: "no", ELEPHANT["ask"]: "no"}
    return right.get(question, "yes")


def judge_file(folder: Path, stub: Stub, **changes: Any) -> str:
    path = folder / "judge.yaml"
    fields = {"model": "m", "base_url": stub.url, "repeats": 3, "frames": 3, "timeout_s": 60, "attempts": 2}
    path.write_text(yaml.safe_dump({**fields, **changes}))
    return str(path)


def suite_of(make_suite: Any, source: str, *questions: list[dict[str, Any]], **changes: Any) -> Any:
    prompts = [
        {"text": f"prompt {k}", "expect": {"questions": part} if part else None}
        for k, part in enumerate(questions)
    ]
    fields = {"seeds": 1, "prompts": prompts, "measures": MEASURES, "encoders": {"vlm": source}}
    return make_suite(**{**fields, **changes})


def policy_of(measure: str) -> Policy:
    rules = [{"measure": measure, "min": 0.1, "card": "noted"}]
    return Policy.model_validate({"name": "p", "version": 1, "rules": rules})


def scores(folder: Path, measure: str) -> list[Any]:
    return [s for s in open_run(folder).scores() if s.measure == measure]


# -- a run


def test_a_run_asks_everything_once_and_sums_it_up(make_suite, generator, tmp_path, cache, stub):
    prices = {"usd_per_million_in": 2.0, "usd_per_million_out": 10.0}
    suite = suite_of(make_suite, judge_file(tmp_path, stub, **prices), [BITE, SECOND], [CAT, ELEPHANT], [])
    summary = run(suite, generator, tmp_path / "run", Settings(cache))
    asked = stub.asked()
    # three times each for its own prompt, and as a control once for the other prompt that has questions
    assert asked[BITE["ask"]] == asked[CAT["ask"]] == 3 + 1
    assert (asked[SECOND["ask"]], asked[ELEPHANT["ask"]]) == (3, 1)
    assert sum(asked.values()) == 4 + 4 + 3 + 1 + 2 * 2
    bite, cat = sorted(s.value for s in scores(tmp_path / "run", "judge.vlm") if s.value is not None)[::-1]
    assert (bite, cat) == (1.0, 0.0)
    judged = summary.get("judge.vlm")
    assert (judged.value, judged.n, judged.left_out["not_applicable"]) == (0.5, 2, 1)
    assert judged.reasons == {"the prompt asks no questions": 1}
    assert judged.low is not None
    assert summary.get("judge.yes_rate").value == pytest.approx((0.5 + 0) / 2)
    # about the biscuit: cat no (right), drawn yes right, drawn no wrong; about the cat: bite yes (wrong),
    # elephant no (right), drawn yes right, drawn no wrong
    assert summary.get("judge.control_accuracy").value == pytest.approx((2 / 3 + 2 / 4) / 2)
    assert summary.get("judge.agreement").value == 1.0
    assert summary.get("judge.failure_rate").value == 0.0
    assert summary.get("judge.latency").value > 0
    recorded = json.loads((tmp_path / "run" / "run.json").read_text())["encoders"]["vlm"]
    assert (recorded["identity"]["model"], recorded["identity"]["repeats"]) == ("m", 3)
    assert "s3cret" not in json.dumps(recorded)
    answers = [6 + 1 + 2, 3 + 1 + 1 + 2]
    assert summary.get("judge.cost").value == pytest.approx(
        np.mean([n * (1000 * 2 + 10 * 10) / 1e6 for n in answers])
    )
    evidence = [s.evidence for s in scores(tmp_path / "run", "judge.vlm") if s.status == "ok"]
    by_ask = {q["ask"]: q for e in evidence for q in e["questions"]}
    assert by_ask[BITE["ask"]] == {
        "ask": BITE["ask"],
        "expected": "yes",
        "yes": 3,
        "no": 0,
        "judge_failed": 0,
    }
    assert {e["tokens"] for e in evidence} == {1010 * n for n in answers}


def test_a_run_tells_the_figures_of_its_judge_beside_what_rests_on_it(
    make_suite, generator, tmp_path, cache, stub
):
    # yes, yes, no of three repeats; controls as `truth` says
    stub.answer = lambda question, before: before < 2 if question == SECOND["ask"] else truth(question)
    suite = suite_of(make_suite, judge_file(tmp_path, stub, drawn=2), [SECOND], [CAT, ELEPHANT])
    summary = run(suite, generator, tmp_path / "run", Settings(cache))
    (figures,) = summary.judges
    assert figures.name == "m"
    assert figures.judge == open_run(tmp_path / "run").measures()["judge.vlm"]["encoders"]["vlm"]
    assert figures.measures == ("judge.vlm", "judge.yes_rate")
    # about the first: cat no (right), drawn yes right, drawn no wrong; about the other: elephant no, drawn
    assert (figures.error.value, figures.error.n) == (pytest.approx(2 / 6), 6)
    assert figures.f1.value == pytest.approx(2 * 2 / (2 * 2 + 2 + 0))
    assert (figures.repeats.value, figures.repeats.n) == (pytest.approx((1 / 3 + 1) / 2), 2)
    (note,) = (n for n in summary.get("judge.vlm").notes if "rests on the judge m" in n)
    assert "F1 0.667" in note
    assert not any("rests on" in n for n in summary.get("motion.flicker").notes)
    assert not any("rests on" in n for n in summary.get("judge.control_accuracy").notes)
    page = build_report([tmp_path / "run"]).read_text()
    assert "rests on the judge m" in page
    told = gate(open_run(tmp_path / "run"), policy_of("judge.vlm"))
    assert any(n.startswith("judge.vlm: rests on the judge m") for n in told.notes)


def test_ratings_are_on_the_scale_asked_repeatedly_and_kept(make_suite, generator, tmp_path, cache, stub):
    given = ["4", "Rating: 5/5", "4.", "nine"]
    stub.answer = lambda question, before: given[before] if question == RATE["ask"] else truth(question)
    suite = suite_of(make_suite, judge_file(tmp_path, stub), [RATE], measures=["judge.rating", "judge.vlm"])
    summary = run(suite, generator, tmp_path / "run", Settings(cache))
    assert summary.get("judge.rating").value == pytest.approx(np.mean([3, 4, 3]) / 4)
    assert summary.get("judge.vlm").reasons == {"the prompt asks for ratings only": 1}
    assert summary.judges[0].repeats.value == pytest.approx(1 / 3)
    asked = [r for r in stub.requests if RATE["ask"] in json.dumps(r)]
    assert "Rate from 1 (worst) to 5 (best)." in asked[0]["messages"][1]["content"][-1]["text"]
    run(suite, generator, tmp_path / "again", Settings(cache))
    assert len(asked) == stub.asked()[RATE["ask"]] == 3


@pytest.mark.parametrize("said", ["6", "0", "4/10", "yes", "4 or 5", "-"])
def test_what_is_not_on_the_scale_is_no_rating(make_suite, generator, tmp_path, cache, stub, said):
    stub.answer = lambda question, before: said if question == RATE["ask"] else truth(question)
    suite = suite_of(make_suite, judge_file(tmp_path, stub), [RATE], measures=["judge.rating"])
    summary = run(suite, generator, tmp_path / "run", Settings(cache))
    (score,) = scores(tmp_path / "run", "judge.rating")
    assert (score.status, summary.get("judge.rating").value) == ("failed", None)
    assert "no rating on the scale" in score.reason


def test_a_second_run_asks_nothing_even_for_other_files_that_show_the_same(
    make_suite, make_generator, tmp_path, cache, stub
):
    suite = suite_of(make_suite, judge_file(tmp_path, stub), [BITE])
    first = run(suite, make_generator(), tmp_path / "a", Settings(cache))
    count = len(stub.requests)
    second = run(suite, make_generator(), tmp_path / "b", Settings(cache))
    lost = list((cache / "features").rglob("*.arrays"))  # the features, and not the answers
    assert lost
    for file in lost:
        file.unlink()
    third = run(suite, make_generator(), tmp_path / "c", Settings(cache))
    assert len(stub.requests) == count
    assert first.aggregates == second.aggregates == third.aggregates
    run(suite_of(make_suite, judge_file(tmp_path, stub, temperature=1.0), [BITE]), make_generator(),
        tmp_path / "d", Settings(cache))  # fmt: skip
    assert len(stub.requests) == 2 * count


def test_failures_are_no_answers_are_not_kept_and_only_they_are_asked_again(
    make_suite, make_generator, tmp_path, cache, stub
):
    """One question always fails and one of three repeats of the other does: then both are mended."""
    faults: Counter[str] = Counter()

    def answer(question: str, before: int) -> Any:
        if question == SECOND["ask"] or (question == BITE["ask"] and before == 0):
            faults[question] += 1
            return "it is hard to say"
        return truth(question)

    stub.answer = answer
    suite = suite_of(make_suite, judge_file(tmp_path, stub), [BITE], [SECOND])
    out = tmp_path / "run"
    summary = run(suite, make_generator(), out, Settings(cache))
    judged = summary.get("judge.vlm")
    assert (judged.value, judged.n, judged.left_out["failed"]) == (1.0, 1, 1)
    reason = "judge_failed: an answer that is neither yes nor no (3 times)"
    assert judged.reasons == {reason: 1}
    assert summary.get("judge.yes_rate").n == 1
    # of 3 + 2 controls 1 failed; of 3 + 1 (bite is asked elsewhere) + 2 controls 3 failed
    assert sorted(s.value for s in scores(out, "judge.failure_rate")) == pytest.approx([1 / 5, 3 / 6])
    told = next(s for s in scores(out, "judge.failure_rate") if s.value == pytest.approx(0.5))
    assert told.evidence["failures"] == {"an answer that is neither yes nor no": 3}
    kept = [json.loads(p.read_text()) for p in cache.glob("answers/*/*.json")]
    assert all(record["reply"]["answer"] is not None for record in kept)
    assert len(kept) == (5 - 1) + (6 - 3)

    before = len(stub.requests)
    stub.answer = lambda question, before: truth(question)
    summary = run(suite, make_generator(), out, Settings(cache))
    again = Counter(r["messages"][1]["content"][-1]["text"].split("\n")[0] for r in stub.requests[before:])
    assert again == {f"Question: {BITE['ask']}": 1, f"Question: {SECOND['ask']}": 3}
    assert (summary.get("judge.vlm").value, summary.get("judge.vlm").n) == (1.0, 2)
    assert summary.get("judge.failure_rate").value == 0.0
    count = len(stub.requests)
    run(suite, make_generator(), out, Settings(cache))
    assert len(stub.requests) == count


def test_a_judge_that_is_down_leaves_the_other_measures_and_is_asked_later(
    make_suite, make_generator, tmp_path, cache, stub
):
    stub.answer = lambda question, before: 401
    suite = suite_of(make_suite, judge_file(tmp_path, stub, parallel=1), [BITE], [SECOND], [CAT])
    summary = run(suite, make_generator(), tmp_path / "run", Settings(cache))
    assert summary.get("judge.vlm").value is None
    assert summary.get("judge.vlm").left_out["failed"] == 3
    assert summary.get("judge.control_accuracy").value is None
    assert summary.get("judge.failure_rate").value == 1.0
    assert summary.get("motion.flicker").n == 3
    assert len(stub.requests) == 5  # and then no more
    stub.answer = lambda question, before: truth(question)
    summary = score_run(tmp_path / "run", suite, Settings(cache))
    assert summary.get("judge.vlm").n == 3


def test_a_refused_item_is_no_question_for_the_judge(make_suite, make_generator, tmp_path, cache, stub):
    prompts = [{"text": "refuse this", "expect": {"questions": [BITE]}}]
    suite = suite_of(make_suite, judge_file(tmp_path, stub), prompts=prompts)
    summary = run(suite, make_generator(), tmp_path / "run", Settings(cache))
    assert summary.get("judge.vlm").left_out["refused"] == 1
    assert stub.requests == []


def test_what_a_judge_writes_is_text_and_nothing_else(make_suite, make_generator, tmp_path, cache, stub):
    """It names no file, is in no reason and on no page, and cannot break the table."""
    hostile = "yes. <script>alert(1)</script> ../../../etc/passwd\0 {{7*7}} " + "x" * 5000
    stub.answer = lambda question, before: hostile
    question = {"ask": "Is <b>it</b> ../there?", "answer": True}
    suite = suite_of(make_suite, judge_file(tmp_path, stub), [question])
    out = tmp_path / "run"
    summary = run(suite, make_generator(), out, Settings(cache))
    assert summary.get("judge.vlm").value == 1.0
    page = build_report([out]).read_text()
    table = json.dumps([[s.reason, s.evidence] for s in open_run(out).scores()])
    for text in (page, table):
        assert "alert(1)" not in text
        assert "passwd" not in text
    assert "<b>it</b>" not in page
    for path in cache.glob("answers/**/*"):
        assert set(path.stem) <= set("0123456789abcdef")
        if path.is_file():
            assert len(json.loads(path.read_text())["reply"]["text"]) == 200


# -- the encoder


def encoder(tmp_path: Path, stub: Stub, **changes: Any) -> VlmEncoder:
    made = make_encoder("vlm", judge_file(tmp_path, stub, **changes), EncoderOptions(cache=tmp_path / "c"))
    assert isinstance(made, VlmEncoder)
    return made


def item(*questions: dict[str, Any], prompt: str = "one") -> Any:
    return make_item(prompt, 0, ClipSettings(), expect={"questions": list(questions)})


def test_answers_are_in_the_order_of_the_questions_whatever_the_order_of_asking(tmp_path, stub):
    judge = encoder(tmp_path, stub, drawn=1, parallel=1)
    told = answers(encode(judge.for_item(item(BITE, SECOND, ELEPHANT)), pan(9, size=24)))
    assert [answer.source for answer in told] == ["question"] * 6 + ["control", "drawn"]
    assert [answer.number for answer in told] == [0, 0, 0, 1, 1, 1, 2, 3]
    assert [answer.expected for answer in told] == [True] * 3 + [False] * 4 + [True]
    assert [answer.answer for answer in told] == [True] * 3 + [False] * 4 + [True]
    assert {(answer.failure, answer.usd) for answer in told} == {("", None)}
    mixed = [request["messages"][1]["content"][-1]["text"] for request in stub.requests]
    assert len(set(mixed[:3])) > 1 or len(set(mixed[3:6])) > 1


def test_how_the_decoder_cuts_a_clip_changes_no_question(tmp_path, stub):
    frames = pan(11, size=24)
    encode(encoder(tmp_path, stub).for_item(item(BITE)), frames)
    count = len(stub.requests)
    encode(encoder(tmp_path, stub).for_item(item(BITE)), frames, cuts=(1, 4, 9))
    assert len(stub.requests) == count


def test_digests_hold_the_questions_the_model_and_the_address(tmp_path, stub):
    judge = encoder(tmp_path, stub)
    assert judge.for_item(item(BITE)).digest == judge.for_item(item(BITE)).digest
    digests = {judge.for_item(item(*part)).digest for part in ([BITE], [SECOND], [BITE, SECOND], [])}
    assert len(digests) == 4
    assert encoder(tmp_path, stub, timeout_s=9).digest == judge.digest
    assert encoder(tmp_path, stub, repeats=2).digest != judge.digest
    assert encoder(tmp_path, stub, base_url="http://elsewhere/v1").digest != judge.digest


def test_controls_from_other_prompts_are_never_asked_of_their_own(tmp_path, stub):
    judge = encoder(tmp_path, stub, elsewhere=5)
    own, other = item(BITE, prompt="one"), item(CAT, SECOND, prompt="two")
    judge.prepare([own, other])
    asked = judge.for_item(own).asked  # type: ignore[attr-defined]
    assert [(a.ask, a.expected, a.source) for a in asked] == [
        (BITE["ask"], True, "question"), (CAT["ask"], False, "elsewhere"),
    ]  # fmt: skip
    assert encode(judge.for_item(item(prompt="three")), pan(3, size=24)).meta["answers"] == []
    assert stub.requests == []


def test_a_damaged_answer_is_asked_again(tmp_path, stub):
    judge = encoder(tmp_path, stub, repeats=1, drawn=0)
    encode(judge.for_item(item(BITE)), pan(3, size=24))
    (kept,) = (tmp_path / "c").glob("answers/*/*.json")
    for damage in (
        "",
        "{}",
        '{"reply": {"answer": null}}',
        '{"reply": {"answer": "yes", "failure": ""}}',
        "\0",
    ):
        kept.write_text(damage)
        count = len(stub.requests)
        assert answers(encode(judge.for_item(item(BITE)), pan(3, size=24)))[0].answer is True
        assert len(stub.requests) == count + 1


def test_settings_are_a_model_or_a_file_and_never_the_environment(tmp_path, stub, monkeypatch):
    plain = make_encoder("vlm", "some-model")
    assert isinstance(plain, VlmEncoder)
    assert plain.settings == JudgeSettings(model="some-model")
    monkeypatch.setenv("SCREENTEST_JUDGE_MODEL", "theirs")
    with pytest.raises(UsageError, match="name the model: --encoder vlm=MODEL"):
        make_encoder("vlm", "env")
    with pytest.raises(UsageError, match="unknown key 'repeat'; did you mean 'repeats'"):
        encoder(tmp_path, stub, repeat=2)


def test_questions_and_the_key_are_looked_at_before_anything_is_made(
    make_suite, generator, tmp_path, cache, stub, monkeypatch
):
    with pytest.raises(ValidationError, match=r"questions\.0\.answer: should be yes or no, not 'perhaps'"):
        suite_of(make_suite, judge_file(tmp_path, stub), [{"ask": "x?", "answer": "perhaps"}])
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UsageError, match=r"does not say which; .*\(a model, or a YAML file of a"):
        run(suite_of(make_suite, "x", [BITE], encoders={}), generator, tmp_path / "run", Settings(cache))
    suite = suite_of(make_suite, judge_file(tmp_path, stub), [BITE])
    with pytest.raises(UsageError, match="environment variable OPENAI_API_KEY, which is not set"):
        run(suite, generator, tmp_path / "run", Settings(cache))
    assert generator.asked == []


# -- the measures, on answers


SLOW = FAILURES[0]


def answers(record: Record) -> tuple[JudgeAnswer, ...]:
    return answers_of(Sample(item(), "ok", None, {}, records={"vlm": record}))


def record(*told: tuple[Source, int, int, int | None, str]) -> Record:
    """Make a feature of (source, number, expected, answer, failure) with one second and no price each."""
    return answers_record(
        [
            JudgeAnswer(source, n, bool(expected), None if said is None else bool(said), why, 1.0, 10, None)
            for source, n, expected, said, why in told
        ]
    )


def judged(name: str, feature: Record, *questions: dict[str, Any]) -> Any:
    function = KNOWN.get(name).function
    assert function is not None
    value = function(Sample(item(*questions), "ok", None, {}, records={"vlm": feature}))
    return value if isinstance(value, Scored) else Scored(value)


def test_each_question_weighs_the_same_and_a_failed_repeat_is_no_no():
    feature = record(
        ("question", 0, 1, 1, ""), ("question", 0, 1, 0, ""), ("question", 0, 1, None, SLOW),
        ("question", 1, 0, 0, ""),
        ("drawn", 2, 1, 0, ""),
    )  # fmt: skip
    result = judged("judge.vlm", feature, BITE, SECOND)
    assert result.value == (1 / 2 + 1) / 2
    assert result.evidence["questions"][0] == {
        "ask": BITE["ask"], "expected": "yes", "yes": 1, "no": 1, "judge_failed": 1,
    }  # fmt: skip
    assert judged("judge.yes_rate", feature, BITE, SECOND).value == 1 / 3
    assert judged("judge.control_accuracy", feature, BITE, SECOND).value == 0.0
    assert judged("judge.failure_rate", feature, BITE, SECOND).value == 1 / 5
    assert judged("judge.agreement", feature, BITE, SECOND).value == 0.5


def test_agreement_is_the_share_of_the_more_frequent_answer():
    feature = record(*[("question", 0, 1, answer, "") for answer in (1, 1, 0)],
                   *[("question", 1, 1, 0, "") for _ in range(3)])  # fmt: skip
    assert judged("judge.agreement", feature, BITE, SECOND).value == pytest.approx((2 / 3 + 1) / 2)


def test_a_clip_without_an_answer_has_failed_and_one_without_a_question_does_not_apply():
    silent = record(("question", 0, 1, None, SLOW), ("drawn", 1, 1, None, FAILURES[1]))
    for name in ("vlm", "yes_rate", "control_accuracy", "latency"):
        with pytest.raises(MeasureFailed, match=r"^judge_failed: no (answer in time|connection)"):
            judged(f"judge.{name}", silent, BITE)
    assert judged("judge.failure_rate", silent, BITE).value == 1.0
    assert SLOW == "no answer in time"
    for name in ("vlm", "yes_rate", "control_accuracy", "agreement", "failure_rate", "latency", "cost"):
        with pytest.raises(NotApplicable, match="asks no questions"):
            judged(f"judge.{name}", record())
    once = record(("question", 0, 1, 1, ""))
    for name, why in (("agreement", "asked once"), ("control_accuracy", "no controls"), ("cost", "no price")):
        with pytest.raises(NotApplicable, match=why):
            judged(f"judge.{name}", once, BITE)


def test_answers_are_cached_as_they_were_told_and_those_of_another_layout_are_refused(tmp_path):
    made = record(("question", 0, 1, 0, ""), ("drawn", 1, 1, None, SLOW))
    cache = FeatureCache(tmp_path)
    cache.put("a" * 64, "b" * 64, made)
    read = cache.get("a" * 64, "b" * 64)
    assert isinstance(read, Record)
    assert answers(read) == answers(made)
    assert [(answer.source, answer.answer, answer.failure) for answer in answers(read)] == [
        ("question", False, ""), ("drawn", None, SLOW),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="no record of answers of layout"):
        answers(Record({}, {**made.meta, "layout": 1}))
