"""Set measures of single frames: how the pictures of a run are distributed, whatever their order in time."""

from __future__ import annotations

from typing import Final

from ...harness.core.estimate import RunEstimate
from ..base import Moves, RunSample, set_measure
from .frechet import frechet_value, leave_one_out
from .kernel import cmmd, gaussian_kernel, mmd_leave_one_out, unit_rows
from .run_values import SMALL, both_sets, estimate_of

__all__ = ["frame_cmmd", "frame_frechet_distance"]

_SEES: Final[dict[str, Moves]] = dict.fromkeys(("blur", "noise", "modes", "duplicates"), "rises")
"""What a distance between sets of frames claims to see: worse pictures and too little variety, not motion."""


@set_measure(
    "fidelity.frame_frechet",
    version=1,
    needs="image",
    better="lower",
    bounds=(0.0, None),
    rows="frame",
    sees=_SEES,
)
def frame_frechet_distance(sample: RunSample) -> RunEstimate:
    """Frechet distance of the frames of generated clips to those of the reference set, by an image encoder.

    As the Frechet inception distance (Heusel et al. 2017), with the encoder that the run names for ``image``,
    over its sampled frames. Shuffling the frames of a clip does not change it: what `fidelity.fvd` sees and
    this does not is motion. The interval takes all frames of a prompt out together.

    Raises:
        NotApplicable: either set has fewer than two clips.
    """
    x, y = both_sets(sample, "image", 2)
    notes = [SMALL.replace("clips", "frames")] if min(len(x), len(y)) <= x.shape[1] else []
    value = frechet_value(x, y)
    replicates = leave_one_out(x, y, sample.clusters)
    return estimate_of(sample, "image", value, replicates, notes, bounds=(0.0, None))


@set_measure(
    "fidelity.cmmd", version=1, needs="clip", better="lower", bounds=(0.0, None), rows="frame", sees=_SEES
)
def frame_cmmd(sample: RunSample) -> RunEstimate:
    """Distance of the frames of generated clips to those of the reference set by the estimator of CMMD.

    1,000 times the biased squared maximum mean discrepancy under a Gaussian kernel of width 10, of features
    of length 1 (Jayasumana et al. 2024), over the frames of clips by the encoder ``clip``.
    In simulation its 95 % intervals held in 93 to 99 % of draws (docs/validity.md).

    Raises:
        NotApplicable: either set has fewer than two clips.
    """
    x, y = both_sets(sample, "clip", 2)
    without = mmd_leave_one_out(
        unit_rows(x), unit_rows(y), sample.clusters, gaussian_kernel(10.0), unbiased=False
    )
    replicates = {group: 1000.0 * max(0.0, value) for group, value in without.items()}
    return estimate_of(sample, "clip", cmmd(x, y), replicates, bounds=(0.0, None))
