"""Set measures: distances of the generated clips to a reference set, in the features of an encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...harness.core.estimate import RunEstimate
from ...harness.core.keys import seeded_rng
from ...harness.core.stats import jackknife_interval
from ..base import DEFAULT, NotApplicable, RunSample, set_measure
from ..encoders.base import Feature
from .frechet import FEWEST_EXTRAPOLATED, extrapolate_frechet, frechet_value, leave_one_out
from .groups import MAX_GROUPS
from .kernel import mmd_leave_one_out, polynomial_kernel, polynomial_mmd

__all__ = ["extrapolated_frechet_video_distance", "frechet_video_distance", "kernel_video_distance"]

VIDEO = "video"
SMALL = (
    "fewer clips than features: the covariance is singular and the distance is mostly sample size; "
    "compare it only with distances at the same n and m"
)


@set_measure("fidelity.fvd", version=1, needs=VIDEO, better="lower", bounds=(0.0, None))
def frechet_video_distance(sample: RunSample) -> RunEstimate:
    """Frechet distance of generated clips to the reference set, in the space of the video encoder.

    Unterthiner et al. 2018, with the encoder that the run names in place of I3D, and covariances by n - 1.

    Raises:
        NotApplicable: either set has fewer than two clips.
    """
    x, y = _sets(sample, 2)
    notes = [SMALL] if min(len(x), len(y)) <= x.shape[1] else []
    replicates = leave_one_out(x, y, sample.clusters)
    return _scored(sample, frechet_value(x, y), replicates, notes, bounds=(0.0, None))


@set_measure("fidelity.fvd_infinity", version=1, needs=VIDEO, better="lower", bounds=(None, None))
def extrapolated_frechet_video_distance(sample: RunSample) -> RunEstimate:
    """Frechet distance extrapolated to infinite sets, by a linear fit over 1/n.

    Chong and Forsyth 2020. It removes most of the effect of sample size from `fidelity.fvd`, at the price of
    more noise, and can be slightly negative for similar sets.

    Raises:
        NotApplicable: either set has fewer than 16 clips.
    """
    x, y = _sets(sample, FEWEST_EXTRAPOLATED)
    notes = [SMALL] if min(len(x), len(y)) // 2 <= x.shape[1] else []
    rng = seeded_rng("extrapolated Frechet distance", len(x), len(y))
    fit = extrapolate_frechet(x, y, rng=rng, clusters=sample.clusters)
    notes.append(
        f"a fit over sets of {fit.sizes[0]} to {fit.sizes[-1]} clips, with slope {fit.slope:.4g} over 1/n"
    )
    return _scored(sample, fit.value, fit.leave_one_out, notes, bounds=(None, None))


@set_measure("fidelity.kvd", version=1, needs=VIDEO, better="lower", bounds=(None, None))
def kernel_video_distance(sample: RunSample) -> RunEstimate:
    """Kernel distance of generated clips to the reference set; its mean does not depend on their number.

    The unbiased squared maximum mean discrepancy under (x.y / D + 1)^3 (Binkowski et al. 2018) of all clips,
    slightly negative for like sets.

    Raises:
        NotApplicable: either set has fewer than two clips.
    """
    x, y = _sets(sample, 2)
    replicates = mmd_leave_one_out(x, y, sample.clusters, polynomial_kernel())
    return _scored(sample, polynomial_mmd(x, y), replicates, [], bounds=(None, None))


def _sets(sample: RunSample, least: int) -> tuple[Feature, Feature]:
    """Return the rows of both sets, (N, D) and (M, D), if each has at least ``least``."""
    x, y = sample.features[VIDEO], np.asarray(sample.references[DEFAULT].features[VIDEO])
    n, m = len(x), len(y)
    if min(n, m) < least:
        number = "two" if least == 2 else str(least)
        raise NotApplicable(f"a distance needs {number} clips in each set; there are {n} and {m}")
    return x, y


def _scored(
    sample: RunSample,
    value: float,
    replicates: Mapping[str, float],
    notes: Sequence[str],
    *,
    bounds: tuple[float | None, float | None],
) -> RunEstimate:
    """Return the value with its jackknife interval and notes."""
    n, width = sample.features[VIDEO].shape
    m = len(sample.references[DEFAULT].features[VIDEO])
    prompts = len(set(sample.clusters))
    said = [f"n = {n} generated and m = {m} reference clips, {width} features", *notes]
    base = RunEstimate(value=value, confidence=sample.confidence, n=n, clusters=prompts, n_reference=m)
    if not replicates:
        said.append("no interval: it needs two prompts, each leaving enough clips of the others")
        return base.model_copy(update={"notes": tuple(said)})
    interval = jackknife_interval(value, replicates, sample.confidence, bounds=bounds)
    said += ["the interval holds the reference set fixed", *interval.notes]
    grouped = len(replicates) < prompts or prompts > MAX_GROUPS
    method = f"jackknife over {len(replicates)} groups of {prompts} prompts" if grouped else interval.method
    found = {"low": interval.low, "high": interval.high, "method": method, "notes": tuple(said)}
    return base.model_copy(update={**found, "leave_one_out": dict(replicates)})
