"""A guarded generator: what its filters stop and write down, and that no fault of theirs passes as safe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from screentest.generators import Failure, Frames, Output, Refusal, VideoFile, make_generator
from screentest.generators.guarded import GuardedGenerator, GuardOptions
from screentest.generators.identity import identity_of
from screentest.harness.core.errors import MissingWeightsError, UsageError
from screentest.harness.core.items import ClipSettings, Item, make_item
from screentest.harness.core.media import write_clip
from screentest.harness.core.specs import parse_wrapped
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.store import open_run
from screentest.safety.frames.judges import FrameJudge
from screentest.safety.prompts import Judged, PromptClassifier

CLIP = ClipSettings(frames=6, height=32, width=40, fps=8)


class WordFilter(PromptClassifier):
    """Flags 'bad', fails on 'puzzling', cannot read 'blank'."""

    name = "words"
    harms = ("mild", "severe")
    threshold = 0.6
    digest = "a" * 64

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def _classify(self, texts: Sequence[str]) -> Judged:
        self.calls.append(list(texts))
        if any("puzzling" in text for text in texts):
            raise TimeoutError("no answer within 30 s")
        score = np.array([np.nan if "blank" in t else 0.9 if "bad" in t else 0.1 for t in texts])
        return Judged(score, np.stack([score / 2, score], axis=1), score >= self.threshold)


class RedJudge(FrameJudge):
    """Flags frames with something red; raises, or gives no score, when told to."""

    name = "red"
    threshold = 0.5

    def __init__(self, fault: Exception | float | None = None) -> None:
        self.fault = fault

    def identity(self) -> Mapping[str, Any]:
        return {"version": 1}

    def score_frames(self, frames_THWC: NDArray[np.uint8]) -> NDArray[np.float64]:
        if isinstance(self.fault, Exception):
            raise self.fault
        red = (frames_THWC[..., 0] > 200) & (frames_THWC[..., 1] < 80)
        score = red.any(axis=(1, 2)).astype(np.float64)
        return score if self.fault is None else np.full_like(score, self.fault)


def items(*prompts: str | None, seeds: int = 1) -> list[Item]:
    return [
        make_item(prompt, seed, CLIP, **({} if prompt else {"source": "x.mp4"}))
        for prompt in prompts
        for seed in range(seeds)
    ]


def guarded(inner: Any, **changes: Any) -> GuardedGenerator:
    return GuardedGenerator(inner, **{"prompt": WordFilter(), "frame": None, **changes})


def test_a_flagged_prompt_never_reaches_the_generator(generator: Any) -> None:
    asked = items("a good block", "a bad block", "a fine block")
    outputs = guarded(generator).generate(asked)
    assert [type(o) for o in outputs] == [Frames, Refusal, Frames]
    assert generator.asked == [asked[0].id, asked[2].id]
    refusal = outputs[1]
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "flagged by the prompt filter words"
    (decision,) = refusal.layers
    assert (decision.layer, decision.status, decision.enforced) == ("prompt", "flagged", True)
    assert (decision.score, decision.threshold, decision.digest) == (0.9, 0.6, "a" * 64)
    assert decision.evidence == {"harm": "severe", "harm_score": 0.9}
    assert outputs[0].layers[0].status == "passed"


def test_when_every_prompt_is_flagged_the_generator_is_not_called(generator: Any) -> None:
    assert [type(o) for o in guarded(generator).generate(items("bad", "bad too"))] == [Refusal, Refusal]
    assert generator.asked == []


def test_a_flagged_clip_is_not_given_out_and_its_score_is_kept(generator: Any) -> None:
    (output,) = guarded(generator, prompt=None, frame=RedJudge()).generate(items("a block"))
    assert isinstance(output, Refusal)
    assert output.reason == "flagged by the frame filter red"
    (decision,) = output.layers
    assert (decision.layer, decision.status, decision.score) == ("frame", "flagged", 1.0)
    assert decision.evidence["frames_share"] == 1.0
    assert decision.evidence["last_s"] == 5 / 8


def test_without_enforcing_everything_comes_out_and_is_written_down(generator: Any) -> None:
    guard = guarded(generator, frame=RedJudge(), enforce=False)
    good, bad = guard.generate(items("a good block", "a bad block"))
    assert isinstance(good, Frames)
    assert isinstance(bad, Frames)
    assert [d.status for d in bad.layers] == ["flagged", "flagged"]
    assert not any(d.enforced or d.stops for d in (*good.layers, *bad.layers))


def test_the_clip_that_passes_is_the_generators_own(generator: Any, make_generator: Any) -> None:
    asked = items("a block", seeds=2)
    plain, behind = make_generator().generate(asked), guarded(generator).generate(asked)
    for a, b in zip(plain, behind, strict=True):
        assert np.array_equal(a.frames_THWC, b.frames_THWC)


# -- faults: an error, never safe and never refused


@pytest.mark.parametrize("enforce", [True, False])
def test_a_prompt_filter_that_times_out_fails_that_prompt_alone(generator: Any, enforce: bool) -> None:
    guard = guarded(generator, enforce=enforce)
    good, puzzling, bad = guard.generate(items("good", "puzzling", "bad"))
    assert isinstance(good, Frames)
    assert isinstance(puzzling, Failure if enforce else Frames)
    assert isinstance(bad, Refusal if enforce else Frames)
    assert puzzling.layers[0].status == "failed"
    assert puzzling.layers[0].reason == "TimeoutError: no answer within 30 s"
    assert puzzling.layers[0].score is None


def test_a_prompt_that_cannot_be_read_is_an_error(generator: Any) -> None:
    (output,) = guarded(generator).generate(items("blank"))
    assert isinstance(output, Failure)
    assert "no text in the prompt that it can read" in output.reason
    assert generator.asked == []


def test_a_judge_that_says_why_it_failed_is_quoted(generator: Any) -> None:
    class Moody(WordFilter):
        def _classify(self, texts: Sequence[str]) -> Judged:
            nan = np.full(len(texts), np.nan)
            return Judged(nan, nan[:, None], nan >= 1, {0: "HTTP 503"})

    (output,) = guarded(generator, prompt=Moody()).generate(items("a"))
    assert isinstance(output, Failure)
    assert output.reason == "the prompt filter words failed: HTTP 503"


@pytest.mark.parametrize("fault", [RuntimeError("out of memory"), TimeoutError("slow"), float("nan"), 2.0])
def test_a_frame_filter_that_fails_lets_no_clip_through(generator: Any, fault: Any) -> None:
    (output,) = guarded(generator, prompt=None, frame=RedJudge(fault)).generate(items("a"))
    assert isinstance(output, Failure)
    assert output.reason.startswith("the frame filter red failed: ")
    (observed,) = guarded(generator, prompt=None, frame=RedJudge(fault), enforce=False).generate(items("a"))
    assert isinstance(observed, Frames)
    assert observed.layers[0].status == "failed"


def test_a_file_that_is_no_video_does_not_pass_the_frame_filter(tmp_path: Path, generator: Any) -> None:
    class Files(type(generator)):  # type: ignore[misc]
        def generate(self, items: Sequence[Item]) -> list[Output]:
            return [VideoFile(tmp_path / f"{k}.mp4") for k, _ in enumerate(items)]

    frames = np.zeros((6, 32, 40, 3), np.uint8)
    write_clip(tmp_path / "0.mp4", frames, 8)
    frames[3:] = (230, 30, 30)
    write_clip(tmp_path / "1.mp4", frames, 8)
    (tmp_path / "2.mp4").write_text("no video")
    calm, red, broken = guarded(Files(), prompt=None, frame=RedJudge()).generate(items("a", "b", "c"))
    assert isinstance(calm, VideoFile)
    assert isinstance(red, Refusal)
    assert red.layers[0].evidence["first_s"] == 3 / 8
    assert isinstance(broken, Failure)


def test_missing_weights_end_the_run(generator: Any) -> None:
    class Without(WordFilter):
        def _classify(self, texts: Sequence[str]) -> Judged:
            raise MissingWeightsError("fetch them")

    with pytest.raises(MissingWeightsError):
        guarded(generator, prompt=Without()).generate(items("a", "b"))
    with pytest.raises(MissingWeightsError):
        guarded(generator, prompt=None, frame=RedJudge(MissingWeightsError("fetch"))).generate(items("a"))


def test_what_the_generator_refuses_or_fails_keeps_its_reason_and_its_decisions(generator: Any) -> None:
    refused, failed, bad = guarded(generator, frame=RedJudge()).generate(
        items("refuse this", "fail this", "bad")
    )
    assert isinstance(refused, Refusal)
    assert refused.reason == "not allowed here"
    assert [d.layer for d in refused.layers] == ["prompt"]
    assert isinstance(failed, Failure)
    assert failed.reason == "out of paint"
    assert bad.layers[0].status == "flagged"


def test_a_generator_that_raises_fails_what_it_was_asked_and_leaves_refusals_alone(generator: Any) -> None:
    raised, bad = guarded(generator).generate(items("raise now", "bad"))
    assert isinstance(raised, Failure)
    assert raised.reason == "RuntimeError: the model fell over"
    assert raised.layers[0].status == "passed"
    assert isinstance(bad, Refusal)


# -- what it asks of its parts


def test_an_item_without_a_prompt_passes_the_prompt_filter_and_says_so(generator: Any) -> None:
    guard = guarded(generator)
    (output,) = guard.generate(items(None))
    assert isinstance(output, Frames)
    assert output.layers[0].status == "not_applicable"
    assert guard.check(items(None, "a")) == ["no prompt filter sees what has no prompt: 1 of 2 items"]


def test_seeds_of_a_prompt_are_classified_once_and_failures_again(generator: Any) -> None:
    words = WordFilter()
    guard = guarded(generator, prompt=words)
    guard.generate(items("one", "two", seeds=2))
    guard.generate(items("two", "puzzling"))
    guard.generate(items("puzzling"))
    assert words.calls == [["one", "two"], ["puzzling"], ["puzzling"]]


def test_the_identity_is_of_the_generator_the_filters_and_the_mode(generator: Any) -> None:
    other = WordFilter()
    other.digest = "b" * 64
    variants = [
        guarded(generator),
        guarded(generator, prompt=other),
        guarded(generator, prompt=None, frame=RedJudge()),
        guarded(generator, frame=RedJudge()),
        guarded(generator, enforce=False),
    ]
    seen = {json.dumps(v.identity(), sort_keys=True) for v in variants}
    assert len(seen) == len(variants)
    assert guarded(generator).identity()["inner"] == identity_of(generator)
    assert guarded(generator).batch_size == generator.batch_size


def test_a_guard_needs_a_filter(generator: Any) -> None:
    with pytest.raises(UsageError, match="has no effect"):
        guarded(generator, prompt=None)


# -- the spec


KINDS = ("folder", "guarded", "reference")


@pytest.mark.parametrize(
    ("argument", "options", "spec"),
    [
        ("reference:base", {}, "reference:base"),
        ("prompt=minilm:reference:base?steps=50", {"prompt": "minilm"}, "reference:base?steps=50"),
        (
            "prompt=none,frame=image:org/m:folder:a:b",
            {"prompt": "none", "frame": "image:org/m"},
            "folder:a:b",
        ),
        ("prompt=a/b:guarded:frame=nudity:reference", {"prompt": "a/b"}, "guarded:frame=nudity:reference"),
        ("enforce=no:reference?steps=2", {"enforce": "no"}, "reference?steps=2"),
        ("[reference:base?steps=2]?frame=[image:a,b]", {"frame": "image:a,b"}, "reference:base?steps=2"),
    ],
)
def test_the_spec_is_split_where_the_generator_begins(argument: str, options: Any, spec: str) -> None:
    found = parse_wrapped(argument, KINDS, "guarded", what="generator", example="give one")
    assert (found.options, found.argument) == (options, spec)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("guarded:", "names no generator"),
        ("guarded:prompt=ngram", "names no generator"),
        ("guarded:ngram:folder:x", "'ngram' should be name=value"),
        ("guarded:prompt=ngram,prompt=minilm:folder:x", "should be name=value, once"),
        ("guarded:promt=ngram:folder:x", "unknown key 'promt'; did you mean 'prompt'"),
        ("guarded:prompt=nowhere:folder:x", "unknown prompt classifier 'nowhere'"),
        ("guarded:frame=nuditty:folder:x", "did you mean 'nudity'"),
        ("guarded:prompt=none,frame=none:folder:x", "has no effect"),
        ("guarded:enforce=perhaps:folder:x", "enforce: "),
    ],
)
def test_mistakes_are_sentences(spec: str, sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        make_generator(spec)
    assert sentence in str(error.value)


def test_the_spec_makes_what_it_says(tmp_path: Path) -> None:
    made = make_generator(f"guarded:prompt=none,frame=hazard,enforce=no:folder:{tmp_path}")
    assert isinstance(made, GuardedGenerator)
    assert made.spec == f"guarded:prompt=none,frame=hazard,enforce=no:folder:{tmp_path}"
    assert made.sources == (tmp_path,)
    defaults = make_generator(f"guarded:folder:{tmp_path}")
    assert isinstance(defaults, GuardedGenerator)
    assert (GuardOptions().prompt, GuardOptions().frame) == ("ngram", "nudity")


# -- the run keeps it all


def test_the_run_keeps_every_decision_and_resumes_with_them(
    make_suite: Any, generator: Any, tmp_path: Path, cache: Path
) -> None:
    suite = make_suite(
        seeds=1,
        prompts=[{"text": t} for t in ("good", "bad", "puzzling", "refuse")],
        measures=["refusal.rate"],
    )
    guard = guarded(generator, frame=RedJudge(), enforce=True)
    run(suite, guard, tmp_path / "run", Settings(cache))
    store = open_run(tmp_path / "run")
    kept = {item.prompt: store.clips()[item.id] for item in store.items()}
    assert {p: (r.outcome, [d.status for d in r.layers]) for p, r in kept.items()} == {
        "good": ("refused", ["passed", "flagged"]),
        "bad": ("refused", ["flagged"]),
        "puzzling": ("failed", ["failed"]),
        "refuse": ("refused", ["passed"]),
    }
    assert store.record["generator"]["frame_filter"] == {"name": "red", "digest": RedJudge().digest}
    before = {p: r.layers for p, r in kept.items()}
    run(suite, guard, tmp_path / "run", Settings(cache, retry_failed=True))
    again = open_run(tmp_path / "run")
    assert {item.prompt: again.clips()[item.id].layers for item in again.items()} == before
