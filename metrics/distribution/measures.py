"""Measures of a set of clips against a reference set, by the features of an encoder."""

from __future__ import annotations

from ...harness.core.stats import jackknife_interval
from ..base import NotApplicable, SetSample, SetScored, set_measure
from .frechet import frechet_value, leave_one_out
from .groups import MAX_GROUPS

__all__ = ["frechet_video_distance"]


@set_measure("fidelity.fvd", version=1, needs="video", better="lower", bounds=(0.0, None))
def frechet_video_distance(sample: SetSample) -> SetScored:
    """Frechet distance of generated clips to the reference set, in the space of the video encoder.

    Unterthiner et al. 2018, with the encoder that the run names in place of I3D, and covariances by n - 1.

    Raises:
        NotApplicable: either set has fewer than two clips.
    """
    x, y = sample.features, sample.reference
    if min(len(x), len(y)) < 2:
        raise NotApplicable(f"a distance needs two clips in each set; there are {len(x)} and {len(y)}")
    value = frechet_value(x, y)
    notes = [f"n = {len(x)} generated and m = {len(y)} reference clips, {x.shape[1]} features"]
    if min(len(x), len(y)) <= x.shape[1]:
        notes.append(
            "fewer clips than features: the covariance is singular and the distance is mostly sample size; "
            "compare it only with distances at the same n and m"
        )
    replicates = leave_one_out(x, y, sample.clusters)
    if not replicates:
        notes.append("no interval: it needs two prompts, each leaving two clips of the others")
        return SetScored(value, None, None, "none", tuple(notes))
    interval = jackknife_interval(value, replicates, sample.confidence, bounds=(0.0, None))
    notes += ["the interval holds the reference set fixed", *interval.notes]
    prompts = len(set(sample.clusters))
    grouped = prompts > MAX_GROUPS
    method = f"jackknife over {len(replicates)} groups of {prompts} prompts" if grouped else interval.method
    return SetScored(value, interval.low, interval.high, method, tuple(notes), replicates)
