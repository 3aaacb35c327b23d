"""The training clip that a prompt names, held against the clip that was generated for it.

Where a prompt is the caption of a training clip, one clip is asked about and not the nearest of all. The
threshold of the nearest is that of a search, the largest of as many comparisons as there are training clips.
The threshold here is that of one comparison: the 99.9th percentile of the relative similarity (`relative`)
over all pairs of a held-out clip and a training clip. So an imitation that is blurred is told where its
original is known. Of a held-out clip only the training clips that are most alike are laid over it: the others
are counted as pairs below the threshold. They are twice as many as lie above it, or more: of a large training
set more are laid over.

A prompt that describes its clip makes a faithful generator come nearer to it than a held-out clip does: the
novel prompt of the pair, which describes the same, shows by how much.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...harness.core.files import write_atomic
from ...harness.core.progress import note
from ...metrics.base import Reference
from ...metrics.encoders.base import Feature
from .relative import Nearest
from .search import clip_starts
from .thumbnails import FEATURE
from .verified_search import RETRIEVED, VerifiedMatch, retrieved_clips, verified_clips

__all__ = ["NAMED_QUANTILE", "NamedCalibration", "NamedClips"]

NAMED_QUANTILE: Final = 0.999


@dataclass(frozen=True)
class NamedCalibration:
    """The threshold of one comparison.

    Attributes:
        threshold: of the relative similarity, exceeded by copies.
        pairs: of a held-out clip and a training clip, that it was computed from.
        held_out: clips in those pairs.
    """

    threshold: float
    pairs: int
    held_out: int


class NamedClips:
    """The clips of a training set by name, and the threshold of a comparison with one of them.

    Args:
        train: the training set, with thumbnails.
        others: the held-out clips, the nearest of which a clip is held against.
        calibrating: the held-out clips that the threshold is computed from, with their thumbnails.
        path: file where the threshold is kept.
    """

    def __init__(
        self, train: Reference, others: Reference, calibrating: Sequence[tuple[str, Feature]], path: Path
    ) -> None:
        self._train, self._others, self._calibrating, self._path = train, others, calibrating, path
        rows = train.features[FEATURE]
        starts, names = clip_starts(train.clips[FEATURE])
        ends = [*map(int, starts[1:]), len(rows)]
        self._rows = {name: rows[int(a) : b] for name, a, b in zip(names, starts, ends, strict=True)}
        self._calibration: NamedCalibration | None = None

    def __contains__(self, name: object) -> bool:
        """Say whether the training set has a clip of this name."""
        return name in self._rows

    def nearness(self, rows: Feature, name: str) -> Nearest:
        """Find how near a clip is to the training clip of a name.

        Args:
            rows: thumbnails of the clip, (T, 3072).
            name: of a clip of the training set.

        Raises:
            KeyError: the training set has no such clip.
        """
        return Nearest(self._match(rows, name), verified_clips([rows], self._others, FEATURE)[0])

    @property
    def calibration(self) -> NamedCalibration:
        """Return the threshold; it is computed once and kept."""
        if self._calibration is None:
            self._calibration = self._read() or self._calibrated()
        return self._calibration

    def _match(self, rows: Feature, name: str) -> VerifiedMatch:
        clip = Reference(name, {FEATURE: self._rows[name]}, {FEATURE: [name] * len(self._rows[name])}, 1)
        return verified_clips([rows], clip, FEATURE)[0]

    def _calibrated(self) -> NamedCalibration:
        pairs = len(self._calibrating) * len(self._rows)
        note(
            f"memorisation: {len(self._calibrating):,} held-out clips are compared with the training clips "
            "that are most alike, once, for the threshold of clips that are named"
        )
        queries = [rows for _, rows in self._calibrating]
        others = verified_clips(queries, self._others, FEATURE)
        most = max(RETRIEVED, round(2 * (1 - NAMED_QUANTILE) * len(self._rows)))
        retrieved = retrieved_clips(queries, self._train, FEATURE, most)
        values = np.full(pairs, -1.0)
        done = 0
        for rows, other, alike in zip(queries, others, retrieved, strict=True):
            for name in alike:
                values[done] = Nearest(self._match(rows, name), other).relative
                done += 1
        made = NamedCalibration(
            threshold=float(np.quantile(values, NAMED_QUANTILE, method="higher")),
            pairs=pairs,
            held_out=len(self._calibrating),
        )
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._path, json.dumps(asdict(made)))
        return made

    def _read(self) -> NamedCalibration | None:
        try:
            told: dict[str, Any] = json.loads(self._path.read_text("utf-8"))
            return NamedCalibration(**told)
        except (OSError, ValueError, TypeError):
            return None
