"""``run`` and ``score``: the main job, and scoring again."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import ScreentestError, UsageError
from ..core.keys import slug
from ..core.specs import parse_pair
from .options import (
    AsJson,
    Cache,
    Device,
    DeviceOption,
    Dtype,
    DtypeOption,
    EncoderOption,
    MeasuresOption,
    Plugins,
    ReferenceSetOption,
    Threads,
    ThresholdsOption,
    TrackingUri,
    adjusted,
    check_address,
    load_plugins,
    print_json,
    print_table,
    say,
    settings,
    warn,
)

if TYPE_CHECKING:
    from ...generators.base import Generator
    from ..instruments import Instruments
    from ..plan import Plan
    from ..suite import Suite
    from ..summary import Summary

__all__ = ["after_scoring", "run", "score"]

ALL_FAILED = 1
"""Exit code of a run in which every item failed."""
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def run(
    suite: Annotated[
        str, typer.Option(help="A suite's name or YAML file, or several with commas; see 'list suites'.")
    ],
    generator: Annotated[
        str, typer.Option(help="KIND:ARGUMENT, python:FILE.py:NAME for your own; see 'list generators'.")
    ],
    out: Annotated[Path | None, typer.Option(help="Run folder; by default runs/SUITE-GENERATOR.")] = None,
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
    cache: Cache = Path("cache"),
    device: DeviceOption = Device.auto,
    dtype: DtypeOption = Dtype.float32,
    threads: Threads = None,
    retry_failed: Annotated[bool, typer.Option(help="Generate again the items that failed.")] = False,
    stop_after: Annotated[
        int, typer.Option(min=0, help="Stop after so many items in a row that fail alike; 0 never.")
    ] = 10,
    tracking_uri: TrackingUri = None,
    as_json: AsJson = False,
) -> None:
    """Run a suite on a generator and score it; the same command resumes an interrupted run."""
    check_address(tracking_uri)
    load_plugins(plugin)
    from ...generators import make_generator
    from ..instruments import instruments
    from ..run import check_items, plan_run
    from ..run import run as run_suite
    from ..suite_loading import load_suite
    from ..suite_parts import SuitePart

    if name and out:
        raise UsageError("--name names the folder in runs/ as well; give --name or --out, not both")
    part = SuitePart(limit, seeds, tag)
    chosen = part.of(adjusted(load_suite(suite), measures, encoder, thresholds, reference_set))
    made = make_generator(generator, device=device, dtype=dtype)
    folder = out or Path("runs") / (slug(name) if name else f"{chosen.name}-{slug(generator)}")
    notes: dict[str, Any] = {"name": folder.name} if name else {}
    if meta:
        notes["meta"] = _read_meta(meta)
    if step is not None:
        notes["step"] = step
    how = replace(
        settings(cache, device, dtype, threads),
        retry_failed=retry_failed,
        stop_after=stop_after,
        reuse=reuse,
        notes=notes,
    )
    if dry_run:
        planned = plan_run(chosen, made)
        for warning in check_items(made, planned.items):
            warn(f"warning: {warning}")
        _say_plan(
            _outlook(chosen, made, planned, instruments(chosen, how.cache, how.options), folder), as_json
        )
        return
    summary = run_suite(chosen, made, folder, how)
    after_scoring(folder, tracking_uri)
    _print_summary(summary, as_json)
    warn(f"page: {folder / 'report.html'}")
    if summary.items and summary.outcomes["failed"] == summary.items:
        warn(f"error: all {summary.items} items failed; {folder / 'run.log'} and the page say why")
        raise typer.Exit(ALL_FAILED)


def score(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    measures: MeasuresOption = None,
    encoder: EncoderOption = None,
    thresholds: ThresholdsOption = None,
    reference_set: ReferenceSetOption = None,
    plugin: Plugins = None,
    cache: Cache = Path("cache"),
    device: DeviceOption = Device.auto,
    dtype: DtypeOption = Dtype.float32,
    threads: Threads = None,
    tracking_uri: TrackingUri = None,
    as_json: AsJson = False,
) -> None:
    """Score a run again, or with further measures, without its generator."""
    check_address(tracking_uri)
    load_plugins(plugin)
    from ..run import score_run
    from ..store import open_run
    from ..suite import Suite

    recorded = Suite.model_validate(open_run(run).record["suite"])
    suite = adjusted(recorded, measures, encoder, thresholds, reference_set)
    summary = score_run(run, suite, settings(cache, device, dtype, threads))
    after_scoring(run, tracking_uri)
    _print_summary(summary, as_json)


def after_scoring(folder: Path, tracking_uri: str | None) -> None:
    """Write the page and send the run to MLflow. A failure is a warning and changes no result."""
    from ...reports.build import build_report

    try:
        build_report([folder])
    except ScreentestError as error:
        warn(f"no page: {error}")
    if tracking_uri == "none":
        return
    from ..core.mlflow_store import default_uri
    from ..tracking import TrackingError, sync

    try:
        sync(folder, tracking_uri or default_uri(folder.parent))
    except TrackingError as error:
        warn(f"not sent to MLflow: {error}")


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


def _outlook(
    suite: Suite, generator: Generator, plan: Plan, tools: Instruments, folder: Path
) -> dict[str, Any]:
    """List what a run would do: the plan, its tools, and what is there already."""
    from ..store import open_run

    there = 0
    if (folder / "run.json").exists():
        store = open_run(folder)
        if store.record["plan"] == plan.digest:
            there = len(store.clips())
        else:
            warn(f"warning: {folder} holds a run of another plan, so this run would be refused")
        store.close()
    asked = dict.fromkeys(item.clip for item in plan.items)
    sizes = [f"{clip.frames} frames of {clip.width}x{clip.height} at {clip.fps:g} a second" for clip in asked]
    return {
        "suite": f"{suite.name} v{suite.version}",
        "generator": generator.spec,
        "out": str(folder),
        "plan": plan.digest,
        "items": len(plan.items),
        "prompts": len({item.cluster for item in plan.items}),
        "units": len(plan.units),
        "clips there": there,
        "clip": "as its file is" if suite.prompts_from_generator else "; ".join(sizes),
        "measures": [measure.name for measure in tools.measures],
        "encoders": dict(tools.sources),
    }


def _say_plan(outlook: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(outlook)
        return
    for name, value in outlook.items():
        if isinstance(value, dict):
            value = [f"{role}={source}" for role, source in value.items()]
        say(f"{name}: {', '.join(value) or 'none' if isinstance(value, list) else value}")


def _print_summary(summary: Summary, as_json: bool) -> None:
    from ...reports.tables import summary_table

    if as_json:
        print_json(summary.model_dump())
    else:
        print_table(summary_table(summary))
