"""The recall card of memorisation: planted copies of a suite's training set, looked up as its measures do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...metrics.encoders.base import EncoderOptions
from ...metrics.validation.trial_log import run_trials
from ...safety.memorisation.measures import SETTING
from ...safety.memorisation.recall_card import (
    CopyTrial,
    RecallCard,
    copy_trials,
    recall_rows,
    run_copy_trial,
    threshold_row,
)
from ...safety.memorisation.training_sets import INDEXED, TRAIN, TrainingSets
from ..catalog import MEASURES
from ..core.errors import UsageError
from ..core.files import write_atomic
from ..core.keys import digest, file_sha256
from ..core.storage import Place
from ..scoring.instruments import check_encoders, instruments
from ..suites.reference_sets import ReferenceClips
from ..suites.suite import Suite

__all__ = ["CARD", "make_recall_card"]

CARD: Final = "recall.json"
_ROWS: Final = "recall-trials.jsonl"
_MOST_BYTES: Final = 1 << 28
"""Of a clip's decoded frames; a longer clip is copied as far as that goes."""


def make_recall_card(
    suite: Suite, out: Path, cache: Place, options: EncoderOptions, *, n: int, seed: int, confidence: float
) -> RecallCard:
    """Plant copies of a suite's training set and look them up; the same call goes on where one was stopped.

    Args:
        suite: with measures of memorisation, and the reference sets ``train`` and ``held_out``.
        out: folder of the card and of the log of its trials.
        cache: of features and thresholds.
        options: of the encoders.
        n: clips that are copied.
        seed: of which clips those are.
        confidence: of the intervals.

    Raises:
        UsageError: the suite has no measure that reads a training set, or its sets do not do.
    """
    reading = [name for name in suite.measures if SETTING in MEASURES.get(name).settings]
    if not reading:
        raise UsageError(
            f"the suite {suite.name!r} has no measure that compares clips with a training set; add one with "
            "--measures, such as memorisation.hash_replicated"
        )
    tools = instruments(suite.model_copy(update={"measures": tuple(reading)}), cache, options)
    check_encoders(tools)
    tools.prepare()
    sets = tools.settings[SETTING]
    assert isinstance(sets, TrainingSets)  # by its name
    encoders = {name: encoder for name, encoder in tools.encoders.items() if name in INDEXED}
    source = ReferenceClips(suite.references[TRAIN], suite.clip)
    trials = copy_trials(source.size, n, seed)
    clips = _Clips(source, sorted({trial.number for trial in trials}))
    settings: dict[str, Any] = {
        "suite": f"{suite.name} v{suite.version}",
        "features": sorted(encoders),
        "training_sets": sets.digest,
        "n": n,
        "seed": seed,
        "code": _code(),
    }
    rows = run_trials(
        trials,
        lambda trial: run_copy_trial(trial, clips.get(trial), encoders, sets),
        out / _ROWS,
        settings,
    )
    card = RecallCard(
        settings=settings,
        thresholds=tuple(threshold_row(name, sets.calibration(name), confidence) for name in encoders),
        rows=tuple(recall_rows(rows, confidence)),
    )
    write_atomic(out / CARD, card.model_dump_json(indent=1) + "\n")
    return card


class _Clips:
    """The clips that are copied, decoded one at a time in the order of the trials."""

    def __init__(self, source: ReferenceClips, numbers: list[int]) -> None:
        self._open = self._decoded(source, numbers)
        self._now: tuple[int, tuple[str, NDArray[np.uint8], float]] | None = None

    def get(self, trial: CopyTrial) -> tuple[str, NDArray[np.uint8], float]:
        """Return the name, the frames and the frame rate of a trial's clip."""
        while self._now is None or self._now[0] != trial.number:
            self._now = next(self._open)
        return self._now[1]

    @staticmethod
    def _decoded(
        source: ReferenceClips, numbers: list[int]
    ) -> Iterator[tuple[int, tuple[str, NDArray[np.uint8], float]]]:
        for number, name, clip in source.chosen(numbers):
            parts: list[NDArray[np.uint8]] = []
            size = 0
            for window in clip.windows():
                parts.append(window.frames_THWC)
                size += window.frames_THWC.nbytes
                if size > _MOST_BYTES:
                    break
            yield number, (name, np.concatenate(parts), clip.info.fps)


def _code() -> str:
    """Hash the code that a trial depends on, so that trials of other code are not mixed with these."""
    folder = Path(__file__).parents[2] / "safety" / "memorisation"
    return digest("recall card", {path.name: file_sha256(path) for path in sorted(folder.glob("*.py"))})[:16]
