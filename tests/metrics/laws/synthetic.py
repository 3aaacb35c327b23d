"""Tracks made of numbers: things on known paths, without a pixel drawn or a tracker run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from screentest.metrics.laws.evaluation import assignment_for
from screentest.metrics.tracking.outlines import OUTLINES
from screentest.metrics.tracking.role_assignment import RoleAssignment
from screentest.metrics.tracking.tracks import Tracks

FPS, SIDE = 8.0, 64
RED, BLUE = (226.0, 54.0, 48.0), (58.0, 104.0, 236.0)
BALLS = [{"shape": "ball", "color": "red"}, {"shape": "ball", "color": "blue"}]


@dataclass
class Path:
    """Places in sides by frame (NaN where a thing is not seen), its radius in sides and its color."""

    x: NDArray[np.float64] | float
    y: NDArray[np.float64] | float
    radius: NDArray[np.float64] | float = 0.1
    color: NDArray[np.float64] | tuple[float, float, float] = RED
    shape: str = "ball"


def times(frames: int = 16) -> NDArray[np.float64]:
    return np.arange(frames) / FPS


def tracks_of(paths: Sequence[Path], frames: int = 16, **more: Any) -> Tracks:
    n = len(paths)
    place, radius, color = np.empty((n, frames, 2)), np.empty((n, frames)), np.empty((n, frames, 3))
    for k, path in enumerate(paths):
        place[k, :, 0], place[k, :, 1] = np.asarray(path.x) * SIDE - 0.5, np.asarray(path.y) * SIDE - 0.5
        radius[k] = np.asarray(path.radius) * SIDE
        color[k] = np.asarray(path.color)
    seen = ~np.isnan(place[:, :, 0])
    hidden = np.where(seen, 1.0, np.nan)
    box = np.concatenate([place - radius[:, :, None], place + radius[:, :, None]], axis=2)
    shapes = np.zeros((n, frames, len(OUTLINES)))
    area = np.empty((n, frames))
    for k, path in enumerate(paths):
        shapes[k, :, OUTLINES.index(path.shape)] = 0.95
        area[k] = (np.pi if path.shape == "ball" else 4.0) * radius[k] ** 2
    camera = np.zeros((frames, 4))
    camera[:, 3] = 1.0
    return Tracks(
        height=SIDE,
        width=SIDE,
        fps=FPS,
        times_T=times(frames),
        position_NT2=place,
        box_NT4=box,
        center_NT2=place.copy(),
        whole_NT4=box.copy(),
        area_NT=area * hidden,
        color_NT3=color * hidden[:, :, None],
        shape_NTS=shapes * hidden[:, :, None],
        form_NT4=np.zeros((n, frames, 4)) * hidden[:, :, None],
        visible_NT=seen.astype(np.float64),
        confidence_NT=0.9 * hidden,
        nouns=(None,) * n,
        camera_T4=camera,
        **more,
    )


def cast_of(
    paths: Sequence[Path], expect: Mapping[str, Any], frames: int = 16, **more: Any
) -> RoleAssignment:
    """Assign such tracks to an expectation; ``ideal`` holds unless something else is said."""
    stated = {"objects": BALLS[: len(paths)], "ideal": True, **expect}
    return assignment_for(tracks_of(paths, frames, **more), stated)
