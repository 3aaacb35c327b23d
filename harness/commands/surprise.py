"""The command `surprise`: whether a video model finds impossible clips more surprising than possible ones."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.presentation import Content, Table, estimate_cell, level
from .options import (
    AsJson,
    Cache,
    Confidence,
    Device,
    DeviceOption,
    Dtype,
    DtypeOption,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from ...metrics.surprise.pairs import PairsResult, Share

__all__ = ["surprise"]


class Reduce(StrEnum):
    """How the surprise of a clip's windows becomes one value."""

    mean = "mean"
    max = "max"


def surprise(
    pairs: Annotated[Path, typer.Option(help="CSV: possible, impossible and, optionally, cluster, tag.")],
    encoder: Annotated[
        str, typer.Option(help="V-JEPA 2: hub id, folder, or YAML of weights, frames, context, step, stride.")
    ],
    reduce: Annotated[Reduce, typer.Option(help="Over a clip's windows.")] = Reduce.mean,
    confidence: Confidence = 0.95,
    cache: Cache = Path("cache"),
    device: DeviceOption = Device.auto,
    dtype: DtypeOption = Dtype.float32,
    as_json: AsJson = False,
) -> None:
    """Test whether a video model finds impossible clips more surprising than possible ones, in pairs."""
    from ...metrics import EncoderOptions, make_encoder
    from ...metrics.encoders.cache import FeatureCache
    from ...metrics.surprise.pairs import read_pairs, score_pairs

    listed = read_pairs(pairs)
    made = make_encoder("surprise", encoder, EncoderOptions(device, dtype))
    store = FeatureCache(cache)
    result = score_pairs(listed, made, store, reduce=reduce.value, confidence=confidence)
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        print_table(pairs_table(result))


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
    return Table(f"surprise, {result.reduce} of the windows", columns, rows, tuple(notes))


def _share(name: str, share: Share) -> tuple[Content, ...]:
    cell = estimate_cell(share)
    return name, cell, cell.n, "; ".join((share.method, *share.notes))
