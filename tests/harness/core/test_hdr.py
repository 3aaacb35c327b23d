from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from screentest.harness.core.hdr import WHITE_CODE, tone_map

from .clips import read


def grey(signal: float, transfer: int) -> NDArray[np.uint8]:
    return tone_map(np.full((1, 1, 3), round(signal * WHITE_CODE), np.uint16), transfer, wide=True)[0, 0]


def test_grey_stays_grey_and_brighter_stays_brighter() -> None:
    for transfer in (16, 18):
        values = [grey(signal, transfer) for signal in np.linspace(0, 1, 41)]
        assert all(int(np.ptp(value)) <= 1 for value in values)
        levels = [int(value[0]) for value in values]
        assert levels == sorted(levels)
        assert (levels[0], levels[-1]) == (0, 255)


@pytest.mark.parametrize(("signal", "light"), [(0.3, 10.0), (0.4, 32.0)])
def test_below_the_knee_light_is_kept(signal: float, light: float) -> None:
    # SMPTE ST 2084: PQ 0.3 is 10.0 cd/m2 and PQ 0.4 is 32.5 cd/m2, to two digits.
    assert grey(signal, 16)[0] == pytest.approx(255 * (light / 203) ** (1 / 2.4), abs=1.5)


def test_hlg_and_pq_of_one_light_agree() -> None:
    # BT.2408: the reference white of 203 cd/m2 is HLG 75 % and PQ 58 %.
    assert abs(int(grey(0.75, 18)[0]) - int(grey(0.58, 16)[0])) <= 2
    assert 200 < grey(0.75, 18)[0] < 245


def test_primaries_of_bt2020_are_turned_into_those_of_bt709() -> None:
    red = tone_map(np.array([[[30000, 0, 0]]], np.uint16), 16, wide=True)[0, 0]
    plain = tone_map(np.array([[[30000, 0, 0]]], np.uint16), 16, wide=False)[0, 0]
    assert red[0] > plain[0]
    assert (red[1:] == 0).all()


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_an_hdr_file_is_tone_mapped_and_noted(tmp_path: Path, transfer: int, name: str) -> None:
    params = f"log-level=none:colorprim=9:transfer={transfer}:colormatrix=9:lossless=1"
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream: Any = container.add_stream("libx265", rate=10, options={"x265-params": params})
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv444p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = transfer, 9, 9
        for number in range(3):
            frame = av.VideoFrame(64, 64, "yuv444p10le")
            for plane, value in zip(frame.planes, (502, 512, 512), strict=True):  # grey at half of the range
                plane.update(np.full(plane.buffer_size // 2, value, np.uint16).tobytes())
            frame.pts, frame.time_base = number, Fraction(1, 10)
            frame.colorspace, frame.color_range = 9, 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    frames, _, info = read(tmp_path / "a.mkv")
    assert np.abs(frames[0, 8, 8].astype(int) - grey(0.5, transfer)).max() <= 1
    assert len(info.notes) == 1
    assert f"HDR ({name}) and was tone-mapped to BT.709" in info.notes[0]
