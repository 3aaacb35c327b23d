"""Packing: clips of different sizes share rows of tokens, and attention keeps them apart.

Dehghani et al. 2023, "Patch n' Pack: NaViT" (arXiv:2307.06304), section 2: sequences of different lengths
are laid one after the other into rows, first fit, and a block-diagonal mask keeps a token to its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Layout", "Packing", "first_fit", "lay_out", "pack"]


def first_fit(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Put sequences, in the order given, each into the first row that has room: their numbers, row by row.

    A sequence longer than ``budget`` has a row of its own.

    Example:
        >>> first_fit([70, 60, 40, 20, 120], 100)
        [[0, 3], [1, 2], [4]]
    """
    rows: list[list[int]] = []
    room: list[int] = []
    for number, length in enumerate(lengths):
        row = next((row for row, left in enumerate(room) if length <= left), len(rows))
        if row == len(rows):
            rows.append([])
            room.append(budget)
        rows[row].append(number)
        room[row] -= length
    return rows


@dataclass(frozen=True)
class Packing:
    """Where each token of a flat list of N goes in R rows of S places.

    Attributes:
        source: (R, S) the token at each place; 0 at a place that stays empty.
        place: (N,) the place of each token, counted through the rows.
        mask: (R, 1, S, S), 0 where a place sees another and -inf where not, to be added to the attention's
            logits; None where each row is one whole sequence.
    """

    source: Tensor
    place: Tensor
    mask: Tensor | None

    def rows(self, flat: Tensor) -> Tensor:
        """Lay tokens (N, D) into rows (R, S, D)."""
        return flat.index_select(0, self.source.flatten()).unflatten(0, self.source.shape)


def pack(sequences: Sequence[NDArray[np.int64]], budget: int, device: torch.device) -> Packing:
    """Pack sequences, given as the tokens (numbers in the flat list) of each, into rows of ``budget`` places.

    Rows are as long as the longest has use for. Sequences of one length get a row each and no mask.
    """
    lengths = [len(sequence) for sequence in sequences]
    alike = len(set(lengths)) == 1
    rows = first_fit(lengths, lengths[0] if alike else budget)
    shape = len(rows), max(sum(lengths[number] for number in row) for row in rows)
    source = np.zeros(shape, np.int64)
    owner = np.full(shape, -1, np.int64)  # empty places see each other: a row of -inf alone would be NaN
    for row, numbers in enumerate(rows):
        end = sum(lengths[number] for number in numbers)
        source[row, :end] = np.concatenate([sequences[number] for number in numbers])
        owner[row, :end] = np.repeat(numbers, [lengths[number] for number in numbers])
    place = np.empty(sum(lengths), np.int64)
    place[source[owner >= 0]] = np.flatnonzero(owner >= 0)
    mask = None
    if not alike:
        owners = torch.from_numpy(owner).to(device)
        apart = owners[:, None, :, None] != owners[:, None, None, :]  # (R, 1, S, S)
        mask = torch.zeros(apart.shape, device=device).masked_fill_(apart, -torch.inf)
    return Packing(torch.from_numpy(source).to(device), torch.from_numpy(place).to(device), mask)


@dataclass(frozen=True)
class Layout:
    """Where the tokens of a call go: those of B clips, of the frames that some start from, and of the words.

    Attributes:
        packing: the rows of all tokens.
        condition: (N,) the row of the table of conditions, (2 B, D), that each token is under: i for clip i
            at its time, B + i where it is clean.
        under: (R, S) the same for each place of the rows.
        lengths: of each clip, in tokens; the clips' own tokens are the first of the flat list.
    """

    packing: Packing
    condition: Tensor
    under: Tensor
    lengths: list[int]

    @property
    def mask(self) -> Tensor | None:
        """What the attention may see; see `Packing`."""
        return self.packing.mask

    def rows(self, flat: Tensor) -> Tensor:
        """Lay tokens (N, D) into rows (R, S, D)."""
        return self.packing.rows(flat)

    def clips(self, rows: Tensor) -> Tensor:
        """Take the clips' own tokens (N of clips, D) out of rows (R, S, D)."""
        return rows.flatten(0, 1).index_select(0, self.packing.place[: sum(self.lengths)])

    def spread(self, table: Tensor) -> Tensor:
        """Give each place of the rows its row of a table (2 B, D): (R, S, D)."""
        return table.index_select(0, self.under.flatten()).unflatten(0, self.under.shape)

    def spread_clips(self, table: Tensor) -> Tensor:
        """Give each of the clips' own tokens its row of a table (2 B, D): (N of clips, D)."""
        return table.index_select(0, self.condition[: sum(self.lengths)])


def lay_out(
    clean: Sequence[NDArray[np.bool_]],
    words: Sequence[int],
    stills: Sequence[tuple[int, int]],
    budget: int,
    device: torch.device,
) -> Layout:
    """Lay out a call whose flat list of tokens is all clips, then the frames they start from, then all words.

    Args:
        clean: for each clip which of its tokens are given.
        words: how many words each clip's prompt has.
        stills: the clip and the number of tokens of each frame that a clip starts from.
        budget: places of a row.
        device: of the result.
    """
    b = len(clean)
    conditions = [np.where(tokens, b + i, i) for i, tokens in enumerate(clean)]
    conditions += [np.full(length, b + i) for i, length in stills]
    conditions += [np.full(length, i) for i, length in enumerate(words)]
    ends = np.cumsum([len(part) for part in conditions])
    parts = [np.arange(end - len(part), end) for end, part in zip(ends, conditions, strict=True)]
    sequences = [[parts[i], parts[b + len(stills) + i]] for i in range(b)]
    for (i, _), part in zip(stills, parts[b : b + len(stills)], strict=True):
        sequences[i].append(part)
    packing = pack([np.concatenate(sequence) for sequence in sequences], budget, device)
    condition = torch.from_numpy(np.concatenate(conditions)).to(device)
    return Layout(packing, condition, condition[packing.source], [len(tokens) for tokens in clean])
