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

__all__ = ["Packing", "first_fit", "pack"]


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
