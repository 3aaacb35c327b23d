from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from pydantic import ValidationError
from screentest.generators.reference.model.dit import DiT, build_config
from screentest.generators.reference.model.sampler import (
    Given,
    SamplerSettings,
    item_noise,
    sample,
    shift_time,
)
from torch import Tensor

from ..conftest import randomise

SHAPES = [(3, 4, 4, 4), (3, 2, 4, 6), (3, 4, 4, 4)]
NOISE = [item_noise(str(number), shape) for number, shape in enumerate(SHAPES)]
EMPTY = ([torch.ones(1, 1)], torch.ones(1, 1))


def fresh(number: int, step: int) -> Tensor:
    return item_noise(str(number), SHAPES[number], step)


def told(values: Sequence[float]) -> tuple[list[Tensor], Tensor]:
    pooled = torch.tensor(values)[:, None]
    return [row[None] for row in pooled], pooled


class Straight:
    """A flow whose data is, everywhere, the prompt's one number: the velocity from any x at t leads there."""

    def __init__(self) -> None:
        self.calls = 0
        self.known: Sequence[Tensor] | None = None
        self.stills: Sequence[Tensor | None] | None = None

    def __call__(self, x, time, words, pooled, known=None, stills=None) -> list[Tensor]:
        self.calls += 1
        self.known, self.stills = known, stills
        # On the line from data d to noise, x = d + t v: but for time 0, which says nothing.
        return [(a - d) / max(float(t), 1e-6) for a, d, t in zip(x, pooled[:, 0], time, strict=True)]


class Curved:
    """dx/dt = x: what is e at time 1 is 1 at time 0."""

    calls = 0

    def __call__(self, x, time, words, pooled, known=None, stills=None) -> list[Tensor]:
        self.calls += 1
        return list(x)


@pytest.mark.parametrize(("guidance", "expected"), [(1.0, [6, 3, 2]), (3.0, [16, 7, 4]), (0.0, [1, 1, 1])])
@pytest.mark.parametrize("solver", ["euler", "heun", "renoise"])
@pytest.mark.parametrize("steps", [1, 7])
def test_a_straight_flow_arrives_where_guidance_points(
    guidance: float, expected: list[float], solver: str, steps: int
) -> None:
    settings = SamplerSettings.model_validate({"solver": solver, "steps": steps, "guidance": guidance})
    out = sample(Straight(), NOISE, told([6.0, 3.0, 2.0]), EMPTY, settings, fresh=fresh)
    for clip, noise, wanted in zip(out, NOISE, expected, strict=True):
        torch.testing.assert_close(clip, torch.full_like(noise, wanted), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("solver", "evaluations"), [("euler", 8), ("heun", 15), ("renoise", 8)])
def test_how_often_the_model_is_asked(solver: str, evaluations: int) -> None:
    flow = Straight()
    settings = SamplerSettings.model_validate({"solver": solver, "steps": 8})
    sample(flow, NOISE, told([1, 1, 1]), EMPTY, settings, fresh=fresh)
    assert flow.calls == evaluations


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("heun", 2)])
def test_the_error_falls_with_the_order_of_the_solver(solver: str, order: int) -> None:
    """Of dx/dt = x from 1 to 0; Heun's last step, of Euler, leaves an error of second order too."""
    start = [torch.full((1, 1, 1, 1), torch.e, dtype=torch.float64)]
    errors = []
    for steps in (32, 64):
        settings = SamplerSettings.model_validate(
            {"solver": solver, "steps": steps, "guidance": 1, "shift": 1}
        )
        (end,) = sample(Curved(), start, told([1.0]), EMPTY, settings)
        errors.append(abs(float(end) - 1.0))
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.1)


def test_renoise_starts_each_step_from_what_is_predicted_and_noise_of_its_own() -> None:
    """With a prediction of 6 everywhere, a step from time t starts with 6 (1 - t) + t e."""
    seen: list[tuple[float, Tensor]] = []
    flow = Straight()

    def spied(x, time, words, pooled, known=None, stills=None) -> list[Tensor]:
        seen.append((float(time[1]), x[1]))
        return flow(x, time, words, pooled)

    settings = SamplerSettings(solver="renoise", steps=5, guidance=1, shift=1)
    drawn: list[tuple[int, int]] = []

    def noted(number: int, step: int) -> Tensor:
        drawn.append((number, step))
        return fresh(number, step)

    out = sample(spied, NOISE, told([6.0, 6.0, 6.0]), EMPTY, settings, fresh=noted)
    assert sorted(drawn) == [(number, step) for number in range(3) for step in range(1, 5)]
    for step, (time, x) in enumerate(seen):
        assert time == pytest.approx(1 - step / 5)
        noise = NOISE[1] if step == 0 else fresh(1, step)
        torch.testing.assert_close(x, 6 * (1 - time) + time * noise, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(out[1], torch.full_like(NOISE[1], 6.0))
    with pytest.raises(ValueError, match="needs fresh noise"):
        sample(flow, NOISE, told([6.0, 6.0, 6.0]), EMPTY, settings)


def test_renoise_leaves_edits_to_the_flow() -> None:
    clean = [torch.randn(shape) for shape in SHAPES]
    given = [Given(latents=c, strength=0.5) for c in clean]
    euler, renoise = (
        sample(
            painted(4.0),
            NOISE,
            told([3.0] * 3),
            EMPTY,
            SamplerSettings.model_validate({"solver": solver}),
            given,
            fresh,
        )
        for solver in ("euler", "renoise")
    )
    for one, other in zip(euler, renoise, strict=True):
        assert torch.equal(one, other)


def test_noise_belongs_to_its_item() -> None:
    a, b = item_noise("a", (16, 4, 8, 8)), item_noise("b", (16, 4, 8, 8))
    assert torch.equal(item_noise("a", (16, 4, 8, 8)), a)
    assert a.flatten()[:2].tolist() == pytest.approx([0.5097771, 0.5235965])  # as it always was
    assert not torch.isclose(item_noise("a", (16, 4, 8, 8), step=1), a).any()
    assert abs(a.mean().item()) < 0.05
    assert abs(a.std().item() - 1) < 0.05
    assert abs(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()) < 0.05


def test_settings_are_bounded() -> None:
    for wrong in (
        {"steps": 0},
        {"solver": "midpoint"},
        {"guidance": -1},
        {"image_guidance": -1},
        {"shift": 0},
    ):
        with pytest.raises(ValidationError):
            SamplerSettings.model_validate(wrong)


def test_shifted_times_keep_their_ends_and_order() -> None:
    times = torch.linspace(0, 1, 11)
    moved = shift_time(times, 3.0)
    assert (moved[0].item(), moved[-1].item()) == (0.0, 1.0)
    assert (moved.diff() > 0).all()
    assert (moved[1:-1] > times[1:-1]).all()
    torch.testing.assert_close(shift_time(times, 1.0), times)
    torch.testing.assert_close(shift_time(moved, 1 / 3.0), times)


@pytest.mark.parametrize("solver", ["euler", "heun", "renoise"])
def test_frames_that_are_known_stay_and_are_known_in_both_branches(solver: str) -> None:
    clean, still = torch.randn(SHAPES[0]), torch.randn(3, 1, 4, 4)
    known = torch.tensor([True, False, False, True])
    given = [Given(latents=clean, known=known), Given(), Given(still=still)]
    flow = Straight()
    settings = SamplerSettings.model_validate({"solver": solver, "guidance": 2.5})
    out = sample(flow, NOISE, told([6, 3, 2]), EMPTY, settings, given, fresh)
    assert torch.equal(out[0][:, known], clean[:, known])
    torch.testing.assert_close(out[0][:, ~known], torch.full((3, 2, 4, 4), 1 + 2.5 * 5), atol=1e-3, rtol=1e-4)
    assert flow.known is not None
    assert flow.stills is not None
    for half in (slice(0, 3), slice(3, 6)):
        assert [mask.tolist() for mask in flow.known[half]] == [known.tolist(), [False] * 2, [False] * 4]
        assert [s is still for s in flow.stills[half]] == [False, False, True]
    assert [s is None for s in flow.stills[6:]] == [True]  # the one with an image, without it
    assert flow.known[6].tolist() == [False] * 4


def test_an_image_is_guided_towards_on_a_scale_of_its_own() -> None:
    """The velocity is u + g (c - u) + (i - 1) (c - n), n being that without the image."""

    def flow(x, time, words, pooled, known=None, stills=None) -> list[Tensor]:
        drawn = [None] * len(x) if stills is None else stills
        return [
            torch.full_like(a, p.item() + (0.0 if s is None else 10.0))
            for a, p, s in zip(x, pooled[:, 0], drawn, strict=True)
        ]

    given = [Given(still=torch.zeros(3, 1, 4, 4)), Given(), Given()]
    for guidance, image_guidance in ((1.0, 1.0), (1.0, 3.0), (2.0, 1.0), (2.0, 3.0)):
        settings = SamplerSettings(guidance=guidance, image_guidance=image_guidance)
        out = sample(flow, NOISE, told([6.0, 3.0, 2.0]), EMPTY, settings, given)
        for n, (clip, noise, value) in enumerate(zip(out, NOISE, (6.0, 3.0, 2.0), strict=True)):
            image = 10.0 if n == 0 else 0.0
            slope = 1.0 + guidance * (value - 1.0) + image * image_guidance
            torch.testing.assert_close(clip, noise - slope, atol=1e-4, rtol=1e-4)


def painted(value: float) -> Callable[..., list[Tensor]]:
    """Make a flow in which a prompt's number p adds ``value * (p - 1)`` to a corner and leaves the rest."""

    def flow(x, time, words, pooled, known=None, stills=None) -> list[Tensor]:
        moved = [torch.zeros_like(a) for a in x]
        for a, p in zip(moved, pooled[:, 0], strict=True):
            a[:, :, :2, :2] = -value * (p - 1.0)
        return moved

    return flow


def test_an_edit_changes_what_the_prompt_changes_and_keeps_the_rest_exactly() -> None:
    clean = [torch.randn(shape) for shape in SHAPES]
    given = [Given(latents=c, strength=s) for c, s in zip(clean, (0.25, 0.5, 1.0), strict=True)]
    out = sample(painted(4.0), NOISE, told([3.0, 3.0, 1.0]), EMPTY, SamplerSettings(guidance=2), given)
    for clip, before, strength in zip(out[:2], clean, (0.25, 0.5), strict=False):
        inside = torch.zeros(clip.shape, dtype=torch.bool)
        inside[:, :, :2, :2] = True
        assert torch.equal(clip[~inside], before[~inside])
        gone = clip[inside] - before[inside] - strength * 2 * 4.0 * 2.0  # what is left is the seed's noise
        assert 0 < gone.abs().max() < 5 * strength
    assert torch.equal(out[2], clean[2])  # a prompt that changes nothing leaves the clip as it is


def test_an_edit_goes_the_way_back_that_it_came() -> None:
    """Without a change, a curved flow carried back and forth ends near the clip, and not at its noise."""
    seen: list[list[float]] = []

    def flow(x, time, words, pooled, known=None, stills=None) -> list[Tensor]:
        seen.append(time.tolist())
        return [a * (1.0 + 1e-6 * p) for a, p in zip(x, pooled[:, 0], strict=True)]

    clean = [torch.randn(shape) for shape in SHAPES]
    given = [Given(latents=c, strength=0.5) for c in clean]
    settings = SamplerSettings(steps=50, guidance=1)
    out = sample(flow, NOISE, told([2.0, 2.0, 2.0]), EMPTY, settings, given)
    times = [time[0] for time in seen]
    back, forth = times[4:54], times[54:]
    assert back == sorted(back)
    assert forth == sorted(forth, reverse=True)
    assert (back[0], forth[0]) == (0.0, pytest.approx(0.5))
    for clip, before in zip(out, clean, strict=True):
        kept = torch.isclose(clip, before, atol=0.02, rtol=0.02)
        assert kept.float().mean() < 1.0  # the mask has the seed's noise
        assert torch.corrcoef(torch.stack([clip.flatten(), before.flatten()]))[0, 1] > 0.95


def test_seeds_give_edits_of_their_own() -> None:
    clean = torch.randn(SHAPES[0])
    made = [
        sample(painted(4.0), [noise], told([3.0]), EMPTY, SamplerSettings(), [Given(latents=clean)])[0]
        for noise in (NOISE[0], NOISE[2])
    ]
    assert not torch.allclose(made[0], made[1])


@pytest.mark.parametrize("solver", ["euler", "heun", "renoise"])
def test_a_clip_does_not_depend_on_its_batch(solver: str) -> None:
    """Of mixed sizes, prompts and starts, in any order and alone."""
    torch.manual_seed(0)
    model = DiT(build_config("nano", 12, channels=3)).eval()
    randomise(model, 0.05)
    words = [torch.randn(length, 12) for length in (3, 7, 4)]
    pooled, empty = torch.randn(3, 12), ([torch.randn(2, 12)], torch.randn(1, 12))
    known = torch.tensor([True, True, False, False])
    given = [
        Given(latents=torch.randn(SHAPES[0]), known=known),
        Given(latents=torch.randn(SHAPES[1]), strength=0.6),
        Given(still=torch.randn(3, 1, 4, 4)),
    ]
    settings = SamplerSettings.model_validate({"solver": solver, "steps": 8})

    def run(which: list[int]) -> list[Tensor]:
        chosen = ([words[i] for i in which], pooled[which])
        noise, starts = [NOISE[i] for i in which], [given[i] for i in which]
        drawn = lambda n, step: fresh(which[n], step)  # noqa: E731
        return sample(model, noise, chosen, empty, settings, starts, drawn)

    together = run([0, 1, 2])
    for i in range(3):
        assert not torch.allclose(together[i], NOISE[i], atol=0.1)
        torch.testing.assert_close(run([i])[0], together[i], atol=1e-4, rtol=0)
    backwards = run([2, 1, 0])
    for i in range(3):
        torch.testing.assert_close(backwards[2 - i], together[i], atol=1e-4, rtol=0)
