from __future__ import annotations

import numpy as np
import pytest
from screentest.metrics.tracking.association import associate
from screentest.metrics.tracking.regions import COLUMNS, column


def spot(t: int, x: float, y: float, color=(226, 54, 48), area: float = 150.0, **more: float) -> np.ndarray:
    row = np.full(len(COLUMNS), np.nan)
    named = {"frame": t, "x": x, "y": y, "area": area, "cut": 0.0, **more}
    named |= dict(zip(("red", "green", "blue"), color, strict=True))
    for name, value in named.items():
        row[column(name)] = value
    return row


def linked(spots: list[np.ndarray], frames: int) -> list[list[float]]:
    """Give each thing's places along x, NaN where it is not seen."""
    rows = np.array(sorted(spots, key=lambda row: row[0]))
    found = associate(rows, frames)
    return [[rows[k, column("x")] if k >= 0 else float("nan") for k in thing] for thing in found]


def test_a_thing_is_followed_through_a_gap():
    spots = [spot(t, 10 + 3 * t, 20) for t in range(12) if t not in (5, 6, 7)]
    (thing,) = linked(spots, 12)
    assert np.isnan(thing).tolist() == [5 <= t <= 7 for t in range(12)]


def test_a_thing_that_jumps_is_the_same_thing():
    spots = [spot(t, (10 if t < 6 else 50) + t, 20) for t in range(12)]
    assert len(linked(spots, 12)) == 1


def test_things_of_one_look_keep_their_places():
    spots = [spot(t, x, 20) for t in range(8) for x in (10.0, 30.0, 50.0)]
    assert linked(spots, 8) == [[10.0] * 8, [30.0] * 8, [50.0] * 8]


def test_a_copy_near_by_does_not_take_the_place_of_what_comes_back():
    # Hidden in frames 5 to 9; a copy shows 20 pixels off in frames 6 to 8, then the thing comes out.
    spots = [spot(t, 4 * t, 20) for t in range(16) if not 5 <= t <= 9]
    spots += [spot(t, 4 * t + 20, 20) for t in (6, 7, 8)]
    things = linked(spots, 16)
    assert len(things) == 2
    assert things[0] == pytest.approx(
        [4.0 * t if not 5 <= t <= 9 else np.nan for t in range(16)], nan_ok=True
    )


def test_things_that_cross_keep_their_ways():
    spots = [spot(t, 4 * t, 20 + 0.3 * t) for t in range(12)]
    spots += [spot(t, 44 - 4 * t, 26 - 0.3 * t, (58, 104, 236)) for t in range(12)]
    things = linked(spots, 12)
    assert things[0] == [4 * t for t in range(12)] or things[1] == [4 * t for t in range(12)]


def test_a_color_that_changes_on_the_way_is_one_thing():
    spots = [spot(t, 10 + 3 * t, 20, (226 - 14 * t, 54 + 12 * t, 48)) for t in range(12)]
    assert len(linked(spots, 12)) == 1


def test_names_and_identities_of_a_source_rule():
    spots = [spot(t, 10.0, 20, label=1.0) for t in range(6)] + [
        spot(t, 11.0, 20, label=2.0) for t in range(6)
    ]
    assert linked(spots, 6) == [[10.0] * 6, [11.0] * 6]
    crossing = [
        spot(t, x, 20, identity=i) for t in range(6) for i, x in ((1.0, 10.0 + 8 * t), (2.0, 50.0 - 8 * t))
    ]
    assert linked(crossing, 6)[0] == [10.0 + 8 * t for t in range(6)]


def test_nothing_is_nothing():
    assert associate(np.empty((0, len(COLUMNS))), 5).shape == (0, 5)


def test_what_is_hidden_before_it_was_whole_for_long_is_known_again_though_its_color_changes():
    # The wall's shade cuts all but the first spot; those that show nine tenths of it say how it moves.
    areas = [120.0, 119.0, 115.0, 90.0, 50.0]
    spots = [spot(t, 52 - 2.7 * t, 34, area=a, cut=float(t > 0)) for t, a in enumerate(areas)]
    spots += [
        spot(15 - t, 11.5 + 2.7 * t, 34, (238, 238, 236), area=a, cut=float(t > 0))
        for t, a in enumerate(areas)
    ]
    assert len(linked(spots, 16)) == 1
