"""A heat map of rates as inline SVG: a row a category, a column a family, in each cell a rate and its n.

The shade is one colour of the palette at an opacity that follows the rate, so that it reads on light and dark
paper alike; the number stands in the cell, so that nothing rests on the shade.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .charts import light_colour

__all__ = ["HeatCell", "heat_map"]

_CELL_W, _CELL_H, _CHAR, _SLANT = 50, 32, 6.4, 0.6
_DEEPEST = 0.5
"""Opacity of a rate of 1; ink on top of it keeps a contrast of 4.5:1 in both schemes."""


@dataclass(frozen=True)
class HeatCell:
    """One cell: its value in [0, 1], or None, the words in it, and what a reader is told of it."""

    value: float | None
    text: str
    small: str
    said: str


def heat_map(
    title: str, rows: Sequence[str], columns: Sequence[str], cells: Mapping[tuple[str, str], HeatCell]
) -> str:
    """Draw the map as an SVG element; what is not in ``cells`` stays empty.

    Args:
        title: said to a screen reader, before the values.
        rows, columns: names in their order; they are escaped.
        cells: (row, column) -> cell.
    """
    left = max((len(row) for row in rows), default=0) * _CHAR + 14
    rise = max((len(column) for column in columns), default=0) * _CHAR * _SLANT + 16
    lean = max((len(column) for column in columns), default=0) * _CHAR * (1 - _SLANT) + 12
    width, height = left + _CELL_W * len(columns) + lean, rise + _CELL_H * len(rows) + 4
    said = "; ".join(cell.said for cell in cells.values())
    parts = [
        f'<svg class="chart heat" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img">'
        f"<title>{html.escape(title)}</title><desc>{html.escape(said)}</desc>"
    ]
    ink, muted = light_colour("ink"), light_colour("muted")
    for k, column in enumerate(columns):
        x, y = left + _CELL_W * (k + 0.5), rise - 8
        parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" transform="rotate(-38 {x:.1f} {y:.1f})" font-size="11" '
            f'fill="{ink}">{html.escape(column)}</text>'
        )
    for j, row in enumerate(rows):
        y = rise + _CELL_H * j
        parts.append(
            f'<text x="{left - 10:.1f}" y="{y + _CELL_H / 2 + 4:.1f}" text-anchor="end" font-size="12" '
            f'fill="{ink}">{html.escape(row)}</text>'
        )
        parts += [
            _cell(cells[row, column], left + _CELL_W * k, y, (ink, muted))
            for k, column in enumerate(columns)
            if (row, column) in cells
        ]
    return "".join((*parts, "</svg>"))


def _cell(cell: HeatCell, x: float, y: float, paints: tuple[str, str]) -> str:
    ink, muted = paints
    middle = x + (_CELL_W - 2) / 2
    opacity = 0.0 if cell.value is None else _DEEPEST * min(1.0, max(0.0, cell.value))
    box = f'x="{x + 1:.1f}" y="{y + 1:.1f}" width="{_CELL_W - 2}" height="{_CELL_H - 2}"'
    frame = f'<rect {box} fill="none" stroke="{light_colour("grid")}"/>'
    shade = f'<rect {box} fill="{light_colour("bad")}" fill-opacity="{opacity:.3f}"/>' if opacity else ""
    return (
        f"<g><title>{html.escape(cell.said)}</title>{shade}{frame}"
        f'<text x="{middle:.1f}" y="{y + 15:.1f}" text-anchor="middle" font-size="12" fill="{ink}">'
        f"{html.escape(cell.text)}</text>"
        f'<text x="{middle:.1f}" y="{y + 26:.1f}" text-anchor="middle" font-size="9" '
        f'fill="{ink if opacity else muted}">{html.escape(cell.small)}</text></g>'
    )
