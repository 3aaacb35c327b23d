from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from screentest.generators.reference.model.pack import first_fit, lay_out, pack

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=12)


@given(LENGTHS, st.integers(1, 60))
def test_first_fit_places_everything_once_within_the_budget(lengths: list[int], budget: int) -> None:
    rows = first_fit(lengths, budget)
    assert sorted(number for row in rows for number in row) == list(range(len(lengths)))
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    for row in rows:
        assert row == sorted(row)
        assert sum(lengths[n] for n in row) <= budget or len(row) == 1


def test_first_fit_takes_the_first_row_with_room() -> None:
    assert first_fit([70, 60, 40, 20, 120, 10], 100) == [[0, 3, 5], [1, 2], [4]]


@given(LENGTHS, st.integers(1, 60))
def test_a_place_sees_its_own_sequence_and_every_token_is_found_again(
    lengths: list[int], budget: int
) -> None:
    order = np.random.default_rng(len(lengths)).permutation(sum(lengths))  # tokens may lie anywhere
    sequences = np.split(order, np.cumsum(lengths)[:-1])
    packing = pack(sequences, budget, torch.device("cpu"))
    flat = torch.arange(float(sum(lengths)))[:, None]
    rows = packing.rows(flat)
    assert torch.equal(rows.flatten(0, 1)[packing.place], flat)
    owner = torch.empty(sum(lengths), dtype=torch.long)
    for number, sequence in enumerate(sequences):
        owner[torch.from_numpy(sequence)] = number
    used = torch.zeros(rows.shape[:2], dtype=torch.bool).flatten()
    used[packing.place] = True
    used = used.view(rows.shape[:2])
    whose = torch.where(used, owner[packing.source], -1)
    sees = whose[:, :, None] == whose[:, None, :]
    if packing.mask is None:
        assert sees.all()
    else:
        assert torch.equal(packing.mask[:, 0] == 0, sees)
        assert torch.isneginf(packing.mask[:, 0][~sees]).all()


@pytest.mark.parametrize(("lengths", "masked"), [([5, 5, 5], False), ([5], False), ([5, 4], True)])
def test_sequences_of_one_length_pay_for_no_mask(lengths: list[int], masked: bool) -> None:
    sequences = np.split(np.arange(sum(lengths)), np.cumsum(lengths)[:-1])
    packing = pack(sequences, 256, torch.device("cpu"))
    assert (packing.mask is not None) == masked
    if not masked:
        assert packing.source.shape == (len(lengths), 5)


def test_a_layout_says_where_each_token_goes_and_what_it_is_under() -> None:
    # Two clips of 4 and 2 tokens, the first half given and with a frame of 2 before it; 1 and 2 words.
    clean = [np.array([True, True, False, False]), np.array([False, False])]
    layout = lay_out(clean, [1, 2], [(0, 2)], 8, torch.device("cpu"))
    assert layout.lengths == [4, 2]
    # The flat list: clip 0, clip 1, the frame of clip 0, words of 0, words of 1. Rows 2 and 3 are clean.
    assert layout.condition.tolist() == [2, 2, 0, 0, 1, 1, 2, 2, 0, 1, 1]
    flat = torch.arange(11.0)[:, None]
    rows = layout.rows(flat)
    assert rows[..., 0].tolist() == [[0, 1, 2, 3, 8, 6, 7], [4, 5, 9, 10, 0, 0, 0]]
    assert layout.clips(rows)[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    table = torch.arange(4.0)[:, None]
    assert layout.spread(table)[0, :, 0].tolist() == [2, 2, 0, 0, 0, 2, 2]
    assert layout.spread_clips(table)[:, 0].tolist() == [2, 2, 0, 0, 1, 1]
    assert layout.mask is not None
