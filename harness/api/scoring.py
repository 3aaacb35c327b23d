"""Score videos that a program holds: the way of a run, without a generator."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import Unpack

from .. import run as running
from ..catalog import MEASURES
from ..core.counts import counted
from ..core.errors import UsageError
from ..core.items import Prompt
from ..core.keys import slug
from ..core.video_arrays import Layout, ValueRange, read_videos
from ..scoring.clips import TEXT
from .options import ScoreOptions, check_options, chosen_suite, settings_of
from .runs import Run
from .videos import HeldVideos, held_items, read_prompts

__all__ = ["process_cache", "refuse_missing_prompts", "score"]


def score(
    videos: Any,
    prompts: str | Sequence[str | Mapping[str, Any] | Prompt | None] | None = None,
    *,
    measures: Sequence[str] | str | None = None,
    layout: Layout | None = None,
    value_range: ValueRange | None = None,
    fps: float = 8.0,
    out: str | Path | None = None,
    **options: Unpack[ScoreOptions],
) -> Run:
    """Score videos: tensors, arrays, images, outputs of pipelines or files. The numbers are those of a run.

    Args:
        videos: one video, a batch, or a list; see `harness.core.video_arrays`.
        prompts: one a video: a text, or a mapping with ``text`` and ``tags``, ``labels``, ``expect``.
        measures: names of measures; by default those of the suite ``videos``, which need no weights.
        layout: order of the axes of arrays, such as ``TCHW``, where the shape leaves a choice.
        value_range: what black and white are in floats, such as ``(-1, 1)``; (0, 1) if not named.
        fps: frames a second of videos that are not files.
        out: the run folder to keep; by default it is a temporary one, which goes with what is returned.
        options: see `ScoreOptions`. Without ``out`` and ``cache``, features are kept until the process ends.

    Raises:
        UsageError: a video can be read in two ways, the number of prompts is another, a measure is unknown or
            lacks an encoder.

    Example:
        >>> import numpy as np
        >>> noise = np.random.default_rng(0).random((2, 8, 3, 32, 32))  # two videos of 8 frames
        >>> flicker = score(noise, measures="motion.flicker")["motion.flicker"]
        >>> flicker.n, round(flicker.value, 1)
        (2, 0.7)
    """
    known = check_options(options, ScoreOptions)
    if measures is not None:
        known = check_options({**known, "measures": measures})
    suite = chosen_suite("videos", known)
    held = read_videos(videos, layout=layout, value_range=value_range)
    asked = read_prompts(prompts, len(held))
    refuse_missing_prompts(suite.measures, asked)
    generator = HeldVideos(held, held_items(held, asked, suite, Counter()), fps)
    if out is not None:
        running.run(suite, generator, Path(out), settings_of(known))
        return Run(out)
    place = Path(tempfile.mkdtemp(prefix="screentest-score-"))
    scores = Run(place / slug(known.get("name", "scores")))
    weakref.finalize(scores, shutil.rmtree, place, ignore_errors=True)
    running.run(suite, generator, scores.path, settings_of(known, process_cache()))
    return scores


def refuse_missing_prompts(measures: Sequence[str], prompts: Sequence[Prompt | None]) -> None:
    """Refuse videos without a prompt for measures that compare them with one.

    Raises:
        UsageError: a measure is unknown, or needs the prompts that are missing.
    """
    missing = sum(prompt is None for prompt in prompts)
    reading = [name for name in measures if any(need.endswith(TEXT) for need in MEASURES.get(name).needs)]
    if missing and reading:
        raise UsageError(
            f"{reading[0]} compares a video with its prompt, and there is none for {missing} of "
            f"{counted(len(prompts), 'video')}; give prompts=[...], one a video"
        )


@functools.cache
def process_cache() -> Path:
    """Return the folder of a feature cache that is deleted when the process ends."""
    place = Path(tempfile.mkdtemp(prefix="screentest-cache-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place
