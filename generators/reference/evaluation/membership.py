"""Membership inference: whether the denoising loss tells scenes of the training set from others.

A diffusion model that has memorised a clip denoises it better than one it has never seen (Carlini et al.
2023, "Extracting training data from diffusion models", section 5.1). Both kinds of scenes are drawn in the
same way, from numbers of the training set and from numbers far beyond it, and get the same noise at the same
times, so that nothing but training distinguishes them. An AUC of 0.5 is no leak.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from ....harness.core.keys import digest
from ....harness.core.stats import jackknife_interval
from ....safety.calibration import auroc
from ...worlds.plane import NATIVE_CLIP, render
from ..model.parts import WEIGHTS, find_part
from ..training.data import HELD_OUT_FROM, TrainingSample, memorised, planted, training_samples
from .estimates import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["auc", "denoising_losses", "membership"]

TIMES: Final = (0.3, 0.5, 0.7, 0.85)
"""Times of the noise, 1 for nothing else."""
_BATCH: Final = 16


def membership(name: str, scenes: int = 200) -> dict[str, Estimate]:
    """Try to tell training scenes of a checkpoint from held-out ones by their denoising loss.

    Args:
        name: of a shipped checkpoint.
        scenes: number of either kind.

    Returns:
        ``scenes``: AUC of training scenes that are no film; ``films``: of the films of ``base`` against the
        same held-out scenes, which differ from them in kind as well, so that of a checkpoint that never saw
        the films it need not be 0.5.
    """
    which = planted(name)
    without = which.model_copy(update={"memorised": 0.0})
    members = _native((s for s in training_samples(which, 4 * scenes, 1) if s.name is None), scenes)
    others = _native(training_samples(without, 4 * scenes, 1, first=HELD_OUT_FROM), scenes)
    films = [memorised(one) for one in planted("base").code_names]
    losses = {
        kind: denoising_losses(name, samples)
        for kind, samples in {"members": members, "others": others, "films": films}.items()
    }
    return {
        "scenes": auc(-losses["members"], -losses["others"]),
        "films": auc(-losses["films"], -losses["others"]),
    }


def denoising_losses(name: str, samples: Sequence[TrainingSample]) -> NDArray[np.float64]:
    """Compute the mean squared error of the predicted velocity of each sample over `TIMES`: (N,).

    The noise of a sample depends on its place in the list alone.
    """
    from ..model.denoising import denoising_errors
    from ..model.dit import load_dit
    from ..model.text import TextConditioner
    from ..model.vae import load_vae

    folder = WEIGHTS / name
    parts = (
        load_dit(folder),
        load_vae(find_part(folder, "vae")),
        TextConditioner.load(find_part(folder, "text")),
    )
    losses: list[float] = []
    for start in range(0, len(samples), _BATCH):
        part = samples[start : start + _BATCH]
        clips = np.stack([render(sample.scene, sample.clip, words="")[0] for sample in part])

        def noise(n: int, time: float, shape: Sequence[int], first: int = start) -> Tensor:
            return _noise(first + n, time, shape)

        words = [sample.captions[0] for sample in part]
        losses += denoising_errors(parts, clips, words, TIMES, noise).mean(axis=1).tolist()
    return np.array(losses)


def auc(positives: NDArray[np.float64], negatives: NDArray[np.float64]) -> Estimate:
    """Compute the area under the ROC curve, with its jackknife interval over scenes."""
    without: dict[str, float] = {}
    for k in range(len(positives)):
        without[f"positive {k}"] = auroc(np.delete(positives, k), negatives)
    for k in range(len(negatives)):
        without[f"negative {k}"] = auroc(positives, np.delete(negatives, k))
    found = jackknife_interval(auroc(positives, negatives), without, 0.95, bounds=(0.0, 1.0))
    return {"value": found.value, "low": found.low, "high": found.high, "n": len(positives)}


def _noise(index: int, time: float, shape: Sequence[int]) -> Tensor:
    import torch

    seed = int(digest("membership", {"index": index, "time": time})[:15], 16)
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed))


def _native(samples: Iterable[TrainingSample], most: int) -> list[TrainingSample]:
    """Take samples of the world's own size, the first ``most``."""
    found = [sample for sample in samples if sample.clip == NATIVE_CLIP]
    return found[:most]
