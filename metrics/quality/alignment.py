"""Measures of agreement between a clip and its prompt."""

from __future__ import annotations

import numpy as np

from ..base import NotApplicable, Sample, Scored, measure

__all__ = ["clip_alignment", "xclip_alignment"]


@measure(
    "alignment.clip",
    version=1,
    needs=("clip", "clip.text"),
    better="higher",
    bounds=(0.0, 100.0),
    sees={"caption": "falls"},
)
def clip_alignment(sample: Sample) -> Scored:
    """Agreement with the prompt: mean over frames of 100 max(cos(frame, prompt), 0).

    The factor 100 and the bare prompt are torchmetrics' CLIPScore; the clamp is on each frame, as in the
    definition of Hessel et al. 2021 (section 3), where torchmetrics clamps the mean. Their factor 2.5 and
    prefix "A photo depicts" are not applied, so values of the two conventions must not be mixed.

    Raises:
        NotApplicable: the item has no prompt.
    """
    text = sample.features.get("clip.text")
    if sample.item.prompt is None or text is None:
        raise NotApplicable("no prompt")
    f_TD = sample.features["clip"].astype(np.float64)
    text_D = text[0].astype(np.float64)
    length_T = np.linalg.norm(f_TD, axis=1) * np.linalg.norm(text_D)
    if (length_T == 0).any():
        raise NotApplicable("an embedding is zero")
    score_T = 100.0 * np.clip(f_TD @ text_D / length_T, 0.0, 1.0)
    return Scored(
        float(score_T.mean()),
        {
            "lowest_frame": int(score_T.argmin()),
            "lowest": float(score_T.min()),
            "highest": float(score_T.max()),
        },
    )


@measure("alignment.xclip", version=1, needs=("xclip",), better="higher", bounds=(0.0, 100.0))
def xclip_alignment(sample: Sample) -> Scored:
    """Agreement with the prompt: mean over windows of frames of 100 max(cos(window, prompt), 0), by X-CLIP.

    A video model sees the order of frames, which `alignment.clip` does not; what it makes of it is for its
    card to say.

    Raises:
        NotApplicable: the item has no prompt, or the clip has fewer frames than a window.
    """
    score_W = 100.0 * np.clip(sample.features["xclip"][:, 0].astype(np.float64), 0.0, 1.0)
    return Scored(float(score_W.mean()), {"windows": len(score_W), "lowest": float(score_W.min())})
