"""``import``: what other harnesses made, as runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import (
    AsJson,
    Cache,
    Device,
    DeviceOption,
    Dtype,
    DtypeOption,
    EncoderOption,
    MeasuresOption,
    TrackingUri,
    adjusted,
    check_address,
    settings,
    warn,
)

__all__ = ["imports"]

imports = typer.Typer(help="Read what other harnesses made, as runs.", no_args_is_help=True)


@imports.callback()
def _group() -> None:
    """Read what other harnesses made, as runs."""


@imports.command()
def vbench(
    folder: Annotated[Path, typer.Argument(help="Videos named as VBench has it, '{prompt}-{k}.mp4'.")],
    prompts: Annotated[
        Path | None, typer.Option(help="Your copy of VBench_full_info.json, for prompts and dimensions.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; by default runs/vbench-FOLDER.")] = None,
    measures: MeasuresOption = None,
    encoder: EncoderOption = None,
    cache: Cache = "cache",
    device: DeviceOption = Device.auto,
    dtype: DtypeOption = Dtype.float32,
    tracking_uri: TrackingUri = None,
    as_json: AsJson = False,
) -> None:
    """Score a folder of videos with VBench's names; 'export --format vbench' gives its form back."""
    check_address(tracking_uri)
    from ..matrix import named_generators
    from ..results.vbench import vbench_suite
    from .one_run import Job, print_summary

    suite = adjusted(vbench_suite(folder, prompts), measures, encoder)
    (one,) = named_generators([f"folder:{folder}"], None)
    where = out or Path("runs") / f"vbench-{folder.resolve().name}"
    summary = Job(suite, settings(cache, device, dtype, None), device, dtype, tracking_uri).run(one, where)
    print_summary(summary, as_json)
    warn(f"page: {where / 'report.html'}")
