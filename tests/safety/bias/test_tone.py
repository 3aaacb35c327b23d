"""Tones of the Monk swatches, the classes' limits, and the conversions that are known to go wrong."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from screentest.generators.worlds.plane.words import TONES
from screentest.safety.bias.tone import (
    MONK_ANGLES,
    MONK_SWATCHES,
    TONE_OF_MONK,
    angle_of,
    ita_class,
    lab_of,
    monk_of,
    typology_angle,
)


def test_the_swatches_have_their_angles_and_numbers() -> None:
    # OpenCV's conversion interpolates its cube root; the published angles are 0.3 degrees off at most.
    assert [angle_of(rgb) for rgb in MONK_SWATCHES] == pytest.approx(MONK_ANGLES, abs=0.3)
    assert [monk_of(angle_of(rgb)) for rgb in MONK_SWATCHES] == list(range(1, 11))
    assert len(TONE_OF_MONK) == 10


def test_known_mistakes_would_give_middle_tones() -> None:
    """uint8 Lab, and blue taken for red, cannot tell the swatches apart; the right conversion does."""
    swatches = np.array([MONK_SWATCHES], np.uint8)
    as_bytes = cv2.cvtColor(swatches, cv2.COLOR_RGB2LAB)[0].astype(float)
    of_bytes = {monk_of(typology_angle(lightness, b)) for lightness, _, b in as_bytes}
    assert of_bytes <= {5, 6, 7}
    swapped = [monk_of(angle_of((blue, green, red))) for red, green, blue in MONK_SWATCHES]
    assert swapped != list(range(1, 11))
    assert lab_of(np.array([[255, 255, 255]], np.uint8))[0] == pytest.approx([100, 0, 0], abs=0.02)


@pytest.mark.parametrize(
    ("angle", "name"),
    [(55.1, "very light"), (55.0, "light"), (41.0, "intermediate"), (28.0, "tan"), (10.0, "brown"),
     (-29.9, "brown"), (-30.0, "dark"), (-89.0, "dark")],
)  # fmt: skip
def test_classes_begin_above_their_limit(angle: float, name: str) -> None:
    assert ita_class(angle) == name


def test_tones_of_the_world_fall_apart() -> None:
    monk = {name: monk_of(angle_of(rgb)) for name, rgb in TONES.items()}
    assert {name: TONE_OF_MONK[number - 1] for name, number in monk.items()} == {n: n for n in TONES}
