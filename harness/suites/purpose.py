"""What a suite is for, and what of it is measured by what: said once, in the suite file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from pydantic import Field, model_validator

from ..core.config import Config

__all__ = ["NOT_MEASURED", "VIEWER", "Asked", "Purpose", "purpose_text"]

VIEWER = "judge.vlm"
"""The measure that asks a viewer the questions of prompts; a suite names it without taking it."""
NOT_MEASURED = "not measured"


class Asked(Config):
    """One thing that a suite asks for, and what says whether clips have it."""

    what: str = Field(min_length=1, description="what clips are asked for, such as camera moves")
    by: tuple[str, ...] = Field(default=(), description="measures that hold clips to it; none: not measured")
    how: str = Field(default="", description="how surely they say so, in a few words")

    @model_validator(mode="after")
    def _is_known_how_surely(self) -> Self:
        if self.by and not self.how:
            raise ValueError(f"say under 'how' how surely {', '.join(self.by)} measure {self.what!r}")
        return self


class Purpose(Config):
    """What a suite is for, and what of it is measured, by what, and how surely."""

    use: str = Field(min_length=1, description="who uses the suite, and for what, in a sentence or two")
    asks: tuple[Asked, ...] = Field(min_length=1, description="what it asks for, measured or not")


def purpose_text(purpose: Purpose) -> str:
    """Write a purpose in Markdown: its use, and a table of what the suite asks for."""
    return "\n".join(
        [purpose.use, "", "| asked for | measured by | how surely |", "|---|---|---|", *_rows(purpose)]
    )


def _rows(purpose: Purpose) -> Iterator[str]:
    for asked in purpose.asks:
        by = ", ".join(f"`{name}`" for name in asked.by) or NOT_MEASURED
        cells = (cell.replace("|", "\\|") for cell in (asked.what, by, asked.how or "-"))
        yield f"| {' | '.join(cells)} |"
