"""``run`` and ``score``: the main job, and scoring again."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.errors import UsageError
from ..core.keys import slug
from ..core.specs import parse_pair
from .one_run import ALL_FAILED, Job, after_scoring, made_with, nothing_came, print_summary, say_plan
from .options import (
    AsJson,
    Cache,
    ClipsOption,
    Device,
    DeviceOption,
    Dtype,
    DtypeOption,
    EncoderOption,
    GpusPerWorker,
    MeasuresOption,
    Plugins,
    RayAddress,
    ReferenceSetOption,
    Threads,
    ThresholdsOption,
    TrackingUri,
    WorkersOption,
    adjusted,
    check_address,
    load_plugins,
    settings,
    warn,
)

__all__ = ["run", "score"]

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def run(
    suite: Annotated[
        str, typer.Option(help="A suite's name or YAML file, or several with commas; see 'list suites'.")
    ],
    generator: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC",
            help="KIND:ARGUMENT, python:FILE.py:NAME for your own; see 'list generators'. Several, or a * "
            "for every checkpoint, give a run each, and a comparison.",
        ),
    ] = None,
    generators: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML file that lists generators, a run each.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder, or that of several; by default runs/SUITE-GENERATOR.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the run and of its folder in runs/, instead of --out.")
    ] = None,
    measures: MeasuresOption = None,
    encoder: EncoderOption = None,
    thresholds: ThresholdsOption = None,
    reference_set: ReferenceSetOption = None,
    plugin: Plugins = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take the first so many prompts only.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, max=10_000, help="Clips a prompt.")] = None,
    tag: Annotated[str | None, typer.Option(help="Take prompts with this tag or label:value only.")] = None,
    reuse: Annotated[
        Path | None, typer.Option(help="Take clips from this run of the same generator, where it has them.")
    ] = None,
    meta: Annotated[
        list[str] | None, typer.Option("--meta", metavar="KEY=VALUE", help="Note in the run's record.")
    ] = None,
    step: Annotated[
        int | None, typer.Option(min=0, help="Training step of the checkpoint, for the record.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    clips: ClipsOption = None,
    cache: Cache = "cache",
    device: DeviceOption = Device.auto,
    dtype: DtypeOption = Dtype.float32,
    threads: Threads = None,
    workers: WorkersOption = 1,
    ray_address: RayAddress = None,
    gpus_per_worker: GpusPerWorker = 0,
    retry_failed: Annotated[
        bool, typer.Option(help="Generate again the items that failed or lost their clip.")
    ] = False,
    stop_after: Annotated[
        int, typer.Option(min=0, help="Stop after so many items in a row that fail alike; 0 never.")
    ] = 10,
    tracking_uri: TrackingUri = None,
    as_json: AsJson = False,
) -> None:
    """Run a suite on generators and score it; the same command resumes an interrupted run."""
    check_address(tracking_uri)
    load_plugins(plugin)
    from ..execution.workers import Workers
    from ..matrix import is_pattern, named_generators
    from ..suites.loading import load_suite
    from ..suites.parts import SuitePart

    if name and out:
        raise UsageError("--name names the folder in runs/ as well; give --name or --out, not both")
    named = named_generators(generator or [], generators)
    several = len(named) > 1 or generators is not None or any(map(is_pattern, generator or []))
    if several and (name or reuse or step is not None):
        raise UsageError("--name, --reuse and --step are for one generator; leave them out with several")
    part = SuitePart(limit, seeds, tag)
    chosen = part.of(adjusted(load_suite(suite), measures, encoder, thresholds, reference_set))
    notes: dict[str, Any] = {"made_with": made_with(device, dtype, plugin)}
    if meta:
        notes["meta"] = _read_meta(meta)
    how = replace(
        settings(cache, device, dtype, threads, Workers(workers, ray_address, gpus_per_worker)),
        clips=clips,
        retry_failed=retry_failed,
        stop_after=stop_after,
        reuse=reuse,
        notes=notes,
    )
    job = Job(chosen, how, device, dtype, tracking_uri)
    if several:
        from .matrix import run_matrix

        run_matrix(job, named, out, dry_run=dry_run, as_json=as_json)
        return
    one = replace(named[0], step=step)
    folder = out or Path("runs") / (slug(name) if name else f"{chosen.name}-{one.name}")
    if dry_run:
        say_plan(job.outlook(one, folder), as_json)
        return
    summary = job.run(one, folder, {"name": folder.name} if name else {})
    print_summary(summary, as_json)
    warn(f"page: {folder / 'report.html'}")
    if nothing_came(summary, folder):
        raise typer.Exit(ALL_FAILED)


def score(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    measures: MeasuresOption = None,
    encoder: EncoderOption = None,
    thresholds: ThresholdsOption = None,
    reference_set: ReferenceSetOption = None,
    plugin: Plugins = None,
    cache: Cache = "cache",
    device: DeviceOption = Device.auto,
    dtype: DtypeOption = Dtype.float32,
    threads: Threads = None,
    workers: WorkersOption = 1,
    ray_address: RayAddress = None,
    gpus_per_worker: GpusPerWorker = 0,
    tracking_uri: TrackingUri = None,
    as_json: AsJson = False,
) -> None:
    """Score a run again, or with further measures, without its generator."""
    check_address(tracking_uri)
    load_plugins(plugin)
    from ..execution.workers import Workers
    from ..run import score_run
    from ..run_folder.store import open_run
    from ..suites.suite import Suite

    recorded = Suite.model_validate(open_run(run).record["suite"])
    suite = adjusted(recorded, measures, encoder, thresholds, reference_set)
    how = settings(cache, device, dtype, threads, Workers(workers, ray_address, gpus_per_worker))
    summary = score_run(run, suite, how)
    after_scoring(run, tracking_uri)
    print_summary(summary, as_json)


def _read_meta(pairs: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        key, value = parse_pair(pair, "--meta", "KEY=VALUE", "branch=main")
        if _KEY.fullmatch(key) is None:
            raise UsageError(f"--meta {pair!r}: a key has up to 64 letters, digits, '.', '_' and '-'")
        if key in found:
            raise UsageError(f"--meta {key} is given more than once; give it once")
        found[key] = value
    return found
