"""Delivery: each operation gives a readable video, and only a copy keeps the manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from screentest.harness.core.errors import MediaError
from screentest.harness.core.media import decode, open_clip, write_clip
from screentest.safety.provenance.delivery import OPERATIONS, deliver
from screentest.safety.provenance.verify import verify_clip


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_lost_manifest_is_reported_lost(signed: Any, tmp_path: Path, operation: str) -> None:
    made = deliver(operation, signed.path, tmp_path)
    info = decode(open_clip(made), [])
    assert info.frames == (4 if operation == "trim" else 8)
    assert (info.height, info.width) == {"resize": (16, 24), "crop": (28, 44)}.get(operation, (32, 48))
    found = verify_clip(made, signed.anchors)
    assert found.state == ("trusted" if operation == "copy" else "absent")


def test_frames_are_as_before_where_none_is_encoded(signed: Any, tmp_path: Path) -> None:
    before = next(open_clip(signed.path).windows()).frames_THWC
    for operation in ("remux", "container", "trim"):
        after = next(open_clip(deliver(operation, signed.path, tmp_path)).windows()).frames_THWC
        assert np.array_equal(after, before[: len(after)])


def test_odd_sizes_are_cut_to_even_ones(tmp_path: Path) -> None:
    write_clip(tmp_path / "odd.mp4", np.zeros((3, 33, 47, 3), np.uint8), 8)
    info = open_clip(deliver("transcode", tmp_path / "odd.mp4", tmp_path)).info
    assert (info.height, info.width) == (32, 46)


def test_what_cannot_be_done_says_so(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 16), (k * 40, 0, 0)) for k in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    for operation in ("remux", "container", "trim"):
        with pytest.raises(MediaError, match="coded frames of a GIF cannot be put into another file"):
            deliver(operation, tmp_path / "a.gif", tmp_path)
    (tmp_path / "text.mp4").write_text("words")
    with pytest.raises(MediaError):
        deliver("remux", tmp_path / "text.mp4", tmp_path)
