"""What the shipped checkpoints get right, measured against the truth: the numbers of the model card.

    python -m screentest.generators.reference.evaluate

Everything is held out: clips and captions come from seeds that nothing was trained on, and the generator's
clips are read by `reader.read_clip`, which has no learned part.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...harness.keys import seeded_rng
from ...harness.plan import Item, make_item
from ...harness.stats import rate_interval
from ..base import Frames, Generator
from .generator import CHECKPOINTS, WEIGHTS, ReferenceGenerator
from .reader import read_clip
from .words import COLORS, MOTIONS, SHAPES, caption
from .world import NATIVE_CLIP, Scene, Truth, sample_scene, world_clips

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["card", "clip_retrieval", "generator_accuracy", "nearest_class", "vae_psnr"]

Share: TypeAlias = "dict[str, float | None]"
"""A proportion: ``share``, ``low`` and ``high`` (95 %, Wilson) and ``n``."""


def vae_psnr(folder: Path = WEIGHTS / "vae", clips: int = 200) -> dict[str, float]:
    """Code and decode held-out clips: mean over clips of the PSNR in dB, its standard error, and n."""
    import torch

    from .train import encode_clips
    from .vae import load_vae, to_pixels

    model = load_vae(folder)
    values: list[float] = []
    for frames, _ in world_clips(clips, "vae-test"):
        latents = encode_clips(model, torch.from_numpy(frames)[None], torch.device("cpu"))
        with torch.inference_mode():
            decoded = to_pixels(model.decode(latents))[0].numpy()
        values.append(psnr(frames, decoded))
    return {"mean": float(np.mean(values)), "stderr": float(np.std(values) / math.sqrt(clips)), "n": clips}


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of two uint8 arrays of one shape, in dB."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def generator_accuracy(generator: Generator, items: int = 216) -> dict[str, Share]:
    """Read generated clips back: how often color, shape, motion and all three are what the caption says.

    Returns:
        For each attribute ``share``, ``low`` and ``high`` (95 %, Wilson) and ``n``.
    """
    asked = held_out_items(items)
    hits = dict.fromkeys(("color", "shape", "motion", "all"), 0)
    for start in range(0, items, generator.batch_size):
        batch = asked[start : start + generator.batch_size]
        for (_, scene), output in zip(batch, generator.generate([item for item, _ in batch]), strict=True):
            if not isinstance(output, Frames):
                continue  # counts as wrong
            seen = read_clip(output.frames_THWC)
            right = [getattr(seen, name) == getattr(scene, name) for name in ("color", "shape", "motion")]
            for name, hit in zip(hits, [*right, all(right)], strict=True):
                hits[name] += hit
    return {name: _share(count, items) for name, count in hits.items()}


def held_out_items(n: int) -> list[tuple[Item, Scene]]:
    """List captions with the scene that each describes; each color, shape and motion comes equally often."""
    items: list[tuple[Item, Scene]] = []
    for index in range(n):
        rng = seeded_rng("generator-test", index)
        color, shape = list(COLORS)[index % 6], SHAPES[index // 6 % 3]
        motion = MOTIONS[index // 18 % 6]
        scene = sample_scene(rng, color=color, shape=shape, motion=motion)
        items.append((make_item(caption(scene, rng), 1_000_000 + index, NATIVE_CLIP), scene))
    return items


def clip_retrieval(folder: Path = WEIGHTS / "clip", frames: int = 600) -> dict[str, Share]:
    """Pick, for held-out frames, the right caption among the 18 of color and shape ("a red ball")."""
    import torch
    from transformers import CLIPModel

    from .text import load_tokenizer, tokenize

    model = CLIPModel.from_pretrained(folder, local_files_only=True).eval()
    names = [(color, shape) for color in COLORS for shape in SHAPES]
    ids = tokenize(load_tokenizer(folder), [f"a {color} {shape}" for color, shape in names])
    stills, truths = _stills(frames, "clip-test")
    with torch.inference_mode():
        logits = model(input_ids=ids, pixel_values=_pixels(stills)).logits_per_image  # (frames, 18)
    picked = [names[i] for i in logits.argmax(1).tolist()]
    right = [(c == t.color, s == t.shape) for (c, s), t in zip(picked, truths, strict=True)]
    return {
        "color": _share(sum(c for c, _ in right), frames),
        "shape": _share(sum(s for _, s in right), frames),
        "both": _share(sum(c and s for c, s in right), frames),
    }


def nearest_class(what: str, folder: Path | None = None, clips: int = 600) -> dict[str, Share]:
    """Name attributes by the nearest class mean of features: fitted on one half, scored on the other.

    ``what`` is ``subject`` (pooled feature of single frames) or ``video`` (mean of the tokens of clips).
    """
    import torch
    from transformers import Dinov2Model, VideoMAEModel

    folder = folder or WEIGHTS / what
    with torch.inference_mode():
        if what == "subject":
            frames, truths = _stills(clips, "subject-test")
            model = Dinov2Model.from_pretrained(folder, local_files_only=True).eval()
            features = model(_pixels(frames)).pooler_output.numpy()
            attributes = ("color", "shape")
        else:
            pairs = list(world_clips(clips, "video-test"))
            truths = [truth for _, truth in pairs]
            model = VideoMAEModel.from_pretrained(folder, local_files_only=True).eval()
            parts = [model(_pixels(frames)[None]).last_hidden_state.mean(1)[0].numpy() for frames, _ in pairs]
            features = np.stack(parts)
            attributes = ("color", "shape", "motion")
    return {name: _nearest(features, [getattr(t, name) for t in truths]) for name in attributes}


def card(items: int = 216) -> dict[str, object]:
    """Measure everything that the model card reports of the shipped weights."""
    return {
        "vae_psnr_db": vae_psnr(),
        **{name: generator_accuracy(ReferenceGenerator(name), items) for name in CHECKPOINTS},
        "clip_retrieval": clip_retrieval(),
        "subject_nearest_class": nearest_class("subject"),
        "video_nearest_class": nearest_class("video"),
    }


def _share(hits: int, n: int) -> Share:
    each = [str(index) for index in range(n)]
    interval = rate_interval(
        [1.0] * hits + [0.0] * (n - hits), each, 0.95
    )  # of Wilson: items are independent
    return {"share": hits / n, "low": interval.low, "high": interval.high, "n": n}


def _nearest(features: NDArray[np.float32], labels: Sequence[str]) -> Share:
    half = len(labels) // 2
    names = sorted(set(labels[:half]))
    fitted = np.array(labels[:half])
    means = np.stack([features[:half][fitted == name].mean(0) for name in names])
    distances = np.linalg.norm(features[half:, None] - means[None], axis=-1)  # (test, classes)
    picked = [names[i] for i in distances.argmin(1)]
    return _share(sum(p == t for p, t in zip(picked, labels[half:], strict=True)), len(labels) - half)


def _stills(n: int, seed: str) -> tuple[NDArray[np.uint8], list[Truth]]:
    """Take one random frame (N, H, W, 3) of each of ``n`` held-out clips."""
    frames: list[NDArray[np.uint8]] = []
    truths: list[Truth] = []
    for index, (clip, truth) in enumerate(world_clips(n, seed)):
        frames.append(clip[int(seeded_rng(seed, "still", index).integers(len(clip)))])
        truths.append(truth)
    return np.stack(frames), truths


def _pixels(frames_NHWC: NDArray[np.uint8]) -> Tensor:
    import torch

    return torch.from_numpy(frames_NHWC).permute(0, 3, 1, 2).float() / 127.5 - 1.0


if __name__ == "__main__":
    json.dump(card(), sys.stdout, indent=2)
