"""Clips beside what they start from: fidelity, seams and what an edit leaves, where each is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.media import Window, write_clip
from screentest.metrics import MEASURES, Sample, Scored, make_encoder
from screentest.metrics.base import NotApplicable

from ..helpers import info_of, pan, texture

Frames = NDArray[np.uint8]
LONG = pan(36)


def value(name: str, frames: Frames, **start: Any) -> float:
    """Take a measure on a clip of an item that starts so; the clip comes in two windows."""
    item = make_item("it goes on", 0, ClipSettings(), **start)
    stream = make_encoder("start").for_item(item).open(info_of(frames))
    stream.push(Window(frames[:3], np.arange(3) / 8, 0))
    stream.push(Window(frames[3:], np.arange(3, len(frames)) / 8, 3))
    function = MEASURES.get(name).function
    assert function is not None
    found = function(Sample(item, "ok", info_of(frames), {"start": stream.finish()}))
    return found.value if isinstance(found, Scored) else found


@pytest.fixture
def video(tmp_path: Path) -> tuple[str, Frames]:
    """A pan of 12 frames, on disk and in memory."""
    frames = LONG[:12]
    write_clip(tmp_path / "pan.mp4", frames, 8.0)
    return str(tmp_path / "pan.mp4"), frames


def test_the_first_frame_is_held_to_the_image(tmp_path: Path):
    frames = pan(8)
    Image.fromarray(frames[0]).save(tmp_path / "start.png")
    image = str(tmp_path / "start.png")
    assert value("start.fidelity", frames, image=image) == 60.0
    off = frames.copy()
    off[0] = np.clip(frames[0].astype(int) + 10, 0, 255).astype(np.uint8)
    assert 25 < value("start.fidelity", off, image=image) < 32
    assert value("start.fidelity", frames[::-1].copy(), image=image) < 25
    with pytest.raises(NotApplicable, match="no seam in time"):
        value("start.seam", frames, image=image)


def test_a_continuation_has_no_seam_and_a_jump_has_one(video: tuple[str, Frames]):
    path, _ = video
    more = LONG[:24]
    assert value("start.fidelity", more[6:], video=path) > 45  # repeats half of the video
    assert value("start.seam", more[6:], video=path) == pytest.approx(1, abs=0.2)
    jump = np.concatenate([more[6:12], np.repeat(texture(64, 64, seed=9)[None], 6, axis=0)])
    assert value("start.seam", jump, video=path) > 3
    new = more[12:]  # new frames alone: the seam is between the files
    assert value("start.seam", new, video=path) < 1.5
    far = np.repeat(texture(64, 64, seed=9)[None], 6, axis=0)
    assert value("start.seam", far, video=path) > 10


def test_extending_back_looks_at_the_beginning(video: tuple[str, Frames]):
    path, _ = video
    more = LONG[:24]
    write = more[12:]
    write_clip(Path(path), write, 8.0)
    assert value("start.seam", more[6:18], video=path, use="extend-back") == pytest.approx(1, abs=0.2)
    jump = np.concatenate([np.repeat(texture(64, 64, seed=9)[None], 6, axis=0), write[:6]])
    assert value("start.seam", jump, video=path, use="extend-back") > 3


def test_a_connection_has_the_worse_of_two_seams(video: tuple[str, Frames], tmp_path: Path):
    path, _ = video
    more = LONG
    write_clip(tmp_path / "end.mp4", more[24:], 8.0)
    ends = {"video": path, "video_to": str(tmp_path / "end.mp4"), "use": "connect"}
    assert value("start.seam", more[8:28], **ends) == pytest.approx(1, abs=0.3)
    bad = more[8:28].copy()
    bad[10:16] = texture(64, 64, seed=9)
    assert value("start.seam", bad, **ends) > 1.5


def test_an_edit_leaves_what_it_does_not_touch(video: tuple[str, Frames]):
    path, frames = video
    assert value("edit.kept", frames, video=path, use="edit") > 0.999
    edited = frames.copy()
    edited[:, :32, :32] = 255 - frames[:, :32, :32] // 2 * 2
    assert value("edit.kept", edited, video=path, use="edit") == pytest.approx(0.75, abs=0.05)
    with pytest.raises(NotApplicable, match="longer than the video"):
        value("edit.kept", np.concatenate([frames, frames]), video=path, use="edit")
    with pytest.raises(NotApplicable, match="no first frame"):
        value("start.fidelity", frames, video=path, use="edit")


def test_text_alone_is_not_applicable():
    with pytest.raises(NotApplicable, match="its prompt alone"):
        value("start.fidelity", pan(8))


def test_the_files_are_part_of_the_identity(video: tuple[str, Frames]):
    path, frames = video
    encoder = make_encoder("start")
    item = make_item("x", 0, ClipSettings(), video=path)
    before = encoder.for_item(item).digest
    write_clip(Path(path), frames[:6], 8.0)
    assert encoder.for_item(item).digest != before
    assert encoder.for_item(make_item("x", 0, ClipSettings(), video=path, use="edit")).digest != before
