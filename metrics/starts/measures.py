"""Measures of clips that start from an image or a video. Text alone is not applicable to them."""

from __future__ import annotations

import math

from ..base import NotApplicable, Sample, Scored, measure
from .encoder import START, START_COLUMNS

__all__ = ["edit_locality", "seam", "start_fidelity"]


@measure("start.fidelity", version=1, needs=(START,), better="higher", bounds=(0.0, 60.0), unit="dB")
def start_fidelity(sample: Sample) -> float:
    """PSNR of a clip to what it starts from: its first frame to the image, or its nearest to a video's end.

    60 dB is as good as equal. A clip that holds new frames alone is compared by its nearest frame, so it lies
    lower than one that repeats the video's.

    Raises:
        NotApplicable: the clip starts from text alone, or edits a video.
    """
    return _column(sample, "fidelity", "an edit has no first frame to keep")


@measure("start.seam", version=1, needs=(START,), better="lower", bounds=(0.0, None), unit="x")
def seam(sample: Sample) -> float:
    """Step from the given video to what was made of it, over the median step of the clip; 1 is no seam.

    Steps are mean absolute differences of neighbouring frames, with half a level added to both. A cut in the
    clip away from the seam does not count; a scene that starts to move at the seam does.

    Raises:
        NotApplicable: the clip does not extend or connect videos, or holds the given video alone.
    """
    return _column(sample, "seam", "there is no seam in time")


@measure("edit.kept", version=1, needs=(START,), better="higher", bounds=(0.0, 1.0))
def edit_locality(sample: Sample) -> Scored:
    """Share of the pixels of the edited video that an edit leaves as they were, within 16 levels of 255.

    A clip without any edit has 1: read it beside what the edit was asked for, `follows.all` or `judge.vlm`.

    Raises:
        NotApplicable: the clip edits no video, or is longer than it.
    """
    return Scored(_column(sample, "kept", "the clip is no edit"))


def _column(sample: Sample, name: str, why: str) -> float:
    value = float(sample.features[START][0, START_COLUMNS.index(name)])
    if math.isnan(value):
        raise NotApplicable(why)
    return value
