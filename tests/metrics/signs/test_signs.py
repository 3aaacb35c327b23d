"""Signs of generated physics on drawn discs before a texture, and what they do not apply to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from screentest.harness.core.clip_info import ClipInfo
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.media import Window
from screentest.metrics import MEASURES, NotApplicable, Sample, make_encoder
from screentest.metrics.base import Scored
from screentest.metrics.encoders.base import Record
from screentest.metrics.signs.encoder import SIGNS, signs_of
from screentest.metrics.signs.findings import Sign
from screentest.metrics.signs.measures import LIMITS

Frames = NDArray[np.uint8]
Discs = Callable[[int], list[tuple[float, float, float, tuple[int, int, int]]]]
RED, BLUE = (210, 40, 40), (40, 60, 210)


def film(
    discs: Discs, frames: int = 20, side: int = 96, dark: Callable[[int], float] | None = None
) -> Frames:
    """Draw discs (x, y, radius, color) before a texture; ``dark`` places a shadow across at a frame."""
    rng = np.random.default_rng(0)
    coarse = rng.normal(130, 22, (side // 3, side // 3))
    ground = np.kron(coarse, np.ones((3, 3)))[:, :, None] * np.ones(3)
    y, x = np.mgrid[: ground.shape[0], : ground.shape[1]]
    made = []
    for t in range(frames):
        frame = ground.copy()
        if dark is not None:
            frame[np.hypot((x - dark(t)) / 9, (y - 78) / 5) < 1] *= 0.55
        for cx, cy, radius, color in discs(t):
            inside = np.hypot(x - cx, y - cy) < radius
            frame[inside] = np.array(color) * (1 - 0.004 * (y[inside] - cy))[:, None]
        made.append(frame + rng.normal(0, 1.5, frame.shape))
    return np.stack(made).clip(0, 255).astype(np.uint8)


def goes(t: int):
    return [(20 + 2.5 * t, 48.0, 10.0, RED)]


def strength(found: dict[str, Sign | str | None], name: str) -> float:
    sign = found[name]
    assert not isinstance(sign, str), sign
    return 0.0 if sign is None else sign.strength


def seen(found: dict[str, Sign | str | None]) -> list[str]:
    return [n for n in found if not isinstance(found[n], str) and strength(found, n) >= LIMITS[n]]


def test_a_lawful_clip_shows_no_sign():
    assert seen(signs_of(film(goes), 10)) == []


def test_a_thing_that_is_gone_at_once_and_one_that_is_there_at_once_are_seen_with_frame_and_box():
    gone = signs_of(film(lambda t: goes(t) if t < 9 else []), 10)
    there = signs_of(film(lambda t: goes(t) if t >= 9 else []), 10)
    assert seen(gone) == seen(there) == ["appears"]
    for found, kind, frame in ((gone, "goes", 8), (there, "appears", 9)):
        sign = found["appears"]
        assert isinstance(sign, Sign)
        assert (sign.kind, sign.frame) == (kind, frame)
        x = 20 + 2.5 * frame
        np.testing.assert_allclose(sign.box, (x - 10, 38, x + 11, 59), atol=3)


def test_a_thing_that_comes_in_at_the_edge_or_out_from_behind_a_wall_is_no_sign():
    assert seen(signs_of(film(lambda t: [(-12 + 4.0 * t, 48.0, 10.0, RED)]), 10)) == []
    whole = film(lambda t: [(16 + 3.0 * t, 48.0, 10.0, RED)])
    wall = film(lambda t: [])
    whole[:, 20:80, 36:60] = wall[:, 20:80, 36:60]
    assert seen(signs_of(whole, 10)) == []


def test_one_that_splits_and_two_that_merge_are_seen_and_two_that_meet_and_part_are_not():
    def parts(t: int):
        apart = max(t - 7, 0) * 2.2
        less = 0.79 if t >= 7 else 1.0
        return [(48 - apart, 48.0, 13 * less, RED), (48 + apart, 48.0, 13 * less, RED)]

    def meet(t: int):
        apart = 13.5 + abs(t - 10) * 2.0
        return [(48 - apart, 48.0, 13.0, RED), (48 + apart, 48.0, 13.0, BLUE)]

    def melt(t: int):
        if t < 8:
            return meet(t + 1)
        return [(48.0, 48.0, 16.4, RED)]

    moved = film(lambda t: [(x + 0.8 * t - 8, y, r, c) for x, y, r, c in parts(t)])
    assert seen(signs_of(moved, 10)) == ["splits"]
    assert "merges" in seen(signs_of(moved[::-1].copy(), 10))
    assert seen(signs_of(film(meet), 10)) == []
    assert seen(signs_of(film(lambda t: [(x + 1.2 * t - 12, y, r, c) for x, y, r, c in melt(t)]), 10)) == [
        "merges"
    ]


def test_a_shadow_that_stays_is_seen_and_one_that_goes_along_is_not():
    along = film(goes, dark=lambda t: 24 + 2.5 * t)
    stays = film(goes, dark=lambda t: 24 + 2.5 * min(t, 8))
    assert strength(signs_of(along, 10), "shadows") < 0.2
    assert seen(signs_of(stays, 10)) == ["shadows"]
    none = signs_of(film(goes), 10)["shadows"]
    assert isinstance(none, str)
    assert "no shadow" in none


def test_a_picture_that_bends_is_seen_and_one_that_pans_or_dims_is_not():
    import cv2

    frames = film(lambda t: [], side=192)
    y, x = np.mgrid[:192, :192].astype(np.float32)
    bent, panned = np.empty_like(frames), np.empty_like(frames)
    for t, frame in enumerate(frames):
        a = 0.9 * t
        dx, dy = (a * np.sin(y / 17 + 0.1 * t)).astype(np.float32), (a * np.sin(x / 23)).astype(np.float32)
        bent[t] = cv2.remap(frame, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        panned[t] = cv2.remap(frame, x + 1.3 * t, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    assert strength(signs_of(bent, 10), "warp") > LIMITS["warp"]
    assert strength(signs_of(panned, 10), "warp") < 0.02
    dims = (frames * np.linspace(1, 0.5, 20)[:, None, None, None]).astype(np.uint8)
    assert strength(signs_of(dims, 10), "warp") == 0
    joined = signs_of(np.concatenate([other(panned), bent]), 10)["warp"]
    assert isinstance(joined, Sign)
    assert joined.shot == (20, 39)
    assert joined.frame >= 20


def test_where_nothing_can_be_said_there_is_a_reason():
    still = signs_of(film(lambda t: []), 10)
    assert still["appears"] == "nothing is seen to move, to appear or to go"
    short = np.concatenate([film(goes)[:7], other(film(goes))[:6]])
    found = signs_of(short, 10)["appears"]
    assert found == "there are cuts, the first before frame 7, and no shot has 8 frames"
    stills = np.concatenate([film(lambda t: [])[:9], other(film(lambda t: []))])
    found = signs_of(stills, 10)["appears"]
    assert found == (
        "none of its 2 shots can be judged: in the longest, nothing is seen to move, to appear or to go"
    )


def other(frames: Frames) -> Frames:
    """Make a shot of another place of a shot."""
    return np.asarray(255 - frames[:, ::-1, :, ::-1] // 3)


def vanishes(t: int):
    return goes(t) if t < 9 else []


def test_each_shot_is_judged_by_itself_and_a_sign_in_any_is_one_of_the_clip():
    lawful, broken = film(goes), film(vanishes)
    assert seen(signs_of(np.concatenate([lawful, other(lawful)]), 10)) == []
    for first, second, shot, frame in (
        (broken, other(lawful), (0, 19), 8),
        (lawful, other(broken), (20, 39), 28),
        (other(lawful), broken, (20, 39), 28),
    ):
        found = signs_of(np.concatenate([first, second]), 10)
        assert seen(found) == ["appears"]
        sign = found["appears"]
        assert isinstance(sign, Sign)
        assert (sign.frame, sign.shot) == (frame, shot)


def test_the_evidence_names_the_shot_the_judged_ones_and_how_many_there_are():
    joined = np.concatenate([film(goes), other(film(vanishes)), film(goes)[:5]])
    measure = MEASURES.get("signs.appears").function
    assert measure is not None
    scored = measure(sample(encoded(joined, 10)))
    assert isinstance(scored, Scored)
    assert (scored.value, scored.evidence["first_frame"]) == (1.0, 28)
    assert scored.evidence["shot"] == [20, 39]
    assert scored.evidence["judged"] == [[0, 19], [20, 39]]
    assert scored.evidence["shots"] == 3
    alone = measure(sample(encoded(film(vanishes), 10)))
    assert isinstance(alone, Scored)
    assert not {"shot", "judged", "shots"} & set(alone.evidence)


def test_a_picture_that_changes_all_over_is_refused_without_a_warning():
    frames = film(goes, 12)
    frames[5:] = np.random.default_rng(1).integers(0, 255, frames[5:].shape, np.uint8)
    assert all(isinstance(found, str) for found in signs_of(frames, 10).values())


def encoded(frames: Frames, fps: float) -> Record:
    count, height, width, _ = frames.shape
    info = ClipInfo(height, width, fps, count, count / fps, "h264", "mp4")
    stream = make_encoder(SIGNS, None).open(info)
    for k in range(0, count, 16):
        stream.push(Window(frames[k : k + 16], np.arange(k, min(k + 16, count)) / fps, k))
    record = stream.finish()
    assert isinstance(record, Record)
    return record


def sample(record: Record, expect: dict[str, Any] | None = None) -> Sample:
    info = ClipInfo(96, 96, 10.0, 20, 2.0, "h264", "mp4")
    item = make_item("a", 0, ClipSettings(), expect=expect)
    return Sample(item, "ok", info, {}, records={SIGNS: record})


def bending(found: float) -> Record:
    whole = {"strength": found, "first_frame": 5, "box": [0, 0, 96, 96], "kind": "bends"}
    return Record({}, {"warp": whole})


def test_a_picture_may_bend_unless_the_prompt_says_that_the_scene_is_static():
    warp = MEASURES.get("signs.warp").function
    assert warp is not None
    for expect in (None, {"camera": "pan-left"}, {"static": False}):
        with pytest.raises(NotApplicable, match="does not say 'static: true'"):
            warp(sample(bending(0.9), expect))
    broken, kept = (warp(sample(bending(found), {"static": True})) for found in (0.9, 0.1))
    assert isinstance(broken, Scored)
    assert isinstance(kept, Scored)
    assert (broken.value, kept.value) == (1.0, 0.0)


def test_measures_give_the_frame_the_box_and_the_strength():
    measure = MEASURES.get("signs.appears").function
    assert measure is not None
    scored = measure(sample(encoded(film(lambda t: goes(t) if t < 9 else []), 10)))
    assert isinstance(scored, Scored)
    assert scored.value == 1.0
    assert scored.evidence["first_frame"] == 8
    assert scored.evidence["first_s"] == pytest.approx(0.8)
    assert scored.evidence["threshold"] == LIMITS["appears"]
    lawful = measure(sample(encoded(film(goes), 10)))
    assert isinstance(lawful, Scored)
    assert lawful.value == 0.0
    shadows = MEASURES.get("signs.shadows").function
    assert shadows is not None
    with pytest.raises(NotApplicable, match="no shadow"):
        shadows(sample(encoded(film(goes), 10)))


def test_boxes_are_in_pixels_of_the_clip_also_of_large_and_upright_ones():
    gone = film(lambda t: goes(t) if t < 9 else [])
    large = np.kron(gone, np.ones((1, 12, 6, 1), np.uint8))  # 1152 x 576
    found = encoded(large, 10).meta["appears"]
    assert isinstance(found, dict)
    np.testing.assert_allclose(
        np.asarray(found["box"], np.float64), (30 * 6, 38 * 12, 51 * 6, 59 * 12), atol=45
    )


def test_slow_short_and_long_clips_are_refused():
    with pytest.raises(NotApplicable, match="fewer than 4 frames a second"):
        encoded(film(goes), 1)
    with pytest.raises(NotApplicable, match="fewer than 8 frames"):
        encoded(film(goes)[:5], 10)
    with pytest.raises(NotApplicable, match="at most 600 frames"):
        encoded(np.zeros((601, 16, 16, 3), np.uint8), 10)
