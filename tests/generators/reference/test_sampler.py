from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from pydantic import ValidationError
from screentest.generators.reference.sampler import SamplerSettings, item_noise, sample, shift_time
from torch import Tensor


class Flow:
    """Knows where the data is: velocity (noise - data), data being the mean of the prompt's ids."""

    def __init__(self, noise: Tensor) -> None:
        self.noise = noise

    def text(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        return ids, ids.float().mean(1)

    def dit(self, x: Tensor, time: Tensor, words: Tensor, pooled: Tensor) -> Tensor:
        del time, words
        noise = self.noise.repeat(len(x) // len(self.noise), 1, 1, 1, 1)
        return noise - pooled[:, None, None, None, None]


@pytest.mark.parametrize(("guidance", "expected"), [(1.0, [6.0, 3.0]), (3.0, [16.0, 7.0]), (0.0, [1.0, 1.0])])
@pytest.mark.parametrize("steps", [1, 25])
def test_a_straight_flow_arrives_where_guidance_points(
    guidance: float, expected: list[float], steps: int
) -> None:
    noise = torch.randn(2, 1, 2, 2, 2)
    ids, empty = torch.tensor([[6, 6], [2, 4]]), torch.tensor([[1, 1]])
    settings = SamplerSettings(steps=steps, guidance=guidance)
    out = sample(cast(Any, Flow(noise)), noise, ids, empty, settings)
    wanted = torch.tensor(expected)[:, None, None, None, None].expand_as(out)
    torch.testing.assert_close(out, wanted, atol=1e-4, rtol=1e-4)


def test_noise_belongs_to_its_item() -> None:
    together = item_noise(["a", "b", "c"], (16, 4, 8, 8))
    assert torch.equal(item_noise(["c"], (16, 4, 8, 8))[0], together[2])
    assert abs(together.mean().item()) < 0.02
    assert abs(together.std().item() - 1) < 0.02
    assert abs(torch.corrcoef(together.flatten(1))[0, 1].item()) < 0.05


def test_settings_are_bounded() -> None:
    with pytest.raises(ValidationError):
        SamplerSettings(steps=0)


def test_shifted_times_keep_their_ends_and_order() -> None:
    times = torch.linspace(0, 1, 11)
    moved = shift_time(times, 3.0)
    assert (moved[0].item(), moved[-1].item()) == (0.0, 1.0)
    assert (moved.diff() > 0).all()
    assert (moved[1:-1] > times[1:-1]).all()
    torch.testing.assert_close(shift_time(times, 1.0), times)
