"""What distances between sets cost, as ratios to torchmetrics on the same features, in one process.

    python tests/benchmarks/distribution.py [frechet] [moments] [kernel] [--repeats N] [--full]

Absolute times depend on the machine, so that every number is the ratio of two ways measured in turns; the
table has the median and the range over the turns, and the relative difference of the two values. Below 1 ours
is faster. Nothing is asserted: a time is no test.

frechet  `frechet_distance` of features against torchmetrics' sums, covariances and Frechet core
moments  `frechet_distance_from_moments` against torchmetrics' core alone
kernel   `polynomial_mmd` of all clips against torchmetrics' `poly_mmd`
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from screentest.metrics import frechet_distance, frechet_distance_from_moments, polynomial_mmd
from torchmetrics.image.fid import _compute_fid  # pyright: ignore[reportPrivateUsage]
from torchmetrics.image.kid import poly_mmd

Array = NDArray[np.float64]
SHAPES = [(2048, 16), (2048, 64), (2048, 128), (2048, 400), (2048, 768), (500, 400), (64, 400), (100, 768)]
FULL = [*SHAPES, (2048, 1408), (2048, 2048), (4096, 2048), (256, 2048)]


def features(n: int, d: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(n + d)
    mixing = rng.standard_normal((d, d)) / np.sqrt(d) + np.eye(d)
    x, y = rng.standard_normal((2, n, d)) @ mixing
    return x, y + 0.3


def torch_moments(x: Array) -> list[torch.Tensor]:
    """The mean and covariance as torchmetrics' metric has them from its sums."""
    rows = torch.from_numpy(x)
    n, total, products = len(rows), rows.sum(dim=0), rows.T @ rows
    mean = total / n
    return [mean, (products - n * torch.outer(mean, mean)) / (n - 1)]


def moments(x: Array) -> list[Array]:
    return [x.mean(axis=0), np.cov(x.T)]


def frechet(n: int, d: int) -> tuple[Callable[[], float], Callable[[], float]]:
    x, y = features(n, d)
    return (
        lambda: frechet_distance(x, y),
        lambda: float(_compute_fid(*torch_moments(x), *torch_moments(y))),
    )


def from_moments(n: int, d: int) -> tuple[Callable[[], float], Callable[[], float]]:
    ours = [moment for z in features(n, d) for moment in moments(z)]
    theirs = [torch.from_numpy(moment) for moment in ours]
    return lambda: frechet_distance_from_moments(*ours), lambda: float(_compute_fid(*theirs))


def kernel(n: int, d: int) -> tuple[Callable[[], float], Callable[[], float]]:
    x, y = features(n, d)
    return (
        lambda: polynomial_mmd(x, y),
        lambda: float(poly_mmd(torch.from_numpy(x), torch.from_numpy(y))),
    )


BENCHES = {"frechet": frechet, "moments": from_moments, "kernel": kernel}


def seconds(function: Callable[[], float], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("benches", nargs="*", choices=[*BENCHES, []], default=[])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--full", action="store_true", help="up to 4,096 clips of 2,048 features: minutes")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'':8} {'n':>5} {'d':>5} {'ours ms':>9} {'theirs ms':>9}  ratio (range)        value differs by")
    for name in options.benches or BENCHES:
        for n, d in FULL if options.full else SHAPES:
            ours, theirs = BENCHES[name](n, d)
            value, other = ours(), theirs()
            calls = 1 if d > 200 else 10
            turns = [
                (seconds(ours, calls), seconds(theirs, calls))
                if turn % 2
                else (seconds(theirs, calls), seconds(ours, calls))[::-1]
                for turn in range(options.repeats)
            ]
            ratios = sorted(a / b for a, b in turns)
            ours_ms, theirs_ms = (1e3 * statistics.median(side) for side in zip(*turns, strict=True))
            print(
                f"{name:8} {n:5} {d:5} {ours_ms:9.2f} {theirs_ms:9.2f}  {statistics.median(ratios):5.2f} "
                f"({ratios[0]:.2f} to {ratios[-1]:.2f})  {abs(value - other) / value:.1e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
