"""What the diffusion transformer costs: ratios to plain ways of doing the same, measured side by side.

    python tests/benchmarks/dit.py [block] [packing] [sampling] [--repeats N] [--threads N]

Weights are random: time does not depend on them. Both ways of a pair run in turns (A B, B A, A B ...), each
turn gives one ratio, and their median and range are printed, by the wall clock and by the process's own CPU
time. Nothing is asserted: a time is no test.

block     a stack of our blocks against the block of facebookresearch/DiT written plainly, at equal width,
          depth and tokens: forward alone, and forward and backward. Below 1 is faster.
packing   forward and backward of clips of five sizes, packed into rows, against the same clips padded to the
          largest (without the mask that padding would need as well). Below 1 is faster.
sampling  seconds a clip of 16 frames of 64x64, 25 guided steps, in batches of 8, from prompts to pixels.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from screentest.generators.reference import ReferenceGenerator
from screentest.generators.reference.model.checkpoint import TEXT_FILES, checkpoint_digest, save_checkpoint
from screentest.generators.reference.model.dit import DiT, DiTBlock, DiTConfig, build_config
from screentest.generators.reference.model.parts import find_part
from screentest.generators.reference.model.text import TextConditioner
from screentest.harness.core.items import ClipSettings, make_item
from torch import Tensor, nn
from torch.nn import functional as F

BATCH = 32
TOKENS = 64 + 12
TEXT_WIDTH = 96
MIX = {(4, 8, 8): 0.72, (2, 8, 8): 0.07, (8, 8, 8): 0.05, (4, 6, 10): 0.08, (4, 10, 6): 0.08}
"""Latent sizes (T, H, W) and their shares."""

Times = tuple[float, float]
"""Seconds by the wall clock, and of the process's CPU."""


class PlainBlock(nn.Module):
    """The block of the DiT paper as its authors' code has it, with PyTorch's fused attention."""

    def __init__(self, width: int, heads: int, mlp_ratio: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.fc1 = nn.Linear(width, mlp_ratio * width)
        self.act = nn.GELU(approximate="tanh")
        self.fc2 = nn.Linear(mlp_ratio * width, width)
        self.adaln = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def attend(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        qkv = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.proj(x.transpose(1, 2).reshape(b, n, c))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        shift1, scale1, gate1, shift2, scale2, gate2 = self.adaln(c).chunk(6, dim=1)
        h = self.norm1(x) * (1 + scale1.unsqueeze(1)) + shift1.unsqueeze(1)
        x = x + gate1.unsqueeze(1) * self.attend(h)
        h = self.norm2(x) * (1 + scale2.unsqueeze(1)) + shift2.unsqueeze(1)
        return x + gate2.unsqueeze(1) * self.fc2(self.act(self.fc1(h)))


def timed(work: Callable[[], object]) -> Times:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def in_turns(ways: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[Times]]:
    """Measure every way in each turn, forwards and backwards by turns, so that a drift favours none."""
    for work in ways.values():
        work()
    times: dict[str, list[Times]] = {name: [] for name in ways}
    for turn in range(repeats):
        for name in list(ways)[:: 1 if turn % 2 == 0 else -1]:
            times[name].append(timed(ways[name]))
    return times


def say(what: str, ours: list[Times], theirs: list[Times]) -> None:
    for clock, name in enumerate(("wall", "cpu")):
        ratios = [a[clock] / b[clock] for a, b in zip(ours, theirs, strict=True)]
        base = statistics.median(t[clock] for t in theirs)
        print(
            f"{what:34} {name:5} ratio {statistics.median(ratios):.3f} "
            f"[{min(ratios):.3f}, {max(ratios):.3f}] n={len(ratios)}  (1 is {1e3 * base:.1f} ms)"
        )


def bench_block(repeats: int) -> None:
    config = build_config("small", TEXT_WIDTH)
    ours, theirs = _stacks(config)
    x, condition = torch.randn(BATCH, TOKENS, config.width), torch.randn(BATCH, config.width)

    def our() -> Tensor:
        h = x
        for block in ours:
            h = block(h, condition, lambda table: table[:, None], None)
        return h

    def their() -> Tensor:
        h = x
        for block in theirs:
            h = block(h, condition)
        return h

    torch.testing.assert_close(our(), their(), atol=2e-3, rtol=2e-3)  # but for the GELU's form

    def step(forward: Callable[[], Tensor]) -> Callable[[], object]:
        return lambda: forward().square().mean().backward()

    both = in_turns({"ours": step(our), "theirs": step(their)}, repeats)
    say("block, forward and backward", both["ours"], both["theirs"])
    with torch.inference_mode():
        both = in_turns({"ours": our, "theirs": their}, repeats)
    say("block, forward", both["ours"], both["theirs"])


def _stacks(config: DiTConfig) -> tuple[nn.ModuleList, nn.ModuleList]:
    ours = nn.ModuleList(DiTBlock(config.width, config.heads, 4) for _ in range(config.depth))
    theirs = nn.ModuleList(PlainBlock(config.width, config.heads) for _ in range(config.depth))
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert a.shape == b.shape
        with torch.no_grad():
            b.copy_(a)
    return ours, theirs


def bench_packing(repeats: int) -> None:
    generator = torch.Generator().manual_seed(0)
    model = DiT(build_config("small", TEXT_WIDTH))
    sizes = [size for size, share in MIX.items() for _ in range(round(share * 2 * BATCH))]
    chosen = [sizes[i] for i in torch.randperm(len(sizes), generator=generator)[:BATCH].tolist()]
    lengths = torch.randint(6, 17, (BATCH,), generator=generator).tolist()
    x = [torch.randn(16, *size, generator=generator) for size in chosen]
    words = [torch.randn(length, TEXT_WIDTH, generator=generator) for length in lengths]
    time_B, pooled = (
        torch.rand(BATCH, generator=generator),
        torch.randn(BATCH, TEXT_WIDTH, generator=generator),
    )
    largest = [max(size[axis] for size in chosen) for axis in range(3)]
    padded = [_pad(clip, [16, *largest]) for clip in x]
    padded_words = [_pad(text, [max(lengths), TEXT_WIDTH]) for text in words]

    def step(*told: Any) -> Callable[[], object]:
        return lambda: torch.stack([v.square().mean() for v in model(*told)]).mean().backward()

    times = in_turns(
        {
            "packed": step(x, time_B, words, pooled),
            "padded": step(padded, time_B, padded_words, pooled),
        },
        repeats,
    )
    say("packing, forward and backward", times["packed"], times["padded"])


def _pad(x: Tensor, shape: list[int]) -> Tensor:
    whole = x.new_zeros(shape)
    whole[tuple(slice(n) for n in x.shape)] = x
    return whole


def bench_sampling(repeats: int) -> None:
    """Time whole batches: prompts of several lengths, the shipped text model and autoencoder."""
    clip = ClipSettings(frames=16, height=64, width=64, fps=8)
    prompts = ["a red ball falls", "two small green squares", "the camera pans left over a blue triangle"]
    items = [make_item(prompts[seed % len(prompts)], seed, clip) for seed in range(8)]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "random"
        text, vae = (find_part(folder, part) for part in ("text", "vae"))
        model = DiT(build_config("small", TextConditioner.load(text).width))
        more = {
            "clips": [clip.model_dump(mode="json")],
            "text_digest": checkpoint_digest(text, *TEXT_FILES),
            "vae_digest": checkpoint_digest(vae),
        }
        save_checkpoint(folder, "dit", model.config, model.state_dict(), more)
        generator = ReferenceGenerator(str(folder), device="cpu")
        generator.generate(items[:1])
        times = [timed(lambda: generator.generate(items)) for _ in range(max(2, repeats // 4))]
    for clock, name in enumerate(("wall", "cpu")):
        seconds = statistics.median(t[clock] for t in times) / len(items)
        print(f"{'sampling':34} {name:5} {seconds:.3f} s a clip, {1 / seconds:.2f} clips/s  n={len(times)}")


BENCHES = {"block": bench_block, "packing": bench_packing, "sampling": bench_sampling}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what the diffusion transformer costs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHES)}; all by default")
    parser.add_argument("--repeats", type=int, default=15, help="turns, and so ratios (15)")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch (2)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    for name in options.names or BENCHES:
        BENCHES[name](options.repeats)


if __name__ == "__main__":
    main()
