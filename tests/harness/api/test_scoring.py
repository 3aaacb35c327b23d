"""Scores of videos that a program holds are those that a run of the same files gives, to the last bit."""

from __future__ import annotations

import csv
import doctest
import gc

import numpy as np
import pytest
import screentest as st
import torch
from screentest.harness.api import scoring
from screentest.harness.commands.main import run_cli
from screentest.harness.core.media import write_clip

PROMPTS = ["a red ball falls", "a blue square moves left", "a red ball falls", "a green ball rises"]
MEASURES = ["motion.flicker", "alignment.clip", "fidelity.kvd", "refusal.rate"]
ENCODERS = {"clip": "reference", "video": "reference"}


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    rng = np.random.default_rng(7)
    rough = rng.integers(0, 256, (4, 16, 8, 8, 3), dtype=np.uint8)
    return rough.repeat(8, axis=2).repeat(8, axis=3)


def test_the_examples_hold(monkeypatch):
    monkeypatch.delenv("SCREENTEST_CACHE", raising=False)
    found = doctest.testmod(scoring)
    assert found.attempted > 2
    assert found.failed == 0


@pytest.fixture(scope="module")
def folder(frames, tmp_path_factory):
    """Lay the clips into a folder with a manifest, as a user of the command line has them."""
    place = tmp_path_factory.mktemp("clips")
    seeds: dict[str, int] = {}
    with (place / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "prompt", "seed"])
        for number, (clip, prompt) in enumerate(zip(frames, PROMPTS, strict=True)):
            write_clip(place / f"{number}.mp4", clip, 8.0)
            seeds[prompt] = seeds.get(prompt, -1) + 1
            rows.writerow([f"{number}.mp4", prompt, seeds[prompt]])
    return place


def test_scores_are_those_of_the_command_line_to_the_last_bit(frames, folder, tmp_path):
    words = ["run", "--suite", "videos", "--generator", f"folder:{folder}", "--out", str(tmp_path / "cli")]
    words += ["--measures", ",".join(MEASURES), "--reference-set", str(folder), "--tracking-uri", "none"]
    words += ["--encoder", "clip=reference", "--encoder", "video=reference"]
    assert run_cli([*words, "--cache", str(tmp_path / "a")]) == 0
    run = st.open_run(tmp_path / "cli")
    options = {"measures": MEASURES, "encoders": ENCODERS, "reference_set": folder, "cache": tmp_path / "b"}
    tensor = torch.from_numpy(frames).permute(0, 1, 4, 2, 3)
    held = st.score(tensor, PROMPTS, **options)
    files = st.score([folder / f"{n}.mp4" for n in range(4)], PROMPTS, **options)
    assert run["fidelity.kvd"].value is not None
    for scores in (held, files):
        assert scores.aggregates().aggregates == run.aggregates().aggregates
        ours, theirs = scores.frame(), run.frame()
        for column in ("item", "cluster", "seed", "measure", "status", "value", "reason", "evidence"):
            assert list(ours[column].dropna()) == list(theirs[column].dropna()), column
    compared = st.compare(run, held)
    assert {d.difference for d in compared.document.differences if d.kind != "set"} == {0.0}


def test_videos_without_prompts_are_clusters_of_their_own(frames):
    scores = st.score(list(frames), measures="motion.flicker")
    assert (scores["motion.flicker"].n, scores["motion.flicker"].clusters) == (4, 4)
    twice = st.score([frames[0], frames[0]], measures="motion.flicker")
    assert (twice["motion.flicker"].n, twice["motion.flicker"].clusters) == (2, 2)


def test_prompts_carry_labels_and_what_is_expected(frames):
    prompts = [{"text": prompt, "tags": ["warm"] if "red" in prompt else []} for prompt in PROMPTS]
    scores = st.score(frames, prompts, measures="motion.flicker")
    assert scores.aggregates().get("motion.flicker", "warm").n == 2


def test_files_that_are_no_video_are_failed_scores_and_not_zero(frames, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    scores = st.score([tmp_path / "broken.mp4", frames[0]], measures=["motion.flicker"])
    flicker = scores["motion.flicker"]
    assert (flicker.n, flicker.left_out["failed"]) == (1, 1)


def test_a_temporary_run_goes_with_its_result(frames, tmp_path):
    scores = st.score(frames[0], measures="motion.flicker")
    path = scores.path
    assert path.is_dir()
    del scores
    gc.collect()
    assert not path.exists()
    kept = st.score(frames[0], measures="motion.flicker", out=tmp_path / "kept", name="mine")
    assert kept.path.is_dir()
    assert kept.name == "mine"


@pytest.mark.parametrize(
    ("given", "options", "told"),
    [
        (4, {"prompts": ["a", "b"]}, "4 videos and 2 prompts were given"),
        (4, {"prompts": "a"}, "4 videos and 1 prompt were given"),
        (1, {"prompts": 3}, "prompts is a int"),
        (1, {"prompts": [3]}, "prompt 0 is a int"),
        (1, {"prompts": [{"texts": "a"}]}, "prompt 0: .*text"),
        (1, {"prompts": [" "]}, "prompt 0: .*blank"),
        (4, {"measures": ["alignment.clip"], "encoders": ENCODERS}, "alignment.clip compares a video with"),
        (1, {"measures": ["alignment.clip"], "prompts": ["a"]}, "needs the encoder 'clip'"),
        (1, {"measures": ["motion.flickr"]}, "did you mean 'motion.flicker'"),
        (1, {"measures": ["motion.flicker"], "fps": 0}, "fps is 0 and should be a number from"),
        (1, {"measures": ["motion.flicker"], "fps": "8"}, "fps is '8' and should be a number"),
        (1, {"limit": 3}, "unknown option 'limit'"),
        (1, {"measures": ["fidelity.kvd"], "encoders": ENCODERS}, "compares with a reference set"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence(frames, given, options, told):
    with pytest.raises(st.UsageError, match=told) as caught:
        st.score(frames[:given], **options)
    assert "\n" not in str(caught.value)
