"""How large a clip is taken to be before a viewer: as WCAG 2.3.1 takes a page.

WCAG gives its area as a number of pixels of a screen of 1024 x 768, seen from where 341 x 256 of them fill a
visual field of 10 degrees; so the screen is 30 degrees wide. A clip fills that screen as large as it goes
whole: one of 16:9 takes 1024 x 576. Shown smaller it is safer, and shown larger or nearer it is less safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...harness.core.keys import Json

__all__ = ["Area", "Grid", "grid_of", "identity"]

SCREEN: Final = (1024, 768)
FIELD: Final = (341, 256)
"""Width and height of the screen, and of a visual field of 10 degrees on it, in pixels of the screen."""
SHARE: Final = 0.25
"""Share of a visual field, or of the picture, that may flash."""
_CELL: Final = 0.1 * FIELD[0] / 10
"""Side of the largest cell, in pixels of the screen, 0.1 degree, below which WCAG exempts balance."""


@dataclass(frozen=True)
class Area:
    """A rectangle of cells that flashes are counted in, at every place of the picture that it fits.

    Attributes:
        rows, columns: of the rectangle, in cells.
        limit: number of cells of which more may not flash together.
    """

    rows: int
    columns: int
    limit: float

    def counts(self, flags_RC: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Count the cells that are set in the rectangle at each of its places."""
        import cv2

        counts = cv2.boxFilter(
            flags_RC.astype(np.float32),
            cv2.CV_32F,
            (self.columns, self.rows),
            anchor=(0, 0),
            normalize=False,
            borderType=cv2.BORDER_CONSTANT,
        )
        rows, columns = flags_RC.shape
        return np.rint(counts[: rows - self.rows + 1, : columns - self.columns + 1])


@dataclass(frozen=True)
class Grid:
    """The cells that a frame is divided into, each of one color from here on.

    Attributes:
        rows, columns: number of cells; no more than the clip has pixels.
        cell: area of a cell in pixels of the screen.
        field: the visual field of 10 degrees.
    """

    rows: int
    columns: int
    cell: float
    field: Area

    @property
    def picture(self) -> Area:
        """The whole picture."""
        return Area(self.rows, self.columns, SHARE * self.rows * self.columns)


def grid_of(height: int, width: int) -> Grid:
    """Divide frames of a size into cells."""
    scale = min(SCREEN[0] / width, SCREEN[1] / height)
    shown = (height * scale, width * scale)
    rows, columns = (min(n, max(1, round(s / _CELL))) for n, s in zip((height, width), shown, strict=True))
    sides = (shown[0] / rows, shown[1] / columns)
    cell = sides[0] * sides[1]
    field = Area(
        min(rows, max(1, round(FIELD[1] / sides[0]))),
        min(columns, max(1, round(FIELD[0] / sides[1]))),
        SHARE * FIELD[0] * FIELD[1] / cell,
    )
    return Grid(rows, columns, cell, field)


def identity() -> Mapping[str, Json]:
    """List what the division depends on."""
    return {"screen": list(SCREEN), "field": list(FIELD), "share": SHARE, "cell": _CELL}
