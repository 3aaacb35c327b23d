"""How often the 95 % intervals of set measures hold the expected value of sets of that size, in simulation.

    python tests/benchmarks/set_intervals.py [--trials N] [--measures NAME,...]

Features are Gaussian, with a correlation of 0.25 between the two clips of a prompt, against one reference
set of 300 clips that is held fixed, as in a run. The generated clips are of the reference's distribution, or
moved by a distance of 1. The expected value is the mean over further draws. Each measure is taken as a run
takes it, with its range and its groups of prompts. It prints the table of docs/validity.md.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Mapping

import numpy as np
from screentest.harness.core.estimate import RunEstimate
from screentest.harness.core.items import ClipSettings, Item, make_item
from screentest.metrics import MEASURES, Reference, RunSample
from screentest.metrics.base import DEFAULT

NAMES = (
    "fidelity.fvd",
    "fidelity.fvd_infinity",
    "fidelity.kvd",
    "fidelity.jedi",
    "fidelity.cmmd",
    "fidelity.prdc",
    "diversity.vendi",
    "diversity.per_prompt",
)
CELLS = [(width, prompts, shift) for width in (8, 48) for prompts in (20, 60) for shift in (0.0, 1.0)]
SEEDS, REFERENCE, CORRELATION, DRAWS = 2, 300, 0.25, 4


def items(prompts: int) -> list[Item]:
    """Give an item a clip."""
    return [make_item(f"prompt {p}", s, ClipSettings()) for p in range(prompts) for s in range(SEEDS)]


def draw(rng: np.random.Generator, width: int, prompts: int, shift: float) -> np.ndarray:
    """Draw the features of a run: (prompts x seeds, width), of unit variance."""
    shared = np.repeat(rng.standard_normal((prompts, width)), SEEDS, axis=0)
    own = rng.standard_normal((prompts * SEEDS, width))
    return np.sqrt(CORRELATION) * shared + np.sqrt(1 - CORRELATION) * own + shift / np.sqrt(width)


def values(name: str, sample: RunSample) -> Mapping[str, RunEstimate]:
    """Take a measure: value name -> estimate."""
    function = MEASURES.get(name).set_function
    assert function is not None
    made = function(sample)
    return {name: made} if isinstance(made, RunEstimate) else {f"{name}.{k}": v for k, v in made.items()}


def coverage(name: str, cell: tuple[int, int, float], trials: int) -> dict[str, tuple[float, float]]:
    """Give, for each value of a measure, the share of intervals that hold, and their mean width."""
    width, prompts, shift = cell
    rng = np.random.default_rng([7, width, prompts, round(10 * shift)])
    real = np.random.default_rng(width).standard_normal((REFERENCE, width))
    needs = MEASURES.get(name).needs[0]
    reference = {DEFAULT: Reference("real", {needs: real}, {needs: [str(k) for k in range(REFERENCE)]}, 300)}
    listed = items(prompts)
    alone = [make_item("one prompt", k, ClipSettings()) for k in range(len(listed))]  # gives no interval

    def sample(of: list[Item]) -> RunSample:
        return RunSample(of, {needs: draw(rng, width, prompts, shift)}, reference)

    made = [values(name, sample(listed)) for _ in range(trials)]
    if name == "diversity.per_prompt":  # is of prompts, so that its expected value needs them
        further = [values(name, sample(listed)) for _ in range(DRAWS * trials)]
    else:
        further = [values(name, sample(alone)) for _ in range(DRAWS * trials)]
    found: dict[str, tuple[float, float]] = {}
    for key in made[0]:
        target = np.mean([one[key].value for one in (*made, *further)])
        ends = [
            (e.low, e.high) for e in (one[key] for one in made) if e.low is not None and e.high is not None
        ]
        held = sum(low <= target <= high for low, high in ends)
        found[key] = (held / trials, float(np.mean([high - low for low, high in ends])))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--measures", default=",".join(NAMES))
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: dict[str, list[float]] = {}
    began = time.process_time()
    for name in chosen.measures.split(","):
        for cell in CELLS:
            for key, (held, _) in coverage(name, cell, chosen.trials).items():
                rows.setdefault(key, []).append(held)
        sys.stderr.write(f"{name}: {time.process_time() - began:.0f} s\n")
    print("| measure | " + " | ".join(f"{w}, {p}, {s:g}" for w, p, s in CELLS) + " |")
    print("|---" * (len(CELLS) + 1) + "|")
    for key, shares in rows.items():
        print(f"| `{key}` | " + " | ".join(f"{100 * share:.1f}" for share in shares) + " |")


if __name__ == "__main__":
    main()
