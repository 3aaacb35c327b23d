import numpy as np
import pytest
from screentest.metrics import make_encoder
from screentest.safety.memorisation.alignment import align
from screentest.safety.memorisation.thumbnails import as_pictures
from screentest.safety.memorisation.transformations import transform_clip
from screentest.safety.memorisation.windows import Place, Window

from ...metrics.helpers import Frames, encode, pan, texture

CLIP = pan(8, size=64)


def pictures(frames: Frames) -> np.ndarray:
    return as_pictures(encode(make_encoder("thumbnails"), frames))


def disc(at: tuple[int, int], ground: int = 0, radius: int = 5) -> Frames:
    """A disc before a textured ground, still, four frames."""
    frame = texture(64, 64, ground) // 3 + 80
    rows, columns = np.mgrid[:64, :64]
    frame[(rows - at[0]) ** 2 + (columns - at[1]) ** 2 <= radius**2] = (220, 30, 30)
    return np.repeat(frame[None], 4, axis=0)


def test_the_very_clip_leaves_nothing():
    found = align(pictures(CLIP), pictures(CLIP), Window(), steps=4)
    assert found.residual == pytest.approx(0.0, abs=0.05)
    assert found.frames.tolist() == list(range(8))


def test_a_window_that_is_off_is_refined():
    crop = np.ascontiguousarray(CLIP[:, 5:56, 9:60])  # 51 of 64
    rough = Window(Place(-0.06, 1.2, -0.14, 1.2))
    found = align(pictures(crop), pictures(CLIP), rough, steps=6)
    place = found.window.place
    assert (place.top, place.left) == pytest.approx((-5 / 51, -9 / 51), abs=0.02)
    assert (place.height, place.width) == pytest.approx((64 / 51, 64 / 51), abs=0.02)
    assert found.residual < 0.4
    assert align(pictures(crop), pictures(CLIP), rough, steps=0).residual > 2 * found.residual


@pytest.mark.parametrize("name", ["re-encode", "border", "crop"])
def test_copies_leave_less_than_a_thing_that_is_elsewhere(name: str):
    """A twin: the same scene with one small thing eight pixels aside."""
    clip, twin = disc((30, 20)), disc((30, 28))
    other = align(pictures(twin), pictures(clip), Window(), steps=6).residual
    start = {"border": Window(Place(0.08, 0.84, 0.08, 0.84)), "crop": Window(Place(-0.05, 1.1, -0.05, 1.1))}
    severity = {"re-encode": 28.0, "border": 0.85, "crop": 0.9}[name]
    copy = transform_clip(clip, name, "a", severity)
    left = align(pictures(copy), pictures(clip), start.get(name, Window()), steps=6).residual
    assert left < 0.7 * other


def test_time_does_not_run_backwards():
    found = align(pictures(CLIP[::-1].copy()), pictures(CLIP), Window(), steps=4)
    assert (np.diff(found.frames) >= 0).all()
    assert found.residual > 1
    faster = align(pictures(CLIP[1::2]), pictures(CLIP), Window(), steps=4)
    assert faster.frames.tolist() == [1, 3, 5, 7]


def test_a_part_that_shows_nothing_proves_nothing():
    """The disc lies in the band that is not compared; before a plain ground nothing else is shown."""
    plain = np.full((4, 64, 64, 3), 60, np.uint8)
    low = plain.copy()
    low[:, 52:62, 20:30] = (220, 30, 30)
    assert align(pictures(plain), pictures(plain), Window(below=0.25), steps=4).residual < 0.1
    hidden = np.clip(plain.astype(int) + 4, 0, 255).astype(np.uint8)
    seen = align(pictures(hidden), pictures(plain), Window(below=0.25), steps=4).residual
    assert align(pictures(hidden), pictures(low), Window(below=0.25), steps=4).residual > 3 * seen


def test_a_picture_is_not_stretched():
    wide = np.ascontiguousarray(CLIP[:, :, 8:56])  # three quarters of the width, the whole height
    found = align(pictures(wide), pictures(CLIP), Window(), steps=8)
    assert max(found.window.place.height, found.window.place.width) < 1.05 * min(
        found.window.place.height, found.window.place.width
    )


def test_another_ground_is_no_copy():
    other = disc((30, 20), ground=1)
    assert align(pictures(other), pictures(disc((30, 20))), Window(), steps=6).residual > 0.8


def test_a_window_with_too_little_of_the_frame_says_nothing():
    far = Window(Place(-0.9, 1.4, -0.9, 1.4))
    assert align(pictures(CLIP), pictures(CLIP), far, steps=4).residual == np.inf
