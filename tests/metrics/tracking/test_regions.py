from __future__ import annotations

import cv2
import numpy as np
import pytest
from screentest.metrics.tracking.background import fit_background
from screentest.metrics.tracking.outlines import OUTLINES
from screentest.metrics.tracking.regions import column, find_regions

from .scenes import BLUE, GRAY, GREEN, PURPLE, RED, WHITE, YELLOW, Shape, draw, grounds, still

PLACE = [column("x"), column("y")]
COLOR = [column("red"), column("green"), column("blue")]
SHAPE = [column(f"shape_{name}") for name in OUTLINES]


def spots_of(shapes, **how):
    frames = draw(shapes, frames=2, **how)
    rows = find_regions(frames, fit_background(frames)).rows_MK
    return rows[rows[:, 0] == 0]


@pytest.mark.parametrize("outline", ["ball", "square", "triangle"])
@pytest.mark.parametrize("place", [(31.0, 30.0), (20.37, 41.81), (33.5, 12.5)])
def test_a_spot_is_measured_to_a_fraction_of_a_pixel(outline, place):
    (row,) = spots_of([Shape(outline, RED, 7.3, still(*place))])
    assert row[PLACE] == pytest.approx(place, abs=0.05)
    area = {"ball": np.pi, "square": 4.0, "triangle": 0.75 * 3**0.5}[outline] * 7.3**2
    assert row[column("area")] == pytest.approx(area, rel=0.02)
    assert row[COLOR] == pytest.approx(RED, abs=1.5)
    assert OUTLINES[int(row[SHAPE].argmax())] == outline
    assert row[SHAPE].max() > 0.97


def test_the_edges_are_those_of_the_outline():
    (row,) = spots_of([Shape("square", BLUE, 6.4, still(30.2, 25.7))])
    edges = row[[column(name) for name in ("left", "top", "right", "bottom")]]
    assert edges == pytest.approx([30.2 - 6.4, 25.7 - 6.4, 30.2 + 6.4, 25.7 + 6.4], abs=0.05)


@pytest.mark.parametrize("ground", sorted(grounds()))
@pytest.mark.parametrize("color", [RED, GREEN, BLUE, YELLOW, PURPLE], ids=str)
def test_a_spot_is_found_on_any_ground(ground, color):
    rows = spots_of([Shape("ball", color, 7.0, still(25.3, 36.6))], ground=grounds()[ground])
    assert len(rows) == 1
    assert rows[0, PLACE] == pytest.approx((25.3, 36.6), abs=0.15)
    assert OUTLINES[int(rows[0, SHAPE].argmax())] == "ball"
    assert rows[0, COLOR] == pytest.approx(color, abs=12)


def test_an_empty_ground_has_no_spots():
    for ground in grounds().values():
        assert len(spots_of([], ground=ground)) == 0


def test_touching_things_of_two_colors_are_two():
    shapes = [Shape("ball", WHITE, 7.0, still(22.0, 32.0)), Shape("wall", GRAY, 7.0, still(36.0, 32.0))]
    rows = spots_of(shapes)
    assert sorted(rows[:, column("x")].round(1)) == pytest.approx([22.0, 36.0], abs=0.25)
    assert rows[:, column("cut")].all()


def test_a_thing_half_behind_another_keeps_what_is_seen_of_it():
    shapes = [Shape("square", GREEN, 6.0, still(30.0, 32.0)), Shape("wall", GRAY, 6.0, still(36.0, 32.0))]
    rows = spots_of(shapes)
    green = rows[rows[:, column("green")].argmax()]
    assert green[column("area")] == pytest.approx(6.0 * 12.0, rel=0.1)
    assert green[column("cut")] == 1


def test_touching_things_of_one_color_are_parted_by_their_outlines():
    rows = spots_of([Shape("ball", RED, 7.0, still(24.0, 30.0)), Shape("ball", RED, 7.0, still(37.6, 30.0))])
    assert sorted(rows[:, column("x")]) == pytest.approx([24.0, 37.6], abs=0.4)


def test_a_pattern_on_a_thing_is_part_of_it():
    chips = [
        Shape("ball", (84, 52, 34), 2.2, still(30 + dx, 30 + dy)) for dx, dy in ((-4, -3), (3, 4), (4, -4))
    ]
    (row,) = spots_of([Shape("ball", (205, 160, 100), 12.0, still(30.0, 30.0)), *chips])
    assert row[PLACE] == pytest.approx((30.0, 30.0), abs=0.1)
    assert row[column("area")] == pytest.approx(np.pi * 144, rel=0.04)
    assert row[COLOR] == pytest.approx((205, 160, 100), abs=3)
    assert row[column("mixed")] > 0.05


def test_the_color_of_a_sign_is_that_of_most_of_it_wherever_it_is():
    seen = []
    for shift in np.linspace(0, 1, 6):
        x, y = 30.0 + shift, 28.0 + 0.7 * shift
        mark = [
            Shape("square", (14, 14, 16), 3.1, still(x, y)),
            Shape("square", (14, 14, 16), 2.4, still(x, y + 1)),
        ]
        (row,) = spots_of([Shape("ball", (255, 40, 140), 7.0, still(x, y)), *mark])
        seen.append(row[COLOR])
    assert np.abs(np.array(seen) - (255, 40, 140)).max() < 12


def test_colors_at_half_the_resolution_do_not_change_what_color_a_thing_has():
    frames = draw([Shape("square", PURPLE, 6.0, still(30.5, 31.0))], frames=2)
    halved = []
    for frame in frames:
        coded = cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb)
        small = cv2.resize(coded[:, :, 1:], (32, 32), interpolation=cv2.INTER_AREA)
        coded[:, :, 1:] = cv2.resize(small, (64, 64), interpolation=cv2.INTER_LINEAR)
        halved.append(cv2.cvtColor(coded, cv2.COLOR_YCrCb2RGB))
    rows = find_regions(np.stack(halved), fit_background(np.stack(halved))).rows_MK
    assert rows[0, COLOR] == pytest.approx(PURPLE, abs=8)
