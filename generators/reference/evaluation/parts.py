"""Evaluate the other parts on held-out clips: autoencoder, second stage, encoders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ....harness.core.items import ClipSettings
from ....harness.core.keys import seeded_rng
from ...worlds.plane import COLORS, FAMILIES, NATIVE_CLIP, NATIVE_CLIPS, SHAPES, Truth, render, world_clips
from ..model.parts import WEIGHTS
from ..model.reconstruction import reconstruct
from ..readers.reader import read_clip
from ..training.data import HELD_OUT_FROM, planted, training_samples
from .estimates import Estimate, mean, share

if TYPE_CHECKING:
    from torch import Tensor


__all__ = [
    "clip_retrieval",
    "hazard_classifier",
    "nearest_class",
    "psnr",
    "refiner_quality",
    "vae_quality",
]


def vae_quality(folder: Path = WEIGHTS / "vae", clips: int = 150) -> dict[str, Estimate]:
    """Code and decode held-out clips of the training mix: PSNR in dB, SSIM, and what it adds to tracks.

    Returns:
        ``psnr`` and ``ssim``, also of each native size, and ``track_px``: the mean distance in pixels
        between where a single shape is read in a clip and in its reconstruction; ``track_floor_px`` is that
        between where it is and where it is read in the clip itself.
    """
    from ..model.vae import load_vae

    model = load_vae(folder)
    found: dict[str, Estimate] = {}
    which = planted("base").model_copy(update={"memorised": 0.0})
    pairs: dict[str, list[tuple[float, float]]] = {}
    for sample in training_samples(which, clips, 1, first=HELD_OUT_FROM):
        frames, _ = render(sample.scene, sample.clip, words="")
        decoded = reconstruct(model, frames)
        pairs.setdefault(_size(sample.clip), []).append((psnr(frames, decoded), ssim(frames, decoded)))
    everything = [pair for part in pairs.values() for pair in part]
    for index, name in enumerate(("psnr", "ssim")):
        found[name] = mean([pair[index] for pair in everything], f"vae {name}")
        for clip in NATIVE_CLIPS:
            part = pairs.get(_size(clip), [])
            if len(part) > 1:
                found[f"{name} {_size(clip)}"] = mean([pair[index] for pair in part], f"vae {name}")
    added: list[float] = []
    floor: list[float] = []
    for frames, truth in world_clips(clips, "vae-track-test"):
        read = read_clip(frames).position_T2
        added.append(_apart(read, read_clip(reconstruct(model, frames)).position_T2))
        floor.append(_apart(read, truth.position_T2))
    return {**found, "track_px": mean(added, "track"), "track_floor_px": mean(floor, "floor")}


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of two uint8 arrays of one shape, in dB."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Structural similarity (Wang et al. 2004) of two uint8 clips (T, H, W, 3), averaged over frames."""
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure as measure

    x, y = (torch.from_numpy(clip).permute(0, 3, 1, 2).double() / 255 for clip in (a, b))
    value = measure(x, y, data_range=1.0)
    assert isinstance(value, torch.Tensor)
    return float(value)


def refiner_quality(folder: Path = WEIGHTS / "refiner", clips: int = 60) -> dict[str, Estimate]:
    """Double reconstructions of held-out clips: PSNR in dB to the true clip, refined and interpolated."""
    import torch

    from ..model.parts import find_part
    from ..model.refiner import interpolate, load_refiner, refine
    from ..model.vae import load_vae, to_pixels, to_unit
    from ..training.refiner import refining_pairs

    model = load_refiner(folder)
    small, large = refining_pairs(load_vae(find_part(folder, "vae")), clips, "test", torch.device("cpu"))
    with_it: list[float] = []
    without: list[float] = []
    with torch.inference_mode():
        for a, b in zip(small, large, strict=True):
            unit = to_unit(a[None])
            with_it.append(psnr(to_pixels(refine(model, unit))[0].numpy(), b.numpy()))
            without.append(psnr(to_pixels(interpolate(unit))[0].numpy(), b.numpy()))
    gain = [one - other for one, other in zip(with_it, without, strict=True)]
    return {
        "psnr": mean(with_it, "refined"),
        "psnr_interpolated": mean(without, "interpolated"),
        "gain_db": mean(gain, "gain"),
    }


def clip_retrieval(folder: Path = WEIGHTS / "clip", frames: int = 600) -> dict[str, Estimate]:
    """Pick, for held-out frames, the right caption among the 18 of color and shape ("a red ball")."""
    import torch
    from transformers import CLIPModel

    from ..model.text import load_tokenizer, tokenize

    model = CLIPModel.from_pretrained(folder, local_files_only=True).eval()
    names = [(color, shape) for color in COLORS for shape in SHAPES]
    ids = tokenize(load_tokenizer(folder), [f"a {color} {shape}" for color, shape in names])
    stills, truths = _stills(frames, "clip-test")
    with torch.inference_mode():
        logits = model(input_ids=ids, pixel_values=_pixels(stills)).logits_per_image  # (frames, 18)
    picked = [names[i] for i in logits.argmax(1).tolist()]
    right = [
        (c == t.scene.subject.color, s == t.scene.subject.shape)
        for (c, s), t in zip(picked, truths, strict=True)
    ]
    return {
        "color": share([c for c, _ in right]),
        "shape": share([s for _, s in right]),
        "both": share([c and s for c, s in right]),
    }


def nearest_class(what: str, folder: Path | None = None, clips: int = 600) -> dict[str, Estimate]:
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


def hazard_classifier(folder: Path = WEIGHTS / "hazard", frames: int = 600) -> dict[str, Estimate]:
    """Measure sensitivity and specificity of the learned hazard judge on held-out frames, at 0.5."""
    import torch
    from transformers import ViTForImageClassification

    model = ViTForImageClassification.from_pretrained(folder, local_files_only=True).eval()
    others = [name for name in FAMILIES if name != "hazard"]
    found: dict[str, Estimate] = {}
    for name, families, wanted in (("sensitivity", ["hazard"], 1), ("specificity", others, 0)):
        stills, _ = _stills(frames // 2, f"hazard-test-{name}", families)
        with torch.inference_mode():
            picked = model(_pixels(stills)).logits.argmax(1).tolist()
        found[name] = share([label == wanted for label in picked])
    return found


def _nearest(features: NDArray[np.float32], labels: Sequence[str]) -> Estimate:
    half = len(labels) // 2
    names = sorted(set(labels[:half]))
    fitted = np.array(labels[:half])
    means = np.stack([features[:half][fitted == name].mean(0) for name in names])
    distances = np.linalg.norm(features[half:, None] - means[None], axis=-1)  # (test, classes)
    picked = [names[i] for i in distances.argmin(1)]
    return share([p == t for p, t in zip(picked, labels[half:], strict=True)])


def _stills(n: int, seed: str, families: Sequence[str] = ()) -> tuple[NDArray[np.uint8], list[Truth]]:
    """Take one random frame (N, H, W, 3) of each of ``n`` held-out clips."""
    frames: list[NDArray[np.uint8]] = []
    truths: list[Truth] = []
    for index, (clip, truth) in enumerate(world_clips(n, seed, NATIVE_CLIP, families=families)):
        frames.append(clip[int(seeded_rng(seed, "still", index).integers(len(clip)))])
        truths.append(truth)
    return np.stack(frames), truths


def _pixels(frames_NHWC: NDArray[np.uint8]) -> Tensor:
    import torch

    return torch.from_numpy(frames_NHWC).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def _apart(one_T2: NDArray[np.float64], other_T2: NDArray[np.float64]) -> float:
    return float(np.nanmean(np.linalg.norm(one_T2 - other_T2, axis=1)))


def _size(clip: ClipSettings) -> str:
    return f"{clip.frames}x{clip.height}x{clip.width}"
