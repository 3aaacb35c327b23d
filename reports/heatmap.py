"""A heat map of rates as a table: a row per category, a column per family.

Each cell has a rate, its interval and n.

Because it is a table, screen readers can navigate it by its headings, its numbers can be searched, and it can
be read without the shades. The shades differ only in lightness, in `STEPS` steps from the paper to one
colour, so that they work without colour vision and in both schemes. Text has a contrast of at least 4.5:1 on
each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .charts import colours

__all__ = ["STEPS", "HeatCell", "HeatMap", "heat_css", "heat_map", "heat_shades", "heat_step"]

STEPS = 10
"""Number of shades; bare paper is a rate of exactly 0."""
_DEEPEST = (0.62, 0.53)
"""Share of the full colour in the last shade, in the light and in the dark scheme."""


@dataclass(frozen=True)
class HeatCell:
    """One cell as text, and its shade.

    Without a value it has a dash and no shade. ``why`` gives the reason, and what is left out.
    """

    value: str
    interval: str
    n: str
    why: str
    step: int | None


@dataclass(frozen=True)
class HeatMap:
    """A title, headings, and the cells of each row in the order of the columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]


def heat_map(
    title: str,
    rows: Mapping[str, str],
    columns: Sequence[str],
    cells: Mapping[tuple[str, str], HeatCell],
    *,
    empty: HeatCell,
) -> HeatMap:
    """Arrange ``cells`` by (row, column); ``rows`` maps rows to headings; ``empty`` fills missing cells."""
    laid = ((head, tuple(cells.get((row, c), empty) for c in columns)) for row, head in rows.items())
    return HeatMap(title, tuple(columns), tuple(laid))


def heat_step(value: float) -> int:
    """Return the shade of a rate in [0, 1]: 0 for a rate of 0, else 1 to `STEPS` by tenths.

    Example:
        >>> [heat_step(value) for value in (0.0, 0.001, 0.1, 0.11, 1.0)]
        [0, 1, 1, 2, 10]
    """
    return 0 if value == 0 else min(STEPS, max(1, math.ceil(round(value * STEPS, 9))))


def heat_shades() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List the shades from 0 to `STEPS` as hex colours, in the light and in the dark scheme."""
    light, dark = (
        tuple(_mixed(paper, full, deepest * step / STEPS) for step in range(STEPS + 1))
        for paper, full, deepest in zip(colours("paper"), colours("bad"), _DEEPEST, strict=True)
    )
    return light, dark


def heat_css() -> str:
    """Write the shades as classes ``heat-0`` and so on, for both schemes."""
    light, dark = ("".join(f".heat-{k}{{background:{c}}}" for k, c in enumerate(s)) for s in heat_shades())
    return f"{light}\n@media screen and (prefers-color-scheme:dark){{{dark}}}\n"


def _mixed(one: str, other: str, share: float) -> str:
    parts = ((int(one[k : k + 2], 16), int(other[k : k + 2], 16)) for k in (1, 3, 5))
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in parts)
