from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.generators.reference.model.dit import (
    DiT,
    build_config,
    patchify,
    positions,
    sincos,
    unpatchify,
)
from screentest.harness.core.errors import UsageError
from torch import Tensor

from ..conftest import randomise

TEXT = 12
Size = tuple[int, int, int]


def tiny(**more: int) -> DiT:
    torch.manual_seed(0)
    model = DiT(build_config("nano", TEXT, channels=3, **more)).eval()
    randomise(model)
    return model


class Inputs:
    """Random arguments for clips of these latent sizes and numbers of words."""

    def __init__(self, sizes: Sequence[Size], lengths: Sequence[int], seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.x = [torch.randn(3, *size, generator=generator) for size in sizes]
        self.time = torch.rand(len(sizes), generator=generator)
        self.words = [torch.randn(length, TEXT, generator=generator) for length in lengths]
        self.pooled = torch.randn(len(sizes), TEXT, generator=generator)
        self.known = [torch.rand(size[0], generator=generator) < 0.4 for size in sizes]
        drawn = [torch.randn(3, 1, *size[1:], generator=generator) for size in sizes]
        self.stills = [still if torch.rand((), generator=generator) < 0.5 else None for still in drawn]

    def told(self, i: int | None = None) -> tuple[list[Tensor], Tensor, list[Tensor], Tensor]:
        """Say what every call says: of all clips, or of one."""
        only = slice(None) if i is None else slice(i, i + 1)
        return self.x[only], self.time[only], self.words[only], self.pooled[only]


SIZES = st.tuples(st.integers(1, 5), st.sampled_from([2, 4, 6]), st.sampled_from([2, 4, 8]))


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(SIZES, st.integers(1, 9)), min_size=1, max_size=6),
    st.sampled_from([1, 30, 90, 256]),
    st.booleans(),
    st.integers(0, 1000),
)
@torch.inference_mode()
def test_packed_is_one_by_one(clips: list[tuple[Size, int]], budget: int, given_: bool, seed: int) -> None:
    model = tiny(row_tokens=budget)
    inputs = Inputs([size for size, _ in clips], [length for _, length in clips], seed)
    together = model(*inputs.told(), *((inputs.known, inputs.stills) if given_ else ()))
    for i, velocity in enumerate(together):
        more = ([inputs.known[i]], [inputs.stills[i]]) if given_ else ()
        (alone,) = model(*inputs.told(i), *more)
        assert velocity.shape == inputs.x[i].shape
        torch.testing.assert_close(velocity, alone, atol=1e-5, rtol=1e-5)


def test_clips_that_are_alike_are_neither_packed_nor_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny()
    alike = Inputs([(4, 4, 6)] * 3, [5, 5, 5])
    packed = model(*alike.told(), [torch.zeros(4, dtype=torch.bool)] * 3)
    monkeypatch.setattr("screentest.generators.reference.model.dit.lay_out", None)
    for one, other in zip(model(*alike.told()), packed, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    mixed = Inputs([(4, 4, 6)] * 3, [5, 4, 5])
    with pytest.raises(TypeError):
        model(*mixed.told())


def test_both_ways_give_the_same_gradients() -> None:
    grads: list[list[Tensor]] = []
    for known in (None, [torch.zeros(2, dtype=torch.bool)] * 2):
        model = tiny()
        inputs = Inputs([(2, 4, 4)] * 2, [3, 3])
        torch.cat([v.flatten() for v in model(*inputs.told(), known)]).square().sum().backward()
        grads.append([p.grad for p in model.parameters() if p.grad is not None])
    assert len(grads[0]) == len(list(tiny().parameters()))
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, atol=2e-4, rtol=2e-4)


def test_it_starts_as_the_zero_velocity() -> None:
    model = DiT(build_config("nano", TEXT, channels=3))
    inputs = Inputs([(4, 4, 4), (2, 6, 4)], [4, 7])
    assert all(not v.any() for v in model(*inputs.told(), inputs.known, inputs.stills))


def test_a_block_starts_as_the_identity() -> None:
    block = DiT(build_config("nano", TEXT)).blocks[0]
    tokens = torch.randn(2, 5, 48)
    assert torch.equal(block(tokens, torch.randn(2, 48), lambda table: table[:, None], None), tokens)


@torch.inference_mode()
def test_everything_that_is_told_matters() -> None:
    model = tiny()
    told = Inputs([(4, 4, 4)], [5])
    x, time, words, pooled = told.told()
    (base,) = model(x, time, words, pooled)
    none = torch.zeros(4, dtype=torch.bool)
    last = torch.tensor([False, False, False, True])
    still = torch.randn(3, 1, 4, 4)
    for other in (
        model(x, time + 0.05, words, pooled),
        model(x, time, [torch.cat([words[0][:4], words[0][:1]])], pooled),
        model(x, time, [words[0][:4]], pooled),
        model(x, time, words, pooled + 0.1),
        model(x, time, words, pooled, [last]),
        model(x, time, words, pooled, None, [still]),
    ):
        assert (other[0] - base).abs().max() > 1e-3
    (same,) = model(x, time, words, pooled, [none], [None])
    torch.testing.assert_close(same, base, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_frame_that_is_known_is_read_at_time_zero() -> None:
    """All frames known: nothing is noisy, so that the time says nothing to the patches."""
    model = tiny()
    inputs = Inputs([(2, 4, 4)], [3])
    x, time, words, pooled = inputs.told()
    everything = [torch.ones(2, dtype=torch.bool)]
    for block in model.blocks:  # words, whose condition is the time's, are kept out
        block.attention.qkv.weight.zero_()
    (early,) = model(x, time, words, pooled, everything)
    (late,) = model(x, time * 0, words, pooled)
    torch.testing.assert_close(early, late, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_where_the_frame_ends_is_told() -> None:
    """The first patch of a small clip is told apart from that of a large one, though both see it alone."""
    model = tiny()
    for block in model.blocks:
        block.attention.qkv.weight.zero_()  # no token sees another
    small = Inputs([(1, 2, 2)], [1])
    x, time, words, pooled = small.told()
    wide = [torch.cat([x[0], x[0]], dim=3)]
    (a,), (b,) = model(x, time, words, pooled), model(wide, time, words, pooled)
    assert (a - b[..., :2]).abs().max() > 1e-3


def test_patches_are_cut_and_put_back() -> None:
    x = torch.arange(2 * 3 * 2 * 4 * 6.0).view(2, 3, 2, 4, 6)
    patches = patchify(x, 2)
    assert patches.shape == (2, 2 * 2 * 3, 12)
    assert torch.equal(patches[0, 1], x[0, :, 0, :2, 2:4].flatten())
    assert torch.equal(unpatchify(patches, (2, 2, 3), 2), x)
    with pytest.raises(ValueError, match="latents of 5x6 cannot be cut into patches of side 2"):
        patchify(torch.zeros(1, 3, 2, 5, 6), 2)


def test_every_place_has_a_vector_of_its_own_counted_from_the_corner() -> None:
    cpu = torch.device("cpu")
    where = positions((4, 5, 4), 0, 48, cpu)
    assert where.shape == (80, 48)
    assert (torch.cdist(where, where) + 1e9 * torch.eye(80)).min() > 0.3
    larger = positions((4, 6, 7), 0, 48, cpu).view(4, 6, 7, 48)
    assert torch.equal(larger[:, :5, :4].flatten(0, 2), where)
    before = positions((1, 5, 4), -1, 48, cpu)
    torch.testing.assert_close(before[7], sincos(torch.tensor([[-1.0, 1.0, 3.0]]), 48)[0])
    assert torch.cdist(before, where).min() > 0.3


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'small'"):
        build_config("smal", TEXT)


def test_adaln_has_the_parameters_of_the_paper() -> None:
    """Width d: attention 4 d^2, perceptron 8 d^2 and modulation 6 d^2 a block, and their biases."""
    config = build_config("small", 96)
    d = config.width
    block = DiT(config).blocks[0]
    biases = 3 * d + d + 4 * d + d + 6 * d
    assert sum(p.numel() for p in block.parameters()) == 18 * d * d + biases
