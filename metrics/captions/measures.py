"""Caption-back consistency: what a captioner says of a clip, beside the prompt."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import MeasureFailed, NotApplicable, Sample, Scored, measure
from .encoder import CAPTION

__all__ = ["caption_alignment"]


@measure(
    "alignment.caption",
    version=1,
    needs=(CAPTION, f"{CAPTION}.text"),
    better="higher",
    bounds=(0.0, 100.0),
)
def caption_alignment(sample: Sample) -> Scored:
    """Likeness of the prompt and captions of the clip: mean of 100 max(cos(caption, prompt), 0).

    A captioner of images captions evenly spaced frames, one of video all of them at once. The cosine is of a
    sentence encoder; the evidence has the captions. A caption tells less, or other things, than a prompt:
    compare values of one captioner and one sentence encoder only, and do not read 100 as the goal.

    Raises:
        NotApplicable: the item has no prompt.
        MeasureFailed: the captioner said nothing.
    """
    text = sample.features.get(f"{CAPTION}.text")
    if sample.item.prompt is None or text is None:
        raise NotApplicable("no prompt")
    record = sample.records[CAPTION]
    captions: Any = record.meta["captions"]
    said = np.array([bool(caption["text"]) for caption in captions])
    if not said.any():
        raise MeasureFailed("the captioner said nothing")
    rows_CD = record.arrays["sentences"].astype(np.float64)
    score_C = 100.0 * np.clip(rows_CD @ text[0].astype(np.float64), 0.0, 1.0)
    evidence: dict[str, Any] = {"captions": captions, "lowest": float(score_C[said].min())}
    if not said.all():
        evidence["empty"] = int((~said).sum())
    return Scored(float(score_C[said].mean()), evidence)
