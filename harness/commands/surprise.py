"""The command `surprise`: whether a model finds impossible clips more surprising than possible ones."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import UsageError
from ..core.presentation import Content, Table, estimate_cell, level
from .options import (
    AsJson,
    Cache,
    Confidence,
    Device,
    DeviceOption,
    Dtype,
    DtypeOption,
    Plugins,
    load_plugins,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from ...metrics.surprise.denoising import DenoisingScorer
    from ...metrics.surprise.pairs import ClipScorer, PairsResult, Share

__all__ = ["surprise"]


class Reduce(StrEnum):
    """How the surprise of a clip's windows becomes one value."""

    mean = "mean"
    max = "max"


def surprise(
    pairs: Annotated[
        Path, typer.Option(help="CSV: possible, impossible and, optionally, cluster, tag, prompt.")
    ],
    encoder: Annotated[
        str | None,
        typer.Option(help="V-JEPA 2: hub id, folder, or YAML of weights, frames, context, step, stride."),
    ] = None,
    generator: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="Instead of an encoder: a generator, whose denoising loss is the surprise, such as "
            "reference:base.",
        ),
    ] = None,
    reduce: Annotated[
        Reduce | None, typer.Option(help="Over a clip's windows, with --encoder.  [default: mean]")
    ] = None,
    levels: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Noise levels, with --generator.  [default: 8]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the noise, with --generator.  [default: 0]")
    ] = None,
    plugin: Plugins = None,
    confidence: Confidence = 0.95,
    cache: Cache = "cache",
    device: DeviceOption = Device.auto,
    dtype: DtypeOption = Dtype.float32,
    as_json: AsJson = False,
) -> None:
    """Test whether a video model finds impossible clips more surprising than possible ones, in pairs."""
    if (encoder is None) == (generator is None):
        if encoder is not None:
            raise UsageError("--encoder and --generator both say what is surprised; leave one of them out")
        raise UsageError("say what is surprised: --encoder WEIGHTS or --generator SPEC")
    if reduce is not None and encoder is None:
        raise UsageError("--reduce is for --encoder; the loss of a generator is a mean over noise levels")
    if levels is not None and generator is None:
        raise UsageError("--levels is for --generator")
    if seed is not None and generator is None:
        raise UsageError("--seed is for --generator")
    from ...metrics.surprise.pairs import EncoderScorer, read_pairs, score_pairs

    if pairs.is_dir():
        raise UsageError(f"--pairs {pairs} is a folder; name the CSV file in it, {pairs / 'pairs.csv'}")
    load_plugins(plugin)
    listed = read_pairs(pairs)
    scorer: ClipScorer
    if encoder is not None:
        from ...metrics import EncoderOptions, make_encoder
        from ...metrics.encoders.cache import FeatureCache

        made = make_encoder("surprise", encoder, EncoderOptions(device, dtype))
        scorer = EncoderScorer(made, FeatureCache(cache), (reduce or Reduce.mean).value)
    else:
        assert generator is not None
        scorer = _denoiser(generator, levels, seed or 0, device.value, dtype.value)
    result = score_pairs(listed, scorer, confidence=confidence)
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        print_table(pairs_table(result))


def _denoiser(spec: str, levels: int | None, seed: int, device: str, dtype: str) -> DenoisingScorer:
    from ...generators import make_generator
    from ...metrics.surprise.denoising import LEVELS, DenoisingModel, DenoisingScorer, noise_levels

    made = make_generator(spec, device=device, dtype=dtype)
    if not isinstance(made, DenoisingModel):
        raise UsageError(
            f"{spec} does not give its denoising loss of a clip; reference checkpoints and pipelines of "
            "diffusers do, and a class with denoising_losses(frames, fps, prompt, levels, seed)"
        )
    return DenoisingScorer(made, noise_levels(LEVELS if levels is None else levels), seed)


def pairs_table(result: PairsResult) -> Table:
    """Build the table: shares over all pairs and by tag, then what was left out."""
    columns = ("pairs", "share [interval]", "n (scenes)", "how")
    rows = [_share(share.tag or "all, matched", share) for share in result.accuracy]
    rows.insert(1, _share("all, by one threshold", result.area))
    ties = sum(row.right == 0.5 for row in result.rows)
    notes = [
        "share of pairs whose impossible clip is the more surprising, "
        f"{level(result.area.confidence)} intervals; chance is 0.5",
        *((f"ties, counted half: {ties}",) if ties else ()),
        *(f"left out, {count}: {reason}" for reason, count in result.left_out.items()),
    ]
    return Table(f"surprise: {result.how}", columns, rows, tuple(notes))


def _share(name: str, share: Share) -> tuple[Content, ...]:
    cell = estimate_cell(share)
    return name, cell, cell.n, "; ".join((share.method, *share.notes))
