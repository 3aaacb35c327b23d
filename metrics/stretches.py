"""Stretches of True in a row of flags: a freeze, a silence, a gap."""

from __future__ import annotations

import numpy as np

from ..harness.core.arrays import Bools

__all__ = ["longest_stretch", "stretches"]


def stretches(flags_T: Bools) -> list[tuple[int, int]]:
    """List the stretches of True: the first place of each, and the one after its last.

    Example:
        >>> stretches(np.array([True, False, True, True]))
        [(0, 1), (2, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags_T.astype(np.int8), [0]))))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def longest_stretch(flags_T: Bools) -> int:
    """Return the length of the longest stretch of True; 0 if there is none."""
    return max((end - first for first, end in stretches(flags_T)), default=0)
