from __future__ import annotations

from pathlib import Path

import av
import pytest
from screentest.harness.core.errors import MediaError
from screentest.harness.core.media import write_clip
from screentest.harness.core.previews import preview_mp4

from .clips import moving_disc, psnr, read


@pytest.mark.parametrize(
    ("size", "shown"),
    [((64, 64), (192, 192)), ((33, 21), (330, 210)), ((50, 300), (50, 300)), ((480, 853), (270, 480))],
)
def test_a_preview_has_a_size_that_browsers_show(
    tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    write_clip(tmp_path / "a.mp4", moving_disc(4, *size), 8.0)
    (tmp_path / "p.mp4").write_bytes(preview_mp4(tmp_path / "a.mp4"))
    frames, _, info = read(tmp_path / "p.mp4")
    assert frames.shape == (4, *shown, 3)
    assert info.fps == pytest.approx(8.0)
    with av.open(str(tmp_path / "p.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.pix_fmt, stream.profile) == ("yuv420p", "Constrained Baseline")
    head = (tmp_path / "p.mp4").read_bytes()
    assert head.index(b"moov") < head.index(b"mdat")


def test_a_preview_ends_after_its_seconds_and_odd_sizes_become_even(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", moving_disc(9, 201, 205), 2.0)
    (tmp_path / "p.mp4").write_bytes(preview_mp4(tmp_path / "a.mp4", max_seconds=2))
    assert read(tmp_path / "p.mp4")[0].shape == (4, 202, 206, 3)


def test_a_preview_shows_the_clip(tmp_path: Path) -> None:
    frames = moving_disc(4)
    write_clip(tmp_path / "a.mp4", frames, 8.0)
    (tmp_path / "p.mp4").write_bytes(preview_mp4(tmp_path / "a.mp4"))
    enlarged = frames.repeat(3, axis=1).repeat(3, axis=2)
    assert psnr(read(tmp_path / "p.mp4")[0], enlarged) > 25


def test_a_preview_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clip(tmp_path / "a.mp4", moving_disc(4), 8.0)

    def refuse(*_: object) -> None:
        raise OverflowError("Python int too large to convert to C int")

    monkeypatch.setattr("screentest.harness.core.previews.encode_mp4", refuse)
    with pytest.raises(MediaError, match=r"no preview of .*a.mp4 could be made: Python int too large"):
        preview_mp4(tmp_path / "a.mp4")


@pytest.mark.parametrize("fps", [0.01, 1000.0])
def test_the_slowest_and_the_quickest_clip_have_a_preview(tmp_path: Path, fps: float) -> None:
    write_clip(tmp_path / "a.mp4", moving_disc(3), fps)
    assert preview_mp4(tmp_path / "a.mp4")
