"""The relative similarity of a clip to a training clip: how much nearer it is than to other real clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...harness.core.keys import Json
from .search import Match
from .verified_search import VerifiedMatch

__all__ = ["Nearest"]

_FLOOR: Final = 1e-3
"""Least distance: below it two clips differ by the noise of codecs."""
_RESIDUAL_FLOOR: Final = 0.05
"""The same of residuals, whose unit is that noise at its largest."""


@dataclass(frozen=True)
class Nearest:
    """How near a clip is to the training set, or to one clip of it.

    Attributes:
        match: the nearest training clip, or the one that was asked for.
        other: the nearest held-out clip.
        relative: 1 for a copy, 0 for a clip as near to a training clip as to another; at least -1.
    """

    match: Match
    other: Match

    @property
    def relative(self) -> float:
        """Return the relative similarity."""
        if isinstance(self.match, VerifiedMatch) and isinstance(self.other, VerifiedMatch):
            near, far = self.match.residual, self.other.residual
            if not np.isfinite(near):
                return -1.0
            return max(1.0 - near * near / (far + _RESIDUAL_FLOOR), -1.0)
        near, far = (1.0 - one.similarity + _FLOOR for one in (self.match, self.other))
        return max(1.0 - near / far, -1.0)

    def evidence(self) -> dict[str, Json]:
        """List which clips they are, where, and how near."""
        found: dict[str, Json] = {
            "training_clip": self.match.clip,
            "similarity": round(self.match.similarity, 6),
            "other_similarity": round(self.other.similarity, 6),
            "relative": round(self.relative, 6),
            "row": self.match.row,
            "training_row": self.match.at,
        }
        if isinstance(self.match, VerifiedMatch):
            window = self.match.window
            place = window.place
            found["window"] = [round(at, 4) for at in (place.top, place.left, place.height, place.width)]
            found["mirrored"] = window.mirrored
            found["not_compared"] = [window.above, window.below]
        return found
