"""Looks at a sample that grows: the confidence of each look, so that all of them together err as one test.

Who judges a growing sample again and again at 95 % passes wrongly more often than 5 %. An alpha-spending
function (Lan and DeMets 1983, "Discrete sequential boundaries for clinical trials", Biometrika 70:659) says
how much of the error may have been spent when a share ``t`` of the sample is there; here the one that
approximates the boundaries of O'Brien and Fleming, ``2 - 2 Phi(z_(alpha/2) / sqrt(t))``, which spends
little early and leaves the last look nearly whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..arrays import Floats
from .interval import check_confidence

__all__ = ["look_confidences", "spent"]

_NODES = 400
"""Nodes of the quadrature over where an undecided sample stands."""
_FAR = 9.0
"""Standard deviations beyond which nothing is integrated."""
_MOST = 1 - 1e-9
"""Highest confidence of a look: a bound at a higher one would be of rounding errors."""


def spent(share: float, confidence: float) -> float:
    """Give the error that may have been spent when ``share`` of the sample is there, one-sided.

    Args:
        share: in (0, 1].
        confidence: of all looks together, in (0, 1).

    Example:
        >>> round(spent(1.0, 0.95), 6), round(spent(0.5, 0.95), 6)
        (0.05, 0.005575)
    """
    check_confidence(confidence)
    if not 0 < share <= 1:
        raise ValueError(f"a share of {share} of the sample is not in (0, 1]")
    from scipy import stats

    reach = float(stats.norm.isf((1 - confidence) / 2))
    return 2 * float(stats.norm.sf(reach / math.sqrt(share)))


def look_confidences(shares: Sequence[float], confidence: float) -> list[float]:
    """Compute the one-sided confidence that each look at a growing sample takes.

    Found one after the other by numerical integration (Armitage, McPherson and Rowe 1969), for means of
    independent prompts that are about normal; docs/statistics.md has simulations of the bounds that gates
    use.

    Args:
        shares: of the whole sample at each look, rising, the last at most 1.
        confidence: of all looks together.

    Raises:
        ValueError: the shares do not rise, or one is not in (0, 1].

    Example:
        >>> [round(c, 5) for c in look_confidences([0.25, 0.5, 0.75, 1.0], 0.975)]
        [0.99999, 0.99848, 0.99084, 0.978]
    """
    if any(later <= earlier for earlier, later in pairwise(shares)):
        raise ValueError(f"the looks {list(shares)} do not rise")
    from scipy import optimize, stats

    found: list[float] = []
    points, density = np.zeros(1), np.ones(1)  # where the sample stands, and how likely, undecided so far
    before = earlier = 0.0
    highest = float(stats.norm.ppf(_MOST))
    for share in shares:
        now = spent(share, confidence)
        step = math.sqrt(share - earlier)

        def excess(
            reach: float, step: float = step, share: float = share, more: float = now - before
        ) -> float:
            beyond = stats.norm.sf((reach * math.sqrt(share) - points) / step)  # noqa: B023 (called at once)
            return float((density * beyond).sum()) - more  # noqa: B023

        reach = highest
        if excess(highest) < 0:
            reach = float(
                optimize.root_scalar(excess, bracket=(-_FAR, highest), method="brentq", xtol=1e-10).root
            )
        found.append(float(stats.norm.cdf(reach)))
        points, density = _undecided(points, density, step, math.sqrt(share) * np.array([-_FAR, reach]))
        before, earlier = now, share
    return found


def _undecided(points: Floats, density: Floats, step: float, ends: Floats) -> tuple[Floats, Floats]:
    """Move on by one look: Gauss-Legendre nodes between the ends, with the weights of the undecided there."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    half = (ends[1] - ends[0]) / 2
    moved = ends[0] + half * (nodes + 1)
    distance = (moved[:, None] - points[None, :]) / step
    arrived = (density * np.exp(-0.5 * distance**2)).sum(axis=1) / (step * math.sqrt(2 * math.pi))
    return moved, arrived * half * weights
