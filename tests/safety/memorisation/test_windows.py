import numpy as np
import pytest
from screentest.metrics import make_encoder
from screentest.safety.memorisation.thumbnails import as_pictures
from screentest.safety.memorisation.transformations import transform_clip
from screentest.safety.memorisation.windows import (
    BLOCKS,
    WINDOWS,
    Place,
    Window,
    as_small,
    known_blocks,
    shown,
    through,
    window_blocks,
    window_masks,
)

from ...metrics.helpers import Frames, encode, pan

CLIP = pan(4, size=64)


def pictures(frames: Frames) -> np.ndarray:
    return as_pictures(encode(make_encoder("thumbnails"), frames))


def blocks(frames: Frames, side: int = 16) -> np.ndarray:
    half = 32 // side
    return pictures(frames).reshape(-1, side, half, side, half, 3).mean(axis=(2, 4))


def test_the_whole_frame_is_its_blocks():
    assert np.abs(through(Place(), pictures(CLIP), 16) - blocks(CLIP)).mean() < 3
    assert known_blocks(Window(), 16).all()
    assert np.array_equal(shown(Window(mirrored=True), pictures(CLIP)), pictures(CLIP)[:, :, ::-1])


def test_a_crop_is_compared_by_what_it_shows():
    crop = np.ascontiguousarray(CLIP[:, 16:, 16:])  # the lower right three quarters
    place = Place(-1 / 3, 4 / 3, -1 / 3, 4 / 3)
    known = known_blocks(Window(place), 16)
    assert np.array_equal(known, np.outer(np.arange(16) >= 4, np.arange(16) >= 4))
    error = np.abs(through(place, pictures(crop), 16) - blocks(CLIP))[:, known]
    assert error.mean() < 3
    assert np.abs(blocks(crop) - blocks(CLIP)).mean() > 10


def test_a_picture_within_borders_is_cut_out_and_compared_as_blurred_as_it_is():
    framed = transform_clip(CLIP, "border", "a", 0.75)
    inner = (1 - 0.75) / 2
    place = Place(inner, 0.75, inner, 0.75)
    known = known_blocks(Window(place), 16)
    assert known[1:-1, 1:-1].all()
    assert known.sum() == 14 * 14  # the outermost are mixed with the border
    seen = through(place, pictures(framed), 16)[:, known]
    small = np.abs(seen - as_small(pictures(CLIP), place, 16)[:, known]).mean()
    assert small < 1.5
    assert small < 0.7 * np.abs(seen - blocks(CLIP)[:, known]).mean()


@pytest.mark.parametrize(("band", "rows"), [(0.125, 2), (0.25, 4), (0.2, 4)])
def test_a_band_of_the_frame_is_not_compared(band: float, rows: int):
    below = known_blocks(Window(below=band), 16)
    assert below.all(axis=1).tolist() == [True] * (16 - rows) + [False] * rows
    above = known_blocks(Window(above=band), 16)
    assert np.array_equal(above, below[::-1])


def test_a_band_is_of_the_frame_wherever_the_window_lies():
    known = known_blocks(Window(below=0.25), 16, Place(0.0, 0.5, 0.0, 1.0))
    assert known[1:-1].all()
    assert not known_blocks(Window(below=0.25), 16, Place(0.5, 0.5, 0.0, 1.0))[8:].any()


def test_every_version_has_blocks_and_a_mask():
    made, masks = window_blocks(pictures(CLIP)), window_masks()
    assert made.shape == (len(WINDOWS), 4, BLOCKS * BLOCKS * 3)
    assert masks.shape == (len(WINDOWS), BLOCKS * BLOCKS * 3)
    assert (made[:, 0][masks == 0] == 0).all()
    assert masks.mean(axis=1).min() > 0.3
    assert WINDOWS[0] == Window()
