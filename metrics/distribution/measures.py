"""Set measures: distances of the generated clips to a reference set, in the features of a video encoder."""

from __future__ import annotations

from typing import Final

from ...harness.core.estimate import RunEstimate
from ...harness.core.keys import seeded_rng
from ..base import Moves, RunSample, set_measure
from .frechet import FEWEST_EXTRAPOLATED, extrapolate_frechet, frechet_value, leave_one_out
from .kernel import jedi_distance, mmd_leave_one_out, polynomial_kernel, polynomial_mmd
from .run_values import SMALL, both_sets, estimate_of

__all__ = [
    "extrapolated_frechet_video_distance",
    "frechet_video_distance",
    "jedi",
    "kernel_video_distance",
]

VIDEO = "video"
SEES: Final[dict[str, Moves]] = dict.fromkeys(
    ("blur", "noise", "shuffle", "freeze", "modes", "duplicates"), "rises"
)
"""What a distance between sets of clips claims to see: worse pictures or motion, and too little variety."""


@set_measure(
    "fidelity.fvd",
    version=1,
    needs=VIDEO,
    better="lower",
    bounds=(0.0, None),
    sees=SEES,
)
def frechet_video_distance(sample: RunSample) -> RunEstimate:
    """Frechet distance of generated clips to the reference set, in the space of the video encoder.

    Unterthiner et al. 2018, with the encoder that the run names in place of I3D, and covariances by n - 1.
    In simulation its 95 % intervals held the distance expected at that n in 94 to 99 % of draws, and so are
    cautious; they do not hold the distance of endless sets (docs/validity.md).

    Raises:
        NotApplicable: either set has fewer than two clips.
    """
    x, y = both_sets(sample, VIDEO, 2)
    notes = [SMALL] if min(len(x), len(y)) <= x.shape[1] else []
    value = frechet_value(x, y)
    replicates = leave_one_out(x, y, sample.clusters)
    return estimate_of(sample, VIDEO, value, replicates, notes, bounds=(0.0, None))


@set_measure(
    "fidelity.fvd_infinity",
    version=1,
    needs=VIDEO,
    better="lower",
    bounds=(None, None),
    sees=SEES,
)
def extrapolated_frechet_video_distance(sample: RunSample) -> RunEstimate:
    """Frechet distance extrapolated to infinite sets, by a linear fit over 1/n.

    Chong and Forsyth 2020. It removes most of the effect of sample size from `fidelity.fvd`, at the price of
    more noise, and can be slightly negative for similar sets.
    In simulation its 95 % intervals held in 96 to 100 % of draws (docs/validity.md).

    Raises:
        NotApplicable: either set has fewer than 16 clips.
    """
    x, y = both_sets(sample, VIDEO, FEWEST_EXTRAPOLATED)
    notes = [SMALL] if min(len(x), len(y)) // 2 <= x.shape[1] else []
    rng = seeded_rng("extrapolated Frechet distance", len(x), len(y))
    fit = extrapolate_frechet(x, y, rng=rng, clusters=sample.clusters)
    notes.append(
        f"a fit over sets of {fit.sizes[0]} to {fit.sizes[-1]} clips, with slope {fit.slope:.4g} over 1/n"
    )
    return estimate_of(sample, VIDEO, fit.value, fit.leave_one_out, notes, bounds=(None, None))


@set_measure(
    "fidelity.kvd",
    version=1,
    needs=VIDEO,
    better="lower",
    bounds=(None, None),
    sees=SEES,
)
def kernel_video_distance(sample: RunSample) -> RunEstimate:
    """Kernel distance of generated clips to the reference set; its mean does not depend on their number.

    The unbiased squared maximum mean discrepancy under (x.y / D + 1)^3 (Binkowski et al. 2018) of all clips,
    slightly negative for like sets.
    In simulation its 95 % intervals held in 94 to 99 % of draws (docs/validity.md).

    Raises:
        NotApplicable: either set has fewer than two clips.
    """
    x, y = both_sets(sample, VIDEO, 2)
    replicates = mmd_leave_one_out(x, y, sample.clusters, polynomial_kernel())
    return estimate_of(sample, VIDEO, polynomial_mmd(x, y), replicates, [], bounds=(None, None))


@set_measure("fidelity.jedi", version=1, needs=VIDEO, better="lower", bounds=(0.0, None), sees=SEES)
def jedi(sample: RunSample) -> RunEstimate:
    """Distance of generated clips to the reference set by the estimator of JEDi.

    100 times the biased squared maximum mean discrepancy under (x.y / D)^2 (Luo et al. 2024). JEDi itself has
    features of V-JEPA: name a V-JEPA model as the encoder ``video``. Being biased, it falls with more clips.
    In simulation its 95 % intervals held in 92 to 98 % of draws (docs/validity.md).

    Raises:
        NotApplicable: either set has fewer than two clips.
    """
    x, y = both_sets(sample, VIDEO, 2)
    kernel = polynomial_kernel(degree=2, coef=0.0)
    without = mmd_leave_one_out(x, y, sample.clusters, kernel, unbiased=False)
    replicates = {group: 100.0 * max(0.0, value) for group, value in without.items()}
    return estimate_of(sample, VIDEO, jedi_distance(x, y), replicates, bounds=(0.0, None))
