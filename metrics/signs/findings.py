"""What a sign of generated physics is: how strong, and where."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Sign"]


@dataclass(frozen=True)
class Sign:
    """One finding.

    Attributes:
        strength: in [0, 1].
        frame: the first that shows it.
        box: left, top, right, bottom in pixels, the last two excluded.
        kind: what happens, in a word.
        shot: first and last frame of the shot that shows it, where the clip has several.
    """

    strength: float
    frame: int
    box: tuple[int, int, int, int]
    kind: str
    shot: tuple[int, int] | None = None
