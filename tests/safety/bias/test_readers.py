"""Readers of people: the feature's row, what each calls undetermined, and nobody, which is no class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from screentest.generators.worlds.plane import NATIVE_CLIP, render, sample_scene
from screentest.generators.worlds.plane.words import PRESENTATIONS, TONES
from screentest.harness.core.errors import UsageError
from screentest.harness.core.keys import seeded_rng
from screentest.metrics.encoders.base import EncoderOptions, Incomplete
from screentest.safety.bias.face_reader import Face, FaceReader, reading_of_faces, skin_of
from screentest.safety.bias.glyph_reader import reading_of
from screentest.safety.bias.judge_reader import PERSON, QUESTIONS, JudgeReader, reading_of_answers
from screentest.safety.bias.reading import (
    REASONS,
    PeopleEncoder,
    PersonReading,
    make_reader,
    nobody,
)
from screentest.safety.bias.tone import MONK_SWATCHES
from screentest.safety.bias.zero_shot_reader import reading_of_probabilities
from screentest.safety.frames.nudenet_detector import Detection


@pytest.mark.parametrize(
    "reading",
    [
        PersonReading(True, "feminine", "dark", 9, -78.25, 0.5, 0.25),
        PersonReading(True, None, "light", 1, 83.0, why=("", REASONS[3], "")),
        PersonReading(True, "masculine", None, why=("", "", REASONS[5])),
        nobody(REASONS[2], 0.125),
    ],
)
def test_a_row_gives_the_reading_back(reading: PersonReading) -> None:
    assert PersonReading.of(reading.row()) == reading


def test_unknown_readers_and_missing_sources_are_sentences() -> None:
    with pytest.raises(UsageError, match="nudenet"):
        make_reader("nudnet")
    with pytest.raises(UsageError, match="should be clip:SOURCE"):
        make_reader("clip")
    with pytest.raises(UsageError, match="should be nudenet"):
        make_reader("nudenet:large")
    with pytest.raises(ValueError, match="has the shape"):
        PersonReading.of(np.zeros((2, 10)))


def test_readers_have_digests_of_their_own() -> None:
    digests = {
        PeopleEncoder(spec, EncoderOptions()).digest for spec in ("reference", "nudenet", "clip:reference")
    }
    assert len(digests) == 3


# -- glyphs of the world


def test_glyphs_are_read_and_a_picture_without_one_is_nobody() -> None:
    for index, (presentation, tone) in enumerate((p, t) for p in PRESENTATIONS for t in TONES):
        rng = seeded_rng("glyphs", index)
        scene = sample_scene(rng, family="person", presentation=presentation, tone=tone)
        seen = reading_of(render(scene, NATIVE_CLIP)[0])
        assert (seen.person, seen.presentation, seen.tone) == (True, presentation, tone)
        assert seen.monk is not None
    empty = reading_of(render(sample_scene(seeded_rng("glyphs"), family="biscuit"), NATIVE_CLIP)[0])
    assert not empty.person
    assert empty.why[0] == REASONS[1]


# -- faces


def face(presentation: str = "feminine", score: float = 0.8, side: float = 80.0, **light: float) -> Face:
    return Face(presentation, score, side, light.get("lightness", 60.0), light.get("b", 20.0))


def test_two_thirds_of_the_scores_decide_and_less_is_undetermined() -> None:
    assert reading_of_faces([face(), face(), face("masculine")]).presentation == "feminine"
    split = reading_of_faces([face(), face("masculine")])
    assert (split.person, split.presentation, split.why[1]) == (True, None, REASONS[3])


@pytest.mark.parametrize("faces", [[], [None, None], [face(), *[None] * 7]])
def test_no_face_or_one_in_a_few_frames_is_nobody_and_no_class(faces: Sequence[Face | None]) -> None:
    seen = reading_of_faces(faces)
    assert (seen.person, seen.presentation, seen.tone) == (False, None, None)
    assert seen.why == (REASONS[2],) * 3


@pytest.mark.parametrize(
    ("faces", "why"),
    [
        ([face(side=20.0)], REASONS[5]),
        ([face(lightness=4.0)], REASONS[6]),
        ([face(lightness=99.0)], REASONS[6]),
        ([face(b=-12.0), face(b=-1.0)], REASONS[11]),
        (
            [face(lightness=30.0), face(lightness=80.0), face(lightness=30.0), face(lightness=80.0)],
            REASONS[3],
        ),
    ],
)
def test_a_tone_that_light_or_size_hides_is_undetermined(faces: list[Face], why: str) -> None:
    seen = reading_of_faces(faces)
    assert (seen.person, seen.tone, seen.monk, seen.why[2]) == (True, None, None, why)


def test_tones_come_from_the_middle_of_the_box_in_rgb() -> None:
    """Painted faces of all ten swatches, hair around them: each has its own number."""
    for number, rgb in enumerate(MONK_SWATCHES, start=1):
        frame = np.full((120, 160, 3), 40, np.uint8)
        frame[30:90, 50:110] = rgb
        lightness, b = skin_of(frame, (40.0, 20.0, 80.0, 80.0))
        assert reading_of_faces([face(lightness=lightness, b=b)]).monk == number


def test_the_largest_face_of_a_frame_counts() -> None:
    reader = FaceReader()
    found = [Detection("FACE_MALE", 0.5, 0.3, (4.0, 4.0, 40.0, 40.0)), Detection("FACE_FEMALE", 0.9, 0.1)]
    found.append(Detection("FACE_FEMALE", 0.3, 0.9, (0.0, 0.0, 60.0, 60.0)))  # under the least score
    reader.__dict__["_nudity"] = SimpleNamespace(detector=SimpleNamespace(detect=lambda _: found))
    stream = reader.open()
    frames = np.full((4, 64, 64, 3), (130, 92, 67), np.uint8)
    window: Any = SimpleNamespace(frames_THWC=frames, times_T=np.arange(4) / 8)
    stream.push(window)
    seen = stream.finish()
    assert (seen.presentation, seen.monk, seen.share, seen.several) == ("masculine", 7, 1.0, 1.0)


# -- zero-shot and judge


def test_zero_shot_leaves_what_is_not_likely_undetermined() -> None:
    sure = reading_of_probabilities(np.array([[0.9, 0.05, 0.05], [0.8, 0.1, 0.1]]))
    assert (sure.person, sure.presentation, sure.tone) == (True, "feminine", None)
    torn = reading_of_probabilities(np.array([[0.5, 0.4, 0.1]]))
    assert (torn.person, torn.presentation, torn.why[1]) == (True, None, REASONS[10])
    assert not reading_of_probabilities(np.array([[0.2, 0.2, 0.6]])).person


def test_zero_shot_runs_on_the_shipped_model() -> None:
    reader: Any = make_reader("clip:reference")
    p_TC = reader.probabilities(np.zeros((2, 64, 64, 3), np.uint8))
    assert p_TC.shape == (2, 3)
    assert p_TC.sum(axis=1) == pytest.approx(1)


def test_a_judge_that_says_both_or_neither_is_undetermined_and_a_silent_one_has_failed() -> None:
    no = dict.fromkeys(QUESTIONS, False)
    seen = reading_of_answers(True, {**no, "masculine": True, "dark": True})
    assert (seen.presentation, seen.tone) == ("masculine", "dark")
    both = reading_of_answers(True, {**no, "masculine": True, "feminine": True})
    assert (both.presentation, both.tone, both.why[1:]) == (None, None, (REASONS[9],) * 2)
    assert not reading_of_answers(False, {}).person
    assert reading_of_answers(None, {}).why[0] == REASONS[8]
    assert reading_of_answers(True, {**no, "dark": None}).why[0] == REASONS[8]


def test_the_judge_is_asked_and_a_missing_answer_is_asked_again(tmp_path: Path) -> None:
    settings = tmp_path / "judge.yaml"
    settings.write_text("{model: m, base_url: http://127.0.0.1:9/v1, key_env: null, repeats: 3}")
    reader = JudgeReader(str(settings), EncoderOptions())
    replies = {
        PERSON: (True, True, False),
        QUESTIONS["feminine"]: (True, True, True),
        QUESTIONS["dark"]: (True,) * 3,
    }

    def answer(_: object, question: Any) -> Any:
        votes = replies.get(question.asked.ask, (False,) * 3)
        return SimpleNamespace(answer=votes[question.repeat])

    reader.judge.answers.get_or_ask = answer  # type: ignore[method-assign]
    window: Any = SimpleNamespace(frames_THWC=np.zeros((4, 64, 64, 3), np.uint8), times_T=np.arange(4) / 8)
    stream = reader.open()
    stream.push(window)
    seen = stream.finish()
    assert (seen.person, seen.presentation, seen.tone) == (True, "feminine", "dark")
    replies[PERSON] = (True, None, True)  # type: ignore[assignment]
    encoder = PeopleEncoder("reference", EncoderOptions())
    encoder.reader = reader
    info: Any = None
    waiting = encoder.open(info)
    waiting.push(window)
    with pytest.raises(Incomplete):
        waiting.finish()
