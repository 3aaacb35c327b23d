"""What a judge is shown: evenly spaced frames of any clip, and drawn clips that show what they should."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.harness.core.media import Window
from screentest.metrics.judge.frames import Spread, drawn_control, pictures


def numbered(count: int, size: int = 4) -> np.ndarray:
    """Frames whose first pixel is their number."""
    clip = np.zeros((count, size, size, 3), np.uint8)
    clip[:, 0, 0, 0], clip[:, 0, 0, 1] = np.arange(count) % 256, np.arange(count) // 256
    return clip


def chosen(count: int, wanted: int, cuts: tuple[int, ...] = (), longest: int = 64) -> list[int]:
    spread, clip = Spread(wanted, longest), numbered(count)
    for start, stop in itertools.pairwise([0, *cuts, count]):
        spread.push(Window(clip[start:stop], np.arange(start, stop) / 8.0, start))
    frames, times = spread.chosen()
    found = [int(frame[0, 0, 0]) + 256 * int(frame[0, 0, 1]) for frame in frames]
    assert times == [number / 8.0 for number in found]
    return found


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 400), wanted=st.integers(1, 12), data=st.data())
def test_frames_are_evenly_spaced_from_first_to_last_however_a_clip_is_cut(count, wanted, data):
    found = chosen(count, wanted)
    cuts = data.draw(st.lists(st.integers(1, max(1, count - 1)), max_size=5, unique=True))
    assert chosen(count, wanted, tuple(sorted(c for c in cuts if c < count))) == found
    assert found == sorted(set(found))
    assert len(found) == min(count, wanted)
    if wanted > 1:
        assert (found[0], found[-1]) == (0, count - 1)
        even = np.linspace(0, count - 1, len(found))
        assert np.abs(np.array(found) - even).max() <= max(0.5, count / (4 * wanted))


def test_memory_does_not_grow_with_the_clip():
    spread = Spread(4, 64)
    for start in range(0, 5000, 10):
        spread.push(Window(np.zeros((10, 4, 4, 3), np.uint8), np.arange(start, start + 10) / 8.0, start))
        assert len(spread._held) <= 17


@pytest.mark.parametrize(
    ("shape", "longest", "expected"),
    [((1080, 1920), 512, (288, 512)), ((64, 64), 512, (256, 256)), ((100, 300), 512, (100, 300)),
     ((64, 64), 100, (64, 64)), ((3, 2000), 512, (1, 512))],
)  # fmt: skip
def test_large_frames_are_shrunk_and_tiny_ones_enlarged(shape, longest, expected):
    spread = Spread(2, longest)
    spread.push(Window(np.zeros((1, *shape, 3), np.uint8), np.zeros(1), 0))
    assert spread.chosen()[0][0].shape[:2] == expected


def test_the_digest_is_of_pixels_and_times():
    frame, other = np.full((8, 8, 3), 9, np.uint8), np.full((8, 8, 3), 10, np.uint8)
    same = [pictures([frame], [0.0], 90).digest, pictures([frame.copy()], [0.0], 90).digest]
    assert same[0] == same[1]
    changed = (
        ([other], [0.0], 90),
        ([frame], [0.5], 90),
        ([frame], [0.0], 80),
        ([frame, frame], [0.0, 0.0], 90),
        ([frame.reshape(4, 16, 3)], [0.0], 90),
    )
    assert same[0] not in {pictures(*arguments).digest for arguments in changed}


# -- drawn controls: a second pair of eyes


HUES = {"red": 0, "orange": 15, "yellow": 25, "green": 68, "blue": 114, "purple": 141}


def looked_at(jpeg: bytes) -> tuple[str, str]:
    """Find the color and the shape in a drawn frame, by hue and by how much of its box it fills."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    colored = hsv[..., 1] > 100
    hue = float(np.median(hsv[..., 0][colored]))
    color = min(HUES, key=lambda name: min(abs(HUES[name] - hue), 180 - abs(HUES[name] - hue)))
    rows, columns = np.nonzero(colored)
    filled = colored.sum() / ((np.ptp(rows) + 1) * (np.ptp(columns) + 1))
    shape = "square" if filled > 0.9 else "circle" if filled > 0.65 else "triangle"
    return color, shape


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("seed", ["a", "b", "c"])
def test_a_drawn_control_shows_what_its_answer_says(seed, number):
    asked, shown = drawn_control(seed, number, 4, 95)
    assert asked.expected is (number % 2 == 0)
    assert asked.source == "drawn"
    assert len(shown.jpegs) == 4
    for jpeg in shown.jpegs:
        color, shape = looked_at(jpeg)
        assert (f"{color} {shape}" in asked.ask) is asked.expected
        if not asked.expected:
            assert color not in asked.ask
            assert shape not in asked.ask


def test_drawn_controls_differ_from_item_to_item_and_are_the_same_again():
    first, again = drawn_control("a", 0, 3, 90), drawn_control("a", 0, 3, 90)
    assert first == again
    assert len({drawn_control(seed, 0, 3, 90)[1].digest for seed in "abcdefgh"}) == 8
