"""What puzzles ask for: the keys ``maze``, ``clock`` and ``tower`` of an ``expect``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from ..harness.core.colors import GOAL_COLORS
from ..harness.core.config import Config
from ..harness.core.errors import unknown_name

__all__ = ["Cell", "ExpectedClock", "ExpectedMaze", "ExpectedTower", "ways_from"]

Cell = tuple[int, int]
"""Row and column of a maze, counted from 0 at the top left."""
_LARGEST: Final = 60  # cells of an edge of a maze
_TIME: Final = re.compile(r"(1[0-2]|[1-9]):([0-5][0-9])")


def _goal_color(color: str) -> str:
    if color not in GOAL_COLORS:
        raise ValueError(str(unknown_name("color of a puzzle's thing", color, GOAL_COLORS)))
    return color


def _time_of_day(time: str) -> str:
    if not _TIME.fullmatch(time):
        raise ValueError(f"should be a time of a clock from '1:00' to '12:59', not {time!r}")
    return time


GoalColor = Annotated[str, AfterValidator(_goal_color), Field(json_schema_extra={"enum": list(GOAL_COLORS)})]
Time = Annotated[str, AfterValidator(_time_of_day)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class ExpectedMaze(Config):
    """A maze seen from above, through which a thing of one color should travel from S to G."""

    rows: tuple[str, ...] = Field(
        min_length=3,
        max_length=_LARGEST,
        description="the cells, a string a row: # is a wall, . is free, S is the start and G the goal",
    )
    color: GoalColor = Field(description="of the thing that travels")
    area: tuple[Share, Share, Share, Share] = Field(
        default=(0.0, 0.0, 1.0, 1.0),
        description="where the maze is in the picture: left, top, right and bottom as shares of its size",
    )

    @model_validator(mode="after")
    def _can_be_walked(self) -> Self:
        if len({len(row) for row in self.rows}) != 1 or not 3 <= len(self.rows[0]) <= _LARGEST:
            raise ValueError(f"the rows of a maze are of one length, 3 to {_LARGEST} cells")
        signs = "".join(self.rows)
        odd = sorted(set(signs) - set("#.SG"))
        if odd:
            raise ValueError(f"a maze is written with #, ., S and G, and has {odd[0]!r}")
        if (signs.count("S"), signs.count("G")) != (1, 1):
            raise ValueError("a maze has one S, its start, and one G, its goal")
        left, top, right, bottom = self.area
        if right <= left or bottom <= top:
            raise ValueError(
                "the area of a maze is left, top, right, bottom, with left < right and top < bottom"
            )
        if self.find("G") not in ways_from(self.rows, self.find("S")):
            raise ValueError("no way leads from S to G")
        return self

    def find(self, sign: str) -> Cell:
        """Find the cell of S or G."""
        return next((i, row.index(sign)) for i, row in enumerate(self.rows) if sign in row)


def ways_from(rows: Sequence[str], start: Cell) -> dict[Cell, int]:
    """Count the steps from a cell of a maze to each cell that can be reached."""
    far, todo = {start: 0}, [start]
    for i, j in todo:
        for after in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
            row, column = after
            inside = 0 <= row < len(rows) and 0 <= column < len(rows[0])
            if inside and rows[row][column] != "#" and after not in far:
                far[after] = far[i, j] + 1
                todo.append(after)
    return far


class ExpectedClock(Config):
    """A clock whose two hands should go on, clockwise, from one time to another less than 12 hours later."""

    begins: Time = Field(alias="from", description="the time at first, such as '3:25'")
    ends: Time = Field(alias="to", description="the time at last")
    hour: GoalColor = Field(description="color of the hour hand")
    minute: GoalColor = Field(description="color of the minute hand, another one")
    centre: tuple[Share, Share] = Field(
        default=(0.5, 0.5), description="of the face, as shares of the picture's width and height"
    )
    radius: float = Field(
        gt=0, le=1, description="of the face, as a share of the picture's height", allow_inf_nan=False
    )

    @model_validator(mode="after")
    def _hands_differ(self) -> Self:
        if self.hour == self.minute:
            raise ValueError("the hands of a clock have two colors")
        if self.begins == self.ends:
            raise ValueError("a clock goes on from one time to another")
        return self

    @property
    def minutes(self) -> tuple[int, int]:
        """The first time in minutes since 12 o'clock, and how many minutes it goes on."""
        first, last = (
            60 * (int(h) % 12) + int(m) for h, _, m in (t.partition(":") for t in (self.begins, self.ends))
        )
        return first, (last - first) % 720


class ExpectedTower(Config):
    """Blocks, each of its own color, that should be stacked one by one on the first of them."""

    order: tuple[GoalColor, ...] = Field(
        min_length=2,
        max_length=len(GOAL_COLORS),
        description="colors of the blocks from the bottom to the top",
    )

    @model_validator(mode="after")
    def _colors_differ(self) -> Self:
        if len(set(self.order)) != len(self.order):
            raise ValueError("each block of a tower has a color of its own")
        return self
