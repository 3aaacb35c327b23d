"""Exact search for the nearest clip of an index, in blocks of bounded memory.

The similarity of two clips is the Chamfer similarity of their rows (Kordopatis-Zilos et al. 2019, "ViSiL",
section 3): for each row of the clip that is looked up the most similar row of the other clip, averaged. It
does not depend on the order of frames, so a copy that is shifted in time, faster or slower stays a copy.
Where a clip is looked up in several versions, the most similar version counts.

Features of an image model share a large common part, which makes all clips alike. Given the centre of real
clips, it is taken off both sides before they are compared, and what is left is brought to length 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...metrics.base import Reference
from ...metrics.encoders.base import Feature

__all__ = [
    "BLOCK_ROWS",
    "QUERY_ROWS",
    "Centre",
    "Match",
    "Query",
    "centre_of",
    "clip_starts",
    "nearest_clips",
]

BLOCK_ROWS = 8192
"""Rows of the index in memory at a time: 42 MB of 1,280 float32."""
QUERY_ROWS = 1024
"""Rows of clips that are looked up in one pass over the index; similarities are BLOCK_ROWS times as many."""

Query = NDArray[np.floating]
"""Rows of a clip that is looked up: (versions, T, D)."""
Centre = NDArray[np.float32]
"""Mean of the rows of sets: (D,)."""


@dataclass(frozen=True)
class Match:
    """The nearest clip of an index.

    Attributes:
        clip: its name.
        similarity: mean over the rows of the clip that is looked up, at most 1.
        version: number of the version that is nearest.
        row, at: the row of the clip that is looked up whose likeness is greatest, and the row of the nearest
            clip that it is like, both counted within their clip.
    """

    clip: str
    similarity: float
    version: int
    row: int
    at: int


def nearest_clips(
    queries: Sequence[Query], index: Reference, feature: str, centre: Centre | None = None
) -> list[Match]:
    """Find the nearest clip of an index for each of several clips.

    Args:
        queries: rows of length 1, (versions, T, D) each; T may differ.
        index: features of length 1, whose clips are whole runs of rows.
        feature: which of the index's.
        centre: taken off the rows of both sides, as `centre_of` gives it; None compares them as they are.

    Raises:
        ValueError: a query has no rows, the index has none, or the widths differ.
    """
    rows = index.features[feature]
    if not len(rows) or any(q.size == 0 or q.shape[2] != rows.shape[1] for q in queries):
        raise ValueError("a search needs rows of one width on both sides")
    starts, names = clip_starts(index.clips[feature])
    found: list[Match] = []
    for part in _parts([_about(query, centre) for query in queries]):
        best = _scan(part, rows, starts, centre)
        for query, (similarity, clip, version) in zip(part, best, strict=True):
            end = starts[clip + 1] if clip + 1 < len(starts) else len(rows)
            like = (
                query[version] @ _about(np.asarray(rows[starts[clip] : end]), centre).T
            )  # T, rows of the clip
            row, at = np.unravel_index(int(like.argmax()), like.shape)
            found.append(Match(names[clip], similarity, version, int(row), int(at)))
    return found


def centre_of(*sets: Feature) -> Centre:
    """Compute the mean row of sets, (M, D) each, in blocks of bounded memory."""
    total = np.zeros(sets[0].shape[1])
    for rows in sets:
        for start in range(0, len(rows), BLOCK_ROWS):
            total += np.asarray(rows[start : start + BLOCK_ROWS]).sum(axis=0, dtype=np.float64)
    return (total / sum(map(len, sets))).astype(np.float32)


def _about(rows: Query, centre: Centre | None) -> Query:
    """Take the centre off rows and bring them to length 1; a row at the centre stays 0."""
    if centre is None:
        return rows
    moved = rows.astype(np.float32) - centre
    return moved / np.maximum(np.linalg.norm(moved, axis=-1, keepdims=True), np.finfo(np.float32).tiny)


def _likeness(q_QD: Query, rows_MD: NDArray[np.float32], centre: Centre | None) -> NDArray[np.float32]:
    """Multiply queries with rows of length 1 as `_about` would make them, without making them: (Q, M).

    q . (r - c) / |r - c|, with |r - c|^2 = 1 - 2 r . c + |c|^2: one more product a row in place of a copy.
    """
    if centre is None:
        return np.asarray(q_QD @ rows_MD.T, np.float32)
    both = np.concatenate([q_QD, centre[None]]) @ rows_MD.T
    square = 1 - 2 * both[-1] + float(centre @ centre)
    return np.asarray((both[:-1] - (q_QD @ centre)[:, None]) / np.sqrt(np.maximum(square, 1e-6)), np.float32)


def clip_starts(names: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    """Find the first row of each clip, and its name."""
    starts = [0, *(i for i in range(1, len(names)) if names[i] != names[i - 1])]
    return np.array(starts, np.int64), [names[i] for i in starts]


def _parts(queries: Sequence[Query]) -> list[list[Query]]:
    parts: list[list[Query]] = []
    room = 0
    for query in queries:
        size = query.shape[0] * query.shape[1]
        if not parts or size > room:
            parts.append([])
            room = QUERY_ROWS
        parts[-1].append(query)
        room -= size
    return parts


def _scan(
    queries: Sequence[Query], rows: Feature, starts: NDArray[np.int64], centre: Centre | None
) -> list[tuple[float, int, int]]:
    """Return (similarity, number of the clip, version) of the nearest clip of each query."""
    q_QD = np.concatenate([query.reshape(-1, query.shape[2]) for query in queries]).astype(np.float32)
    lengths = np.repeat([query.shape[1] for query in queries], [query.shape[0] for query in queries])
    edges = np.concatenate([[0], np.cumsum(lengths)[:-1]])  # first row of each version of each query
    best = np.full(len(lengths), -np.inf)
    nearest = np.zeros(len(lengths), np.int64)
    carried: NDArray[np.float32] | None = None  # the part of a clip that began in the block before
    for start in range(0, len(rows), BLOCK_ROWS):
        block = np.asarray(rows[start : start + BLOCK_ROWS], np.float32)
        stop = start + len(block)
        first = int(np.searchsorted(starts, start, "right")) - 1
        last = int(np.searchsorted(starts, stop, "left"))
        cuts = np.maximum(starts[first:last] - start, 0)
        most_QC = np.maximum.reduceat(_likeness(q_QD, block, centre), cuts, axis=1)
        if carried is not None:
            most_QC[:, 0] = np.maximum(most_QC[:, 0], carried)
        ends_here = stop == len(rows) or (last < len(starts) and starts[last] == stop)
        carried = None if ends_here else most_QC[:, -1].copy()
        done_QC = most_QC if ends_here else most_QC[:, :-1]
        if done_QC.shape[1]:
            mean_VC = np.add.reduceat(done_QC, edges, axis=0, dtype=np.float64) / lengths[:, None]
            top = mean_VC.argmax(axis=1)
            value = mean_VC[np.arange(len(top)), top]
            better = value > best
            best[better], nearest[better] = value[better], first + top[better]
    found: list[tuple[float, int, int]] = []
    at = 0
    for query in queries:
        version = int(best[at : at + len(query)].argmax())
        found.append((min(float(best[at + version]), 1.0), int(nearest[at + version]), version))
        at += len(query)
    return found
