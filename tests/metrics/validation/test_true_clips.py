"""True clips: the world's with captions, and a folder's without the frames that are held."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screentest.harness.core.errors import MediaError, UsageError
from screentest.harness.core.keys import digest
from screentest.harness.core.media import write_clip
from screentest.metrics.validation import true_clips
from screentest.metrics.validation.true_clips import FolderClips, WorldClips, with_others

from ..helpers import noise, pan


def folder_of(path: Path, **clips: Any) -> Path:
    for name, frames in clips.items():
        write_clip(path / f"{name}.mp4", frames, 24.0)
    return path


def test_the_world_gives_clips_with_captions_and_kinds_that_a_seed_fixes() -> None:
    one, two, other = ([*WorldClips(3, seed)] for seed in (0, 0, 1))
    assert len(one) == len(WorldClips(3)) == 3
    assert all(clip.prompt and clip.kind and clip.frames.dtype == np.uint8 for clip in one)
    assert all(np.array_equal(a.frames, b.frames) for a, b in zip(one, two, strict=True))
    assert any(not np.array_equal(a.frames, b.frames) for a, b in zip(one, other, strict=True))
    of_sets = [*WorldClips(3, 0, "sets")]
    assert any(not np.array_equal(a.frames, b.frames) for a, b in zip(one, of_sets, strict=True))


def test_frames_that_are_held_are_taken_once_and_the_rate_is_the_true_one(tmp_path: Path) -> None:
    moving = pan(12, size=64, step=3)
    folder_of(tmp_path, held=np.repeat(moving, 3, axis=0), plain=pan(20, size=65, seed=3))
    held, plain = FolderClips(tmp_path, frames=12)
    assert len(held.frames) == len(plain.frames) == 12
    assert held.fps == pytest.approx(24 * 12 / 34)  # the last frame is read at its first showing
    assert np.abs(held.frames.astype(int) - moving).max() <= 3
    assert plain.fps == 24.0
    assert plain.frames.shape == (12, 64, 64, 3)  # of even size
    assert held.prompt is None


def test_copies_and_stills_are_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    still = np.repeat(pan(1), 12, axis=0)
    long = pan(20)
    folder_of(tmp_path, a=long[:12], b=long, c=still, d=noise(12))
    clips = FolderClips(tmp_path, frames=10)
    assert [clip.name for clip in clips] == [clip.name for clip in clips] == ["a.mp4", "d.mp4"]
    told = capsys.readouterr().err
    assert "b.mp4 begins as a.mp4 does" in told
    assert "c.mp4 has fewer than 8 frames that differ" in told
    assert told.count("warning: left out") == 2


def test_what_is_left_out_is_not_counted(tmp_path: Path) -> None:
    long = pan(20)
    for name in ("all", "used"):
        (tmp_path / name).mkdir()
    folder_of(tmp_path / "all", a=long[:12], b=long, c=np.repeat(pan(1), 12, axis=0), d=noise(12))
    folder_of(tmp_path / "used", a=long[:12], d=noise(12))
    clips, used = (FolderClips(tmp_path / name, frames=10) for name in ("all", "used"))
    assert len(clips) == clips.identity()["n"] == 2
    assert clips.identity() == {**used.identity(), "left_out": 2}


def test_a_folder_of_one_video_and_its_copy_is_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, a=pan(12), b=pan(12))
    with pytest.raises(
        UsageError, match="has 1 video that can be read, without copies and stills; at least 2"
    ):
        FolderClips(tmp_path)


def test_the_identity_is_of_the_files_that_are_used(tmp_path: Path) -> None:
    """The identity on packaged cards must stay what it is: of the sorted digests of the files."""
    folder_of(tmp_path, a=pan(12), b=noise(12))
    files = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.iterdir())
    expected = digest("validation clips", {"files": [*files]})[:16]
    assert FolderClips(tmp_path, frames=10).identity() == {"files": expected, "n": 2, "frames": 10}


def test_a_video_that_breaks_off_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path, a=pan(12), b=noise(12), c=noise(12, seed=1))
    whole = true_clips._distinct

    def broken(clip: Any, most: int) -> Any:
        if clip.path.name == "b.mp4":
            raise MediaError(f"{clip.path.name} breaks off")
        return whole(clip, most)

    monkeypatch.setattr(true_clips, "_distinct", broken)
    assert len(FolderClips(tmp_path)) == 2
    assert "left out: b.mp4 breaks off" in capsys.readouterr().err


def test_a_part_of_a_folder_is_spread_over_it(tmp_path: Path) -> None:
    folder_of(tmp_path, **{name: noise(9, 32, seed=k) for k, name in enumerate("abcdef")})
    assert [clip.name for clip in FolderClips(tmp_path, most=3)] == ["a.mp4", "c.mp4", "e.mp4"]


def test_a_part_of_a_folder_is_chosen_from_what_is_no_copy(tmp_path: Path) -> None:
    seeds = {"a": 0, "b": 0, "c": 0, "d": 1, "e": 2, "f": 3}
    folder_of(tmp_path, **{name: noise(9, 32, seed=seed) for name, seed in seeds.items()})
    for most, names in ((2, ["a.mp4", "e.mp4"]), (4, ["a.mp4", "d.mp4", "e.mp4", "f.mp4"])):
        clips = FolderClips(tmp_path, most=most)
        assert [clip.name for clip in clips] == names
        assert clips.identity()["left_out"] == 2


def test_every_clip_has_another_beside_it_of_its_size(tmp_path: Path) -> None:
    folder_of(tmp_path, a=noise(9, 32), b=noise(9, 48), c=noise(9, 32, seed=1))
    pairs = [*with_others(FolderClips(tmp_path))]
    assert [(clip.name, other.name) for clip, other in pairs] == [
        ("a.mp4", "b.mp4"),
        ("b.mp4", "a.mp4"),
        ("c.mp4", "b.mp4"),
    ]
    assert all(clip.frames.shape[1:] == other.frames.shape[1:] for clip, other in pairs)


def test_folders_without_videos_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no video")
    with pytest.raises(UsageError, match="has 0 videos that can be read"):
        FolderClips(tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        FolderClips(tmp_path / "nowhere")
