from __future__ import annotations

import numpy as np
import pytest
from screentest.metrics.tracking.mask_regions import Found, enlarged, measure_masks, reduced
from screentest.metrics.tracking.outlines import OUTLINES
from screentest.metrics.tracking.regions import column

from .scenes import BLUE, RED, Shape, draw, still


def mask_of(shape: Shape) -> np.ndarray:
    frame = draw([shape], 1, (0, 0, 0), 96)[0]
    return frame.max(axis=2) > 100


@pytest.mark.parametrize("outline", ["ball", "square", "triangle", "wall"])
def test_a_mask_is_measured(outline):
    shape = Shape(outline, RED, 12.0, still(40.2, 50.0))
    frame = draw([shape], 1, (30, 30, 30), 96)[0]
    mask = mask_of(shape)
    (row,) = measure_masks(frame, 7, [Found(mask, 0.5, 3.0, 9.0)])
    named = {
        name: row[column(name)] for name in ("frame", "x", "y", "area", "confidence", "label", "identity")
    }
    assert named == pytest.approx(
        {
            "frame": 7,
            "x": 40.2,
            "y": 50.0,
            "area": mask.sum(),
            "confidence": 0.5,
            "label": 3,
            "identity": 9,
        },
        abs=0.6,
    )
    ys, xs = np.nonzero(mask)
    box = [row[column(name)] for name in ("left", "top", "right", "bottom")]
    assert box == [xs.min() - 0.5, ys.min() - 0.5, xs.max() + 0.5, ys.max() + 0.5]
    assert row[column("red") : column("red") + 3] == pytest.approx(RED, abs=2)
    shapes = row[column("shape_ball") : column("shape_ball") + len(OUTLINES)]
    assert OUTLINES[int(shapes.argmax())] == outline
    assert row[column("cut")] == 0


def test_what_touches_the_edge_or_another_thing_is_cut():
    edge, near = Shape("square", RED, 8.0, still(6, 40)), Shape("square", BLUE, 8.0, still(40, 40))
    beside, alone = Shape("square", RED, 8.0, still(57, 40)), Shape("square", RED, 8.0, still(40, 76))
    found = [Found(mask_of(shape), 1.0) for shape in (edge, near, beside, alone)]
    rows = measure_masks(np.zeros((96, 96, 3), np.uint8), 0, found)
    assert rows[:, column("cut")].tolist() == [1, 1, 1, 0]


def test_rows_of_a_reduced_frame_are_given_in_the_frame_itself():
    frame = np.zeros((100, 200, 3), np.uint8)
    small, scale = reduced(frame, 50)
    assert (small.shape, scale) == ((25, 50, 3), 4.0)
    mask = np.zeros((25, 50), bool)
    mask[5:10, 10:20] = True
    (row,) = enlarged(measure_masks(small, 0, [Found(mask, 1.0)]), scale)
    assert [row[column(name)] for name in ("left", "top", "right", "bottom")] == [39.5, 19.5, 79.5, 39.5]
    assert row[column("area")] == 20 * 40
    assert reduced(frame, 400)[1] == 1.0
    assert measure_masks(small, 0, []).shape[0] == 0
