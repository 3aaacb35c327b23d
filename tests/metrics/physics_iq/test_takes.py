"""Which files belong together, and how they are paced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.errors import MediaError, UsageError
from screentest.harness.core.media import open_clip, write_clip
from screentest.metrics.physics_iq.takes import Shot, find_shots, frames_needed, paced_frames


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


def names(shot: Shot) -> tuple[str | None, ...]:
    paths = (shot.take1, shot.take2, shot.generated)
    return tuple(path.name if path else None for path in paths)


# -- names


def test_plain_names_and_several_cameras(tmp_path):
    takes = touch(tmp_path / "t", "ball_take-1.mp4", "ball_take-2.mov", "a_b_view-top_take-1.mp4", "x.txt")
    made = touch(tmp_path / "g", "ball.webm", "a_b_view-top.mp4", ".hidden.mp4")
    first, second = find_shots(takes, made)
    assert (first.scenario, first.view, second.scenario) == ("a_b", "view-top", "ball")
    assert names(first) == ("a_b_view-top_take-1.mp4", None, "a_b_view-top.mp4")
    assert first.missing() == "no file for take 2"
    assert names(second) == ("ball_take-1.mp4", "ball_take-2.mov", "ball.webm")
    assert second.missing() == ""


def test_the_names_of_the_benchmark(tmp_path):
    scene = "trimmed-ball-and-block-fall"
    takes = touch(
        tmp_path / "t",
        f"0001_testing-videos_30FPS_perspective-left_take-1_{scene}.mp4",
        f"0199_testing-videos_30FPS_perspective-left_take-2_{scene}.mp4",
    )
    made = touch(tmp_path / "g", f"0001_perspective-left_{scene}.mp4")
    (shot,) = find_shots(takes, made)
    assert (shot.scenario, shot.view, shot.missing()) == (scene, "perspective-left", "")


def test_a_generated_clip_without_takes_is_a_shot_that_lacks_them(tmp_path):
    takes = touch(tmp_path / "t", "ball_take-1.mp4", "ball_take-2.mp4")
    _, other = find_shots(takes, touch(tmp_path / "g", "cup.mp4"))
    assert other.missing() == "no file for take 1 and take 2"


def test_takes_and_generated_clips_may_share_a_folder(tmp_path):
    folder = touch(tmp_path / "t", "ball_take-1.mp4", "ball_take-2.mp4", "cup_take-1.mp4")
    with pytest.raises(UsageError, match="does not say which take"):
        find_shots(touch(folder, "ball.mp4"), folder)
    (folder / "ball.mp4").unlink()
    with pytest.raises(UsageError, match="named as a real take"):
        find_shots(folder, touch(tmp_path / "g", "ball_take-2.mp4"))


@pytest.mark.parametrize(
    ("there", "sentence"),
    [
        (("ball.mp4",), "does not say which take it is; name it"),
        (("take-1.mp4",), "does not say which scenario"),
        (("a_take-1_take-2.mp4",), "does not say which scenario"),
        (("a_take-1.mp4", "0001_a_take-1.mp4"), "are both take 1 of a; keep one"),
        ((), "there is no video in"),
    ],
)
def test_names_that_say_too_little_or_too_much_are_sentences(tmp_path, there, sentence):
    with pytest.raises(UsageError, match=sentence):
        find_shots(touch(tmp_path / "t", *there), touch(tmp_path / "g"))
    with pytest.raises(UsageError, match="is not a folder of videos"):
        find_shots(tmp_path / "nowhere", tmp_path)


# -- manifests


def manifest(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "shots.csv"
    path.write_text(text)
    return path


def test_a_manifest_names_files_as_they_are(tmp_path):
    takes = touch(tmp_path / "t", "a.mp4", "b.mp4")
    made = touch(tmp_path / "g", "c.mp4")
    rows = "scenario,view,take1,take2,generated\nfall,top,a.mp4,b.mp4,c.mp4\nfall,left,a.mp4,,gone.mp4\n"
    left, top = find_shots(takes, made, manifest(tmp_path, rows))
    assert (names(top), top.missing()) == (("a.mp4", "b.mp4", "c.mp4"), "")
    assert left.missing() == f"no file for take 2; the generated clip, {made / 'gone.mp4'}, is missing"


def test_what_cannot_be_read_as_a_video_is_named_in_its_role(tmp_path):
    takes = touch(tmp_path / "t", "ball_take-1.mp4")
    (takes / "ball_take-2.mp4").symlink_to(tmp_path / "gone.mp4")
    made = touch(tmp_path / "g")
    (made / "ball.mp4").mkdir()
    (shot,) = find_shots(takes, made)
    assert shot.missing() == (
        f"take 2, {takes / 'ball_take-2.mp4'}, is a link to a file that is not there; "
        f"the generated clip, {made / 'ball.mp4'}, is a folder"
    )
    with pytest.raises(UsageError, match="are both take 2 of ball"):
        find_shots(touch(takes, "ball_take-2.mov"), made)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("scenario,take1,take2\n", "lacks the column 'generated'"),
        ("scenario,take1,take2,generated,fps\n", "unknown column 'fps'"),
        ("scenario,take1,take2,generated\n", "lists no scenario"),
        ("scenario,take1,take2,generated\nx,a\n", "line 2, should have 4 cells"),
        ("scenario,take1,take2,generated\n,a,b,c\n", "line 2, names no scenario"),
        ("scenario,take1,take2,generated\nx,a,b,c\nx,a,b,c\n", "line 3, is the second one for x"),
        ("scenario,take1,take2,generated\nx,../a,b,c\n", "line 2: .* leads out of"),
        ("scenario,take1,take2,generated\nx,/etc/passwd,b,c\n", "line 2: .* leads out of"),
    ],
)
def test_manifests_that_are_wrong_are_sentences(tmp_path, text, sentence):
    folder = touch(tmp_path / "t")
    with pytest.raises(UsageError, match=sentence):
        find_shots(folder, folder, manifest(tmp_path, text))
    with pytest.raises(UsageError, match="cannot be read"):
        find_shots(folder, folder, tmp_path / "none.csv")


# -- pace


def ramp(path: Path, frames: int, fps: float) -> Path:
    """A clip whose frame t is grey 2 t all over."""
    clip = np.repeat(np.arange(frames, dtype=np.uint8) * 2, 16 * 16 * 3).reshape(frames, 16, 16, 3)
    write_clip(path, clip, fps)
    return path


def levels(path: Path, fps: float, seconds: float) -> list[float]:
    clip = open_clip(path)
    return [float(frame.mean()) / 2 for frame in paced_frames(clip, "the clip", fps, seconds)]


def test_at_its_own_rate_a_clip_is_cut_and_otherwise_as_it_is(tmp_path):
    path = ramp(tmp_path / "a.mp4", 100, 25)
    assert levels(path, 25, 2) == pytest.approx(range(50), abs=0.51)
    assert len(levels(path, 25.04, 2)) == 50  # one rate, by SAME_RATE


@pytest.mark.parametrize("rate", [8, 12, 24, 25, 50, 60])
def test_another_rate_is_reached_by_mixing_neighbours_from_end_to_end(tmp_path, rate):
    path = ramp(tmp_path / "a.mp4", 62, 30)
    found = levels(path, rate, 2)
    assert found == pytest.approx(np.linspace(0, 59, 2 * rate), abs=0.8)  # YUV and back: a level or two


def test_one_frame_a_second_takes_the_first(tmp_path):
    assert levels(ramp(tmp_path / "a.mp4", 40, 30), 1, 1) == pytest.approx([0], abs=0.5)


@pytest.mark.parametrize(("fps", "seconds", "count"), [(30000 / 1001, 5, 149), (24, 5, 120), (10, 0.3, 3)])
def test_frames_needed(fps, seconds, count):
    assert frames_needed(fps, seconds) == count


def test_a_clip_that_is_too_short_is_a_sentence(tmp_path):
    path = ramp(tmp_path / "a.mp4", 30, 30)
    with pytest.raises(MediaError, match="the clip has 30 of the 60 frames that 2 s take at 30"):
        levels(path, 30, 2)
    with pytest.raises(MediaError, match="has 30 of the 60 frames"):
        levels(path, 24, 2)


def test_uneven_frames_are_a_sentence(tmp_path):
    import av

    path = tmp_path / "uneven.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width = stream.height = 16
        stream.pix_fmt = "yuv420p"
        for stamp in (0, 1, 2, 5, 6, 7, 8, 9, 10, 11):
            frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), 9, np.uint8), format="rgb24")
            frame.pts = stamp
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(MediaError, match="does not run at the"):
        levels(path, open_clip(path).info.fps, 1)
