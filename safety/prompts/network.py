"""A network of one hidden layer for several labels at once, where a label may be unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...harness.core.arrays import Floats
from ...harness.core.keys import seeded_rng

__all__ = ["Network", "NetworkSettings", "fit_network", "mean_network"]

Narrow = NDArray[np.float32]


@dataclass(frozen=True)
class NetworkSettings:
    """How a network is fitted: AdamW with a warm-up over a tenth of the steps and a linear way down to 0."""

    width: int = 256
    epochs: int = 12
    rate: float = 1e-3
    decay: float = 1e-2
    batch: int = 256
    dropped_features: float = 0.1
    dropped_units: float = 0.3
    seed: int = 0


@dataclass(frozen=True)
class Network:
    """Rectified units over d features, and a linear score of them.

    Attributes:
        inward: (d, width), with ``inward_bias`` (width,).
        outward: (width, k), with ``bias`` (k,).
    """

    inward: Narrow
    inward_bias: Narrow
    outward: Narrow
    bias: Narrow

    def logits(self, features: Narrow) -> Floats:
        """Score features (n, d): (n, k); 0 is even odds before calibration."""
        units = np.maximum(features @ self.inward + self.inward_bias, 0.0)
        return (units @ self.outward + self.bias).astype(np.float64)


def mean_network(networks: Sequence[Network]) -> Network:
    """Put networks over the same features side by side, as one that gives the mean of their scores."""
    share = 1.0 / len(networks)
    return Network(
        np.concatenate([one.inward for one in networks], 1),
        np.concatenate([one.inward_bias for one in networks]),
        np.concatenate([one.outward for one in networks]) * np.float32(share),
        sum((one.bias * np.float32(share) for one in networks), np.zeros_like(networks[0].bias)),
    )


def fit_network(features: Narrow, labels: Floats, weights: Floats, settings: NetworkSettings) -> Network:
    """Minimise the weighted log loss over shuffled batches.

    The features are standardised over the rows, and the standardisation is folded into the result.

    Args:
        features: (n, d).
        labels: (n, k) of 0, 1 and NaN for unknown.
        weights: (n, k), 0 where the label is unknown; each column sums to 1.
        settings: width, length and noise of the fit.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits as log_loss

    n, d = features.shape
    rng = seeded_rng("network", settings.seed)
    noise = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
    mean, spread = features.mean(0), features.std(0)
    scale = np.maximum(spread, 0.01 * spread.mean())  # some features are constant
    x_ND = torch.from_numpy((features - mean) / scale)
    target_NK = torch.from_numpy(np.nan_to_num(labels).astype(np.float32))
    weight_NK = torch.from_numpy((weights * n).astype(np.float32))

    def start(fan_in: int, *shape: int) -> torch.Tensor:
        return torch.from_numpy(
            rng.uniform(-(fan_in**-0.5), fan_in**-0.5, shape).astype(np.float32)
        ).requires_grad_()

    def dropped(x: torch.Tensor, share: float) -> torch.Tensor:
        return x * (torch.rand(x.shape, generator=noise) >= share) / (1.0 - share)

    width, k = settings.width, labels.shape[1]
    inward, inward_bias = start(d, d, width), start(d, width)
    outward, bias = start(width, width, k), start(width, k)
    adam = torch.optim.AdamW(
        [inward, inward_bias, outward, bias], lr=settings.rate, weight_decay=settings.decay
    )
    total = settings.epochs * -(-n // settings.batch)
    step = 0
    for _ in range(settings.epochs):
        order = torch.from_numpy(rng.permutation(n))
        for rows in order.split(settings.batch):
            rise = min(1.0, (step + 1) / (0.1 * total + 1))
            for group in adam.param_groups:
                group["lr"] = settings.rate * min(rise, 1.0 - step / total)
            x_BD = dropped(x_ND[rows], settings.dropped_features)
            units_BW = dropped(torch.relu(x_BD @ inward + inward_bias), settings.dropped_units)
            z_BK = units_BW @ outward + bias
            loss = (weight_NK[rows] * log_loss(z_BK, target_NK[rows], reduction="none")).sum(1).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            step += 1
    with torch.no_grad():
        folded = inward.numpy() / scale[:, None]
        moved = inward_bias.numpy() - mean @ folded
        return Network(folded, moved, outward.numpy().copy(), bias.numpy().copy())
