"""Search for the training clip that a clip is a copy of: retrieve by blocks, then verify by alignment.

Retrieval compares every version of the clip that is looked up (`windows`) with every clip of the index by
what both show, 8 x 8 blocks, and keeps the few most alike; the index is read in blocks of bounded memory. The
likeness of two frames a and b is ``1 - |a - b|^2 / (|a - mean a|^2 + |b - mean b|^2)``: their correlation
where their grounds are alike. The clips that are kept are laid over the clip (`alignment`), and the least
residual counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...metrics.base import Reference
from ...metrics.encoders.base import Feature
from .alignment import Aligned, align
from .search import Match, clip_starts
from .thumbnails import SIDE, as_pictures
from .windows import BLOCKS, WINDOWS, Window, window_blocks, window_masks

__all__ = ["BLOCK_ROWS", "RETRIEVED", "VerifiedMatch", "retrieved_clips", "verified_clips"]

Floats = NDArray[np.float32]
BLOCK_ROWS = 2048
"""Rows of the index in memory at a time: 25 MB as float32."""
_QUERIES: Final = 64
"""Clips that are looked up in one pass over the index."""
RETRIEVED: Final = 8
"""Clips of the index that are kept."""
_ROUGHLY, _PRECISELY = 4, 2
"""The best of them that are laid over the clip, and the best of those that it is done for with all frames."""
_MIDDLE: Final = 128.0
"""Subtracted from all colors, for the precision of sums."""
_LEAST: Final = 36.0
"""Squared deviation of a color, in 8-bit levels, that coding leaves: a plain frame has no less."""
_FRAMES: Final = (4, 8)
"""Frames of a clip, spread over it, by which it is retrieved, and verified."""
_LONGEST: Final = 64
"""Frames of a clip of the index that are laid over the clip, spread over it."""


@dataclass(frozen=True)
class VerifiedMatch(Match):
    """The clip of an index with the least residual.

    Attributes:
        residual: after alignment, in units of what resampling and coding leave; 0 for the very clip.
        window: where the training clip's frame lies in the clip that was looked up.
    """

    residual: float
    window: Window


@dataclass(frozen=True)
class _Found:
    """A clip of the index that was retrieved: how alike it is, its number, and by which version."""

    like: float
    clip: int
    version: int


def verified_clips(queries: Sequence[Feature], index: Reference, feature: str) -> list[VerifiedMatch]:
    """Find the clip of an index that each of several clips is most likely a copy of.

    Args:
        queries: thumbnails of each, (T, 3072).
        index: with thumbnails, whose clips are whole runs of rows.
        feature: which of the index's.

    Raises:
        ValueError: a query has no rows, the index has none, or the widths differ.
    """
    rows = index.features[feature]
    starts, names = clip_starts(index.clips[feature])
    matches: list[VerifiedMatch] = []
    for query, found in _looked_up(queries, rows, starts):
        matches.append(_verified(query, found, rows, starts, names))
    return matches


def retrieved_clips(
    queries: Sequence[Feature], index: Reference, feature: str, most: int = RETRIEVED
) -> list[list[str]]:
    """Name the ``most`` clips of an index that are most alike each of several clips, the most alike first.

    By default they are those of which `verified_clips` lays the best over the clip; its arguments and errors
    are the same.
    """
    starts, names = clip_starts(index.clips[feature])
    looked_up = _looked_up(queries, index.features[feature], starts, most)
    return [[names[one.clip] for one in found] for _, found in looked_up]


def _looked_up(
    queries: Sequence[Feature], rows: Feature, starts: NDArray[np.int64], most: int = RETRIEVED
) -> Iterator[tuple[Feature, list[_Found]]]:
    if not len(rows) or any(not len(q) or q.shape[1] != rows.shape[1] for q in queries):
        raise ValueError("a search needs rows of one width on both sides")
    for at in range(0, len(queries), _QUERIES):
        part = queries[at : at + _QUERIES]
        found = _retrieved([_Query.of(one) for one in part], rows, starts, most)
        yield from zip(part, found, strict=True)


@dataclass(frozen=True)
class _Query:
    """A clip that is looked up.

    Attributes:
        rows: blocks of each frame of each version, (versions * frames, 192), 0 where not known.
        square, spread: their squared length, and that over their mean, (versions, frames).
    """

    rows: Floats
    square: Floats
    spread: Floats

    @classmethod
    def of(cls, thumbnails: Feature) -> _Query:
        pictures = as_pictures(thumbnails[_spread(len(thumbnails), _FRAMES[0])]) - np.float32(_MIDDLE)
        masks = window_masks()
        blocks = window_blocks(pictures)
        square = (blocks**2).sum(axis=2)
        sums = blocks.reshape(*blocks.shape[:2], -1, 3).sum(axis=2)
        spread = square - (sums**2).sum(axis=2) / masks[:, ::3].sum(axis=1)[:, None]
        return cls(blocks.reshape(-1, blocks.shape[2]), square, spread)


def _retrieved(
    queries: Sequence[_Query], rows: Feature, starts: NDArray[np.int64], most: int
) -> list[list[_Found]]:
    """Return the ``most`` clips of the index that are most alike each query, the most alike first."""
    kept: list[list[_Found]] = [[] for _ in queries]
    carried: list[Floats | None] = [None for _ in queries]  # of a clip that began in the block before
    for start, block in _blocks(rows):
        stop = start + len(block)
        first = int(np.searchsorted(starts, start, "right")) - 1
        last = int(np.searchsorted(starts, stop, "left"))
        cuts = np.maximum(starts[first:last] - start, 0)
        ends_here = stop == len(rows) or (last < len(starts) and starts[last] == stop)
        square_VR, spread_VR = _seen_by_version(block)
        for number, query in enumerate(queries):
            apart = (query.rows @ block.T).reshape(*query.square.shape, -1)
            apart *= -2.0
            apart += square_VR[:, None]
            apart += query.square[:, :, None]
            apart /= query.spread[:, :, None] + spread_VR[:, None]
            most_VTC: Floats = np.float32(1.0) - np.minimum.reduceat(apart, cuts, axis=2)
            before = carried[number]
            if before is not None:
                most_VTC[:, :, 0] = np.maximum(most_VTC[:, :, 0], before)
            carried[number] = None if ends_here else most_VTC[:, :, -1].copy()
            done = most_VTC if ends_here else most_VTC[:, :, :-1]
            if done.shape[2]:
                mean_VC = done.mean(axis=1)
                version = mean_VC.argmax(axis=0)
                best = mean_VC.max(axis=0)
                top = np.argsort(-best, kind="stable")[:most]
                fresh = [_Found(float(best[k]), first + int(k), int(version[k])) for k in top]
                kept[number] = sorted([*kept[number], *fresh], key=lambda one: (-one.like, one.clip))
                del kept[number][most:]
    return kept


def _blocks(rows: Feature) -> Iterator[tuple[int, Floats]]:
    """Read the index in parts, as blocks: first row, and float32 (rows, 192)."""
    size = SIDE // BLOCKS
    for start in range(0, len(rows), BLOCK_ROWS):
        pictures = np.asarray(rows[start : start + BLOCK_ROWS], np.float32)
        down = pictures.reshape(-1, BLOCKS, size, SIDE * 3).sum(axis=2).reshape(-1, BLOCKS, BLOCKS, size, 3)
        blocks = down[:, :, :, 0].copy()
        for column in range(1, size):
            blocks += down[:, :, :, column]
        yield start, blocks.reshape(len(pictures), -1) / np.float32(size**2) - np.float32(_MIDDLE)


def _seen_by_version(block: Floats) -> tuple[Floats, Floats]:
    """Return the squared length of each row within each version's mask, and that over its mean, (V, rows)."""
    masks = window_masks()
    known = masks[:, ::3]
    square = masks @ (block**2).T
    mean = sum((known @ block[:, color::3].T) ** 2 for color in range(3)) / known.sum(axis=1)[:, None]
    return square, square - mean + _LEAST * masks.sum(axis=1)[:, None]


def _verified(
    query: Feature, found: Sequence[_Found], rows: Feature, starts: NDArray[np.int64], names: Sequence[str]
) -> VerifiedMatch:
    chosen = _spread(len(query), _FRAMES[1])
    pictures = as_pictures(query[chosen])
    tried: list[_Candidate] = []
    for one in found:
        end = int(starts[one.clip + 1]) if one.clip + 1 < len(starts) else len(rows)
        places = _spread(end - int(starts[one.clip]), _LONGEST)
        training = as_pictures(rows[int(starts[one.clip]) + places])
        aligned = align(pictures[::2], training, WINDOWS[one.version], steps=0)
        tried.append(_Candidate(one.clip, places, training, aligned))
    tried.sort(key=_Candidate.order)
    rough = sorted((one.refined(pictures[::2], 3) for one in tried[:_ROUGHLY]), key=_Candidate.order)
    best = min((one.refined(pictures, 4) for one in rough[:_PRECISELY]), key=_Candidate.order)
    return VerifiedMatch(
        clip=names[best.clip],
        similarity=1.0 / (1.0 + best.aligned.residual),
        version=0,
        row=int(chosen[0]),
        at=int(best.places[best.aligned.frames[0]]),
        residual=best.aligned.residual,
        window=best.aligned.window,
    )


@dataclass(frozen=True)
class _Candidate:
    """A clip of the index that may be the one: its number, which of its frames are read, and its pictures."""

    clip: int
    places: NDArray[np.intp]
    training: Floats
    aligned: Aligned

    def refined(self, pictures: Floats, steps: int) -> _Candidate:
        return replace(self, aligned=align(pictures, self.training, self.aligned.window, steps))

    def order(self) -> tuple[float, int]:
        return self.aligned.residual, self.clip


def _spread(count: int, most: int) -> NDArray[np.intp]:
    """Choose at most so many of ``count``, spread evenly."""
    if count <= most:
        return np.arange(count)
    return np.round(np.linspace(0, count - 1, most)).astype(np.intp)
