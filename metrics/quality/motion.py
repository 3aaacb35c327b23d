"""Measures of motion: flicker, repeated frames, warping error and dynamic degree.

A clip without motion has no flicker and no warping error, so read the first two together with the third.
"""

from __future__ import annotations

import numpy as np

from ..base import NotApplicable, Sample, Scored, measure
from ..stretches import longest_stretch
from .blank import BLANK, refuse_blank

__all__ = [
    "DYNAMIC_THRESHOLD",
    "dynamic_degree",
    "flicker",
    "repeat_limit",
    "repeated_frames",
    "warping_error",
]

DYNAMIC_THRESHOLD = 6 / 256
"""A pair of frames moves when the top 5 % of its flow is above this share of min(H, W) (VBench)."""
_SAME = 0.05
"""Levels of 255 under which two frames are one."""


@measure(
    "motion.flicker",
    version=2,
    needs=("pixels", BLANK),
    better="higher",
    bounds=(0.0, 1.0),
    sees={"noise": "falls", "flicker": "falls"},
)
def flicker(sample: Sample) -> Scored:
    """Similarity of neighbouring frames: (255 - mean |I_t - I_t+1|) / 255, 1 for a frozen clip.

    The mean is over pixels, channels and pairs, in 8-bit levels. VBench (Huang et al. 2024, "temporal
    flickering") uses it on prompts for still scenes; on moving scenes it falls with motion.

    Raises:
        NotApplicable: the clip has one frame, or is blank.
    """
    refuse_blank(sample)
    difference = sample.features["pixels"][:, 0]
    if not len(difference):
        raise NotApplicable("one frame")
    worst = int(difference.argmax())
    return Scored(
        float((255.0 - difference.mean()) / 255.0),
        {"worst_pair": worst, "worst_value": float((255.0 - difference[worst]) / 255.0)},
    )


@measure(
    "motion.repeated_frames",
    version=1,
    needs=("pixels", BLANK),
    better="lower",
    bounds=(0.0, 1.0),
    sees={"freeze": "rises", "repeat": "rises"},
)
def repeated_frames(sample: Sample) -> Scored:
    """Share of the frames that repeat the one before them: a freeze, or a rate raised by doubling frames.

    A frame repeats the one before if they differ by less than 0.05 levels of 255 on average, or by less than
    a twentieth of what neighbours in the clip differ by, at the 75th percentile: coding can leave a little. A
    drawing of a still scene is one repeated frame, too, so read it beside `motion.dynamic_degree`.

    Raises:
        NotApplicable: the clip has one frame, or is blank.
    """
    refuse_blank(sample)
    difference = sample.features["pixels"][:, 0]
    if not len(difference):
        raise NotApplicable("one frame")
    limit = repeat_limit(difference)
    repeats = difference < limit
    return Scored(
        float(repeats.mean()),
        {"repeated": int(repeats.sum()), "longest_freeze": longest_stretch(repeats), "limit": limit},
    )


def repeat_limit(difference_T: np.ndarray) -> float:
    """Return the mean difference under which a frame repeats another, in levels of 255.

    Args:
        difference_T: mean absolute differences of neighbouring frames of the clip, one or more.
    """
    return max(_SAME, float(np.percentile(difference_T, 75)) / 20)


@measure(
    "motion.warping_error",
    version=2,
    needs=("flow", BLANK),
    better="lower",
    bounds=(0.0, 3.0),
    sees={"noise": "rises", "flicker": "rises"},
)
def warping_error(sample: Sample) -> Scored:
    """Change not explained by motion: mean over pairs of sum M |warp(I_t+1) - I_t|^2 / sum M.

    Colours are in [0, 1] and the square is summed over RGB; M leaves out what is occluded, at a motion
    boundary or outside the frame (Lai et al. 2018, section 4.2, there with FlowNet2, here with DIS). Pairs
    without a valid pixel are left out and counted in the evidence.

    Raises:
        NotApplicable: the clip has one frame or is blank, or no pair has a valid pixel (cuts only).
    """
    refuse_blank(sample)
    error, valid, motion = sample.features["flow"].T
    if not len(error):
        raise NotApplicable("one frame")
    used = valid > 0
    if not used.any():
        raise NotApplicable("no pixel can be followed from any frame to the next")
    return Scored(
        float((error[used] / valid[used]).mean()),
        {
            "pairs": int(used.sum()),
            "pairs_left_out": int((~used).sum()),
            "valid_share": float(valid.mean()),
            "mean_top_motion": float(motion.mean()),
        },
    )


@measure(
    "motion.dynamic_degree",
    version=2,
    needs=("dynamics", BLANK),
    better="neither",
    bounds=(0.0, 1.0),
    kind="rate",
    sees={"freeze": "falls"},
)
def dynamic_degree(sample: Sample) -> Scored:
    """Whether a clip moves: 1 when enough pairs of frames 1/8 s apart do.

    A pair moves when the mean of its largest 5 % of flow exceeds 6 min(H, W) / 256; of T sampled frames,
    max(1, round(T / 4)) pairs must (VBench, Huang et al. 2024, there with RAFT, here with DIS). A moving
    camera alone also makes 1.

    Raises:
        NotApplicable: fewer than two frames were sampled, or the clip is blank.
    """
    refuse_blank(sample)
    motion, seconds = sample.features["dynamics"].T
    if not len(motion):
        raise NotApplicable("fewer than two frames at 8 frames a second")
    moving = motion > DYNAMIC_THRESHOLD
    needed = max(1, round((len(motion) + 1) / 4))
    return Scored(
        float(moving.sum() >= needed),
        {
            "moving_share": float(moving.mean()),
            "moving_pairs": int(moving.sum()),
            "needed_pairs": needed,
            "median_top_motion": float(np.median(motion)),
            "seconds_apart": float(seconds[0]),
        },
    )
