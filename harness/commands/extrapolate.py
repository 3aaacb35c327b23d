"""The command `extrapolate`: a suite that tests whether a generator learned laws or only examples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import say

__all__ = ["extrapolate"]


def extrapolate(
    out: Annotated[
        Path, typer.Option(help="A new folder for the suite, the starting clips and the true continuations.")
    ],
    n: Annotated[int, typer.Option(min=2, max=10_000, help="Starting clips of each set.")] = 24,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the scenes.")] = 0,
) -> None:
    """Write a suite that tests whether a generator learned the reference world's laws or only examples."""
    from ...generators.reference.model.reconstruction import Reconstruction
    from ...generators.worlds.registry import find_world
    from ...metrics.validation.extrapolation import write_sets

    suite = write_sets(out, n, Reconstruction(), seed)
    say(f"{n} starting clips of each of {', '.join(find_world('reference').extrapolation_sets)}: {suite}")
    for name in ("true", "reconstructed"):
        floor = f"--suite {out / 'floor.yaml'} --generator folder:{out / name}"
        say(f"floor, {name}: screentest run {floor}")
