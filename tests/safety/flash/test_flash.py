"""The measure of flashes, on clips whose flashes are known: frequency, area, luminance, red."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.media import Window, open_clip
from screentest.metrics import MEASURES, Sample, Scored, make_encoder
from screentest.metrics.base import NotApplicable
from screentest.metrics.encoders.base import Stream
from screentest.safety.flash.screen import Area, grid_of
from screentest.safety.flash.transitions import LINEAR

from ...metrics.helpers import encode, info_of, noise, pan, texture

Frames = NDArray[np.uint8]
CLIPS = Path(__file__).parents[3].parent / "shared" / "data" / "clips"
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
HEIGHT, WIDTH = 96, 128  # 8 x 8 pixels of the screen each: a quarter of the field is 341 of them


def scored(
    frames: Frames, name: str = "safety.flash", fps: float = 24.0, cuts: tuple[int, ...] = ()
) -> Scored:
    function = MEASURES.get(name).function
    assert function is not None
    feature = encode(make_encoder("flash"), frames, fps=fps, cuts=cuts)
    item = make_item("a lamp", 0, ClipSettings())
    found = function(Sample(item, "ok", info_of(frames, fps), {"flash": feature}))
    assert isinstance(found, Scored)
    return found


def value(frames: Frames, name: str = "safety.flash", fps: float = 24.0) -> float:
    return scored(frames, name, fps).value


def square_wave(
    hertz: float,
    fps: float = 24.0,
    seconds: float = 2.0,
    colors: tuple[tuple[int, int, int], tuple[int, int, int]] = (BLACK, WHITE),
    size: tuple[int, int] = (HEIGHT, WIDTH),
) -> Frames:
    """Alternate two colors over the whole frame, ``hertz`` times a second."""
    half = (np.arange(round(seconds * fps)) * 2 * hertz / fps + 1e-9).astype(int) % 2
    return np.broadcast_to(np.array(colors, np.uint8)[half][:, None, None], (len(half), *size, 3)).copy()


def flashing(region: NDArray[np.bool_], hertz: float = 4.0, fps: float = 24.0) -> Frames:
    """Flash white in a region of a black picture."""
    frames = square_wave(hertz, fps, size=region.shape)
    frames[:, ~region] = 0
    return frames


def grey(luminance: float) -> tuple[int, int, int]:
    """The 8-bit grey whose relative luminance is nearest, and not below."""
    code = int(np.searchsorted(LINEAR, luminance))
    return (code, code, code)


@pytest.mark.parametrize(
    ("hertz", "flashes", "fails"), [(1, 1, 0), (2, 2, 0), (3, 3, 0), (4, 4, 1), (6, 6, 1), (12, 12, 1)]
)
@pytest.mark.parametrize("fps", [24.0, 48.0, 60.0])
def test_flashes_are_counted_exactly_at_any_rate_of_frames(hertz: int, flashes: int, fails: int, fps: float):
    if fps % (2 * hertz):
        pytest.skip("the half period is no whole number of frames")
    frames = square_wave(hertz, fps)
    assert value(frames, "safety.flashes", fps) == flashes
    assert value(frames, fps=fps) == fails


def test_three_and_a_half_flashes_are_more_than_three():
    frames = np.concatenate([square_wave(12, seconds=8 / 24), np.zeros((40, HEIGHT, WIDTH, 3), np.uint8)])
    eight = frames.copy()
    assert value(eight, "safety.flashes") == 4.0  # black to white and back, four times in a third of a second
    seven = frames.copy()
    seven[0] = 255  # it begins white, so the first rise is missing
    assert value(seven, "safety.flashes") == 3.5
    assert value(seven) == 1.0
    six = seven.copy()
    six[1] = 255
    six[2] = 255
    assert value(six, "safety.flashes") == 2.5
    assert value(six) == 0.0


def test_a_second_is_half_open_and_needs_no_whole_clip():
    slow = square_wave(3, seconds=10)  # a seventh transition comes exactly a second after the first
    assert value(slow, "safety.flashes") == 3.0
    short = square_wave(12, seconds=0.4)
    assert value(short) == 1.0


@pytest.mark.parametrize("size", [(96, 128), (64, 64), (720, 1280), (300, 100), (31, 47)])
def test_any_size_is_read(size: tuple[int, int]):
    assert value(square_wave(4, seconds=1.1, size=size)) == 1.0
    assert value(square_wave(3, seconds=1.1, size=size)) == 0.0


@pytest.mark.parametrize(("pixels", "fails"), [(341, 0.0), (342, 1.0)])
def test_a_quarter_of_a_visual_field_is_the_limit(pixels: int, fails: float):
    region = np.zeros((HEIGHT, WIDTH), np.bool_)
    region[20:31, 40:71] = True  # 11 x 31
    region[31, 40] = pixels > 341
    assert region.sum() == pixels
    assert value(flashing(region)) == fails


@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (64, 64), (72, 128), (300, 100), (31, 47)])
def test_a_share_of_area_is_none_above_one(size: tuple[int, int]):
    found = scored(square_wave(4, seconds=1.1, size=size)).evidence["general"]
    assert 0.25 < found["share_of_area"] <= 1.0
    if size == (HEIGHT, WIDTH):  # 32 x 43 cells of the 1364 that a field has
        assert found["share_of_area"] == 1.0


def test_the_area_is_that_of_one_field_and_need_not_be_in_one_piece():
    apart = np.zeros((HEIGHT, WIDTH), np.bool_)
    apart[:10, :20] = apart[-10:, -20:] = True  # 200 pixels in each corner: in no field together
    assert value(flashing(apart)) == 0.0
    together = np.zeros((HEIGHT, WIDTH), np.bool_)
    together[40:50, 40:60] = together[55:65, 40:60] = True
    assert value(flashing(together)) == 1.0


@pytest.mark.parametrize(("pixels", "fails"), [(3072, 0.0), (3073, 1.0)])
def test_broadcast_counts_a_quarter_of_the_picture(pixels: int, fails: float):
    region = np.zeros((HEIGHT, WIDTH), np.bool_)
    region.reshape(-1)[:pixels] = True
    frames = flashing(region)
    assert value(frames, "safety.flash_broadcast") == fails
    assert value(frames) == 1.0


@pytest.mark.parametrize(("dark", "change", "fails"), [(0.3, 0.099, 0), (0.3, 0.101, 1), (0.0, 0.101, 1)])
def test_a_tenth_of_the_luminance_is_the_limit(dark: float, change: float, fails: int):
    low = grey(dark)
    high = grey(float(LINEAR[low[0]]) + change - 0.003)
    changed = float(LINEAR[high[0]] - LINEAR[low[0]])
    if fails:
        while changed < 0.10:
            high = (high[0] + 1, high[0] + 1, high[0] + 1)
            changed = float(LINEAR[high[0]] - LINEAR[low[0]])
    assert (changed >= 0.10) == bool(fails)
    assert value(square_wave(4, colors=(low, high))) == fails


def test_a_light_picture_may_flash_from_a_luminance_of_080_on():
    assert value(square_wave(4, colors=(grey(0.801), WHITE))) == 0.0
    below = grey(0.80)[0] - 1
    assert value(square_wave(4, colors=((below, below, below), WHITE))) == 1.0


def test_a_fall_counts_once_it_is_dark_enough():
    steps = [1.0, 0.85, 0.5, 0.85] * 6  # each fall passes 0.85, where it does not count yet
    frames = np.stack([np.full((HEIGHT, WIDTH, 3), grey(one)[0], np.uint8) for one in steps])
    assert value(frames, "safety.flashes", fps=24.0) == 6.0
    stays = np.stack([np.full((HEIGHT, WIDTH, 3), grey(one)[0], np.uint8) for one in [1.0, 0.85] * 12])
    assert value(stays, "safety.flashes", fps=24.0) == 0.0


def test_a_slow_change_counts_as_one_however_many_frames_it_takes():
    wave = (0.5 - 0.5 * np.cos(2 * np.pi * 4 * np.arange(120) / 60)) * 255  # from a valley on
    frames = np.broadcast_to(wave.astype(np.uint8)[:, None, None, None], (120, HEIGHT, WIDTH, 3)).copy()
    assert value(frames, "safety.flashes", fps=60.0) == 4.0
    small = (np.arange(120) % 2 * 4 + 100).astype(np.uint8)  # a ripple without a tenth
    ripple = np.broadcast_to(small[:, None, None, None], (120, HEIGHT, WIDTH, 3)).copy()
    assert value(ripple, "safety.flashes", fps=60.0) == 0.0


def test_a_saturated_red_flash_counts_whatever_its_luminance():
    dim_red, as_bright = (200, 0, 0), grey(0.2126 * float(LINEAR[200]))
    frames = square_wave(4, colors=(dim_red, as_bright))
    assert scored(frames).value == 1.0
    assert set(scored(frames).evidence) == {"red"}
    assert value(square_wave(3, colors=(dim_red, as_bright))) == 0.0


def test_red_that_is_not_saturated_or_hardly_changes_is_no_red_flash():
    pink = (200, 125, 125)
    assert LINEAR[200] / (LINEAR[200] + 2 * LINEAR[125]) < 0.8
    assert "red" not in scored(square_wave(4, colors=(pink, grey(0.2)))).evidence
    orange_red = (200, 60, 0)  # both are saturated red, and near each other
    assert "red" not in scored(square_wave(4, colors=((200, 0, 0), orange_red))).evidence
    nearly_black = (6, 0, 0)
    assert scored(square_wave(4, colors=(nearly_black, BLACK))).evidence == {}


def test_red_limit_is_a_ratio_of_080_of_linear_values():
    def share(green: int) -> float:
        red, other = float(LINEAR[230]), float(LINEAR[green])
        return red / (red + 2 * other)

    codes = [green for green in range(256) if share(green) >= 0.8]
    inside, outside = (230, codes[-1], codes[-1]), (230, codes[-1] + 1, codes[-1] + 1)
    blue = (0, 0, 120)
    assert "red" in scored(square_wave(4, colors=(inside, blue))).evidence
    assert "red" not in scored(square_wave(4, colors=(outside, blue))).evidence


def test_flashes_of_several_places_of_a_field_add_up():
    frames = np.zeros((24, HEIGHT, WIDTH, 3), np.uint8)
    for step, left in enumerate((40, 52, 40, 52)):  # four flashes, two at each place
        frames[6 * step + 2 : 6 * step + 4, 30:60, left : left + 12] = 255
    assert value(frames, "safety.flashes") == 4.0
    far = np.zeros((24, HEIGHT, WIDTH, 3), np.uint8)
    for step, left in enumerate((0, 100, 0, 100)):  # in no visual field together
        far[6 * step + 2 : 6 * step + 4, 30:60, left : left + 12] = 255
    assert value(far, "safety.flashes") == 2.0


def test_opposite_phases_count_and_a_fine_checkerboard_does_not():
    rows, columns = np.mgrid[:384, :512]
    coarse = ((rows // 32 + columns // 32) % 2).astype(np.uint8) * 255
    fine = ((rows + columns) % 2).astype(np.uint8) * 255  # 512 pixels wide: 0.06 degree a square
    for board, fails in ((coarse, 1.0), (fine, 0.0)):
        frames = np.stack([board if t // 3 % 2 else 255 - board for t in range(26)])
        assert value(np.repeat(frames[..., None], 3, axis=3)) == fails


def test_motion_and_cuts_are_no_alarm():
    assert value(pan(24, step=2)) == 0.0
    cut = np.concatenate([square_wave(0.0, seconds=1), 255 - square_wave(0.0, seconds=1)])
    assert value(cut, "safety.flashes") == 0.5


def test_the_windows_of_decoding_change_nothing():
    frames = square_wave(5, seconds=1.5)
    whole = scored(frames)
    assert scored(frames, cuts=(1, 7, 8, 30)) == whole


def test_sparks_at_times_of_their_own_are_no_flash_of_all_of_them():
    shines = np.random.default_rng(1).random((48, HEIGHT, WIDTH)) < 0.15
    frames = np.repeat(shines[..., None].astype(np.uint8) * 255, 3, axis=3)
    assert value(frames, fps=48.0) == 0.0
    assert value(noise(24), fps=24.0) == 0.0
    together = np.stack([np.full((HEIGHT, WIDTH, 3), 255 * (t % 8 == 0), np.uint8) for t in range(48)])
    assert value(together, fps=48.0) == 1.0


def test_a_scene_in_flickering_light_counts_through_its_texture():
    lit = texture(HEIGHT, WIDTH).astype(np.float64)
    light = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * np.arange(60) / 60)
    frames = (lit[None] * light[:, None, None, None]).astype(np.uint8)
    assert value(frames, "safety.flashes", fps=60.0) == 4.0
    slow = 0.5 - 0.5 * np.cos(2 * np.pi * 2.5 * np.arange(120) / 60)
    assert value((lit[None] * slow[:, None, None, None]).astype(np.uint8), fps=60.0) == 0.0


def test_one_frame_does_not_apply():
    with pytest.raises(NotApplicable, match="one frame"):
        scored(square_wave(1, seconds=1 / 24))


def test_memory_does_not_grow_with_the_clip():
    stream: Stream = make_encoder("flash").open(info_of(square_wave(1, seconds=0.1)))
    frames = square_wave(12, seconds=2)
    for start in range(0, 480, 48):
        stream.push(Window(frames, (start + np.arange(48)) / 24, start))
    counter = stream._counters[0][0]  # pyright: ignore[reportAttributeAccessIssue]
    assert counter.worst.transitions == 24
    assert len(counter._frames) <= 24


def test_the_grid_keeps_to_the_pixels_of_a_small_clip():
    grid = grid_of(96, 128)
    assert (grid.rows, grid.columns, grid.cell, grid.field) == (96, 128, 64.0, Area(32, 43, 341.0))
    large = grid_of(768, 1024)
    assert (large.rows, large.columns) == (225, 300)
    wide = grid_of(1080, 1920)
    assert (wide.rows, wide.columns) == (169, 300)


@pytest.mark.slow
@pytest.mark.skipif(not CLIPS.is_dir(), reason="the real clips are not here")
def test_real_clips_give_no_alarm():
    function = MEASURES.get("safety.flash").function
    assert function is not None
    paths = [path for path in sorted(CLIPS.rglob("*")) if path.suffix in (".gif", ".mp4", ".avi")]
    assert len(paths) == 28
    alarms: list[str] = []
    for path in paths:
        clip = open_clip(path)
        stream = make_encoder("flash").open(clip.info)
        for window in clip.windows():
            stream.push(window)
        sample = Sample(make_item("x", 0, ClipSettings()), "ok", clip.info, {"flash": stream.finish()})
        found = function(sample)
        if isinstance(found, Scored) and found.value:
            alarms.append(f"{path.name}: {dict(found.evidence)}")
    assert not alarms


def test_a_resized_clip_flashes_as_the_large_one():
    large = square_wave(4, size=(384, 512))
    small = np.stack([cv2.resize(frame, (128, 96), interpolation=cv2.INTER_AREA) for frame in large])
    assert value(large) == value(np.asarray(small, np.uint8)) == 1.0
