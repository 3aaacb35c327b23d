"""Draw tables on the terminal, as wide as that is: no word is broken, and nothing is dropped."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.presentation import Content, Table
from ..core.text import printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_rows"]

_NO_TERMINAL = 160
"""Columns where the output goes into a file or a pipe, and COLUMNS does not say."""
_GAP = 2
_LONG = 48
"""Text longer than this has a line of its own where a row is written as a block."""


def print_rows(table: Table) -> None:
    """Print a table to stdout.

    The interval of a cell stands beside its value, or below it where that is too wide; if the words still do
    not fit, each row becomes a block of its own.
    """
    from rich.console import Console
    from rich.text import Text

    told = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    console = Console(file=sys.stdout, width=None if told else _NO_TERMINAL, highlight=False)
    beside = [[_text(cell, " ") for cell in row] for row in table.rows]
    below = [[_text(cell, "\n") for cell in row] for row in table.rows]
    # Text, here and below: brackets in prompts are not markup.
    console.print(Text(printable(table.title), "bold"), soft_wrap=not told)
    tries = ((beside, False, True), (below, False, True), (below, True, True), (below, True, False))
    for cells, wrap, whole in tries:
        widths = _widths(table.columns, cells, console.width, wrap=wrap, whole=whole)
        if widths is not None:
            _print_grid(console, table.columns, cells, widths)
            break
    else:
        _print_blocks(console, table.columns, beside)
    for note in table.notes:
        console.print(Text(printable(note)), soft_wrap=not told)


def _text(cell: Content, between: str) -> str:
    if isinstance(cell, str):
        return printable(cell)
    return between.join(printable(part) for part in (cell.value, cell.interval) if part)


def _widths(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, wrap: bool, whole: bool
) -> list[int] | None:
    """Find widths of the columns that fit; None if there are none.

    Args:
        wrap: whether lines may be broken between words, and with ``whole`` not within an interval.
    """
    from rich.cells import cell_len

    cells = [[name, *(row[k] for row in rows)] for k, name in enumerate(columns)]
    natural = [max(cell_len(line) for cell in column for line in cell.split("\n")) for column in cells]
    room = width - _GAP * (len(columns) - 1)
    if sum(natural) <= room:
        return natural
    least = [max(cell_len(part) for cell in column for part in _unbroken(cell, whole)) for column in cells]
    if not wrap or sum(least) > room:
        return None
    # The highest cap that fits: narrow columns keep their width, wide ones share what is left.
    cap = max(natural)
    while True:
        widths = [max(small, min(full, cap)) for small, full in zip(least, natural, strict=True)]
        if sum(widths) <= room:
            return widths
        cap -= 1


def _unbroken(cell: str, whole: bool) -> list[str]:
    lines = cell.split("\n")
    return [
        part
        for line in lines
        for part in ([line] if whole and line.startswith("[") else line.split() or [""])
    ]


def _print_grid(
    console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]
) -> None:
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    several = any("\n" in cell or len(cell) > w for row in rows for cell, w in zip(row, widths, strict=True))
    # A blank line between rows of several lines, or it could not be seen where one ends.
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    grid.leading = int(several)
    for name, width in zip(columns, widths, strict=True):
        grid.add_column(Text(printable(name)), width=width, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    console.print()
    console.print(grid)
    console.print()


def _print_blocks(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console.print()
    for row in rows:
        console.print(Text(row[0]))
        said = [f"{name}: {cell}" for name, cell in zip(columns[1:], row[1:], strict=True) if cell]
        short = "; ".join(text for text in said if len(text) <= _LONG)
        for text in (short, *(text for text in said if len(text) > _LONG)):
            if text:
                console.print(Padding(Text(text), (0, 0, 0, 2)))
        console.print()
