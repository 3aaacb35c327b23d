"""The command `physics-iq`: compare continuations with two real recordings (takes) of each scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.presentation import Table, estimate_text, level, number
from .options import AsJson, Cache, Confidence, print_json, print_table

if TYPE_CHECKING:
    from ...metrics.physics_iq.protocol import Estimate, PhysicsIQ, ShotScore

__all__ = ["physics_iq"]


def physics_iq(
    takes: Annotated[
        Path, typer.Option(help="Folder of real recordings: SCENARIO_take-1.mp4, SCENARIO_take-2.mp4.")
    ],
    generated: Annotated[Path, typer.Option(help="Folder of generated clips: SCENARIO.mp4.")],
    manifest: Annotated[
        Path | None, typer.Option(help="CSV: scenario, view, take1, take2, generated; else file names.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.01, max=3600, help="Seconds to compare, from the start of each clip.")
    ] = 5.0,
    scale: Annotated[int, typer.Option(min=1, max=64, help="Factor by which frames are reduced.")] = 4,
    stretch: Annotated[
        bool, typer.Option("--stretch", help="Stretch clips of another aspect ratio.")
    ] = False,
    confidence: Confidence = 0.95,
    cache: Cache = "cache",
    as_json: AsJson = False,
) -> None:
    """Compare generated continuations with two real takes of each scene (Physics-IQ)."""
    from ...metrics.encoders.cache import FeatureCache
    from ...metrics.physics_iq.protocol import PhysicsIQSettings
    from ...metrics.physics_iq.protocol import physics_iq as score
    from ...metrics.physics_iq.takes import find_shots

    chosen = PhysicsIQSettings(seconds=seconds, scale=scale, stretch=stretch)
    shots = find_shots(takes, generated, manifest)
    result = score(shots, chosen, cache=FeatureCache(cache), confidence=confidence)
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        print_table(physics_iq_table(result))


def physics_iq_table(result: PhysicsIQ) -> Table:
    """Build the table: a row per scenario (mean of its shots), then both scores and what was left out."""
    scenarios: dict[str, list[ShotScore]] = {}
    for row in result.rows:
        scenarios.setdefault(row.scenario, []).append(row)
    columns = ("scenario", "shots", "spatial", "spatiotemporal", "weighted", "MSE", "verified", "remarks")
    rows = [(name, *_scenario(shots)) for name, shots in scenarios.items()]
    all_shots = f"{result.shots} of {len(result.rows)}"
    overall = _agreements(result.generated, result.variance)
    rows.append(("all", all_shots, *overall, number(result.verified.value), ""))
    notes = [
        f"original: {_estimate(result.original)}",
        f"verified: {_estimate(result.verified)}",
        "agreement with take 1 of: the generated clip / take 2",
        *(f"left out, {count}: {reason}" for reason, count in result.left_out.items()),
    ]
    title = f"Physics-IQ, first {result.settings.seconds:g} s, {result.scenarios} scenarios"
    return Table(title, columns, rows, tuple(notes))


def _scenario(shots: Sequence[ShotScore]) -> tuple[str, ...]:
    good = [shot for shot in shots if shot.status == "ok"]
    said = {remark: None for shot in shots for remark in (shot.reason, *shot.notes) if remark}
    counted = f"{len(good)} of {len(shots)}"
    if not good:
        return (counted, *[number(None)] * 5, "; ".join(said))
    means = [
        {name: sum(values[name] for values in part) / len(good) for name in part[0]}
        for part in ([s.generated or {} for s in good], [s.variance or {} for s in good])
    ]
    verified = sum(shot.verified or 0.0 for shot in good) / len(good)
    return (counted, *_agreements(*means), number(verified), "; ".join(said))


def _agreements(generated: Mapping[str, float], variance: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(f"{number(generated[name])} / {number(variance[name])}" for name in generated)


def _estimate(estimate: Estimate) -> str:
    value, interval = estimate_text(estimate.value, estimate.low, estimate.high)
    told = f"{level(estimate.confidence)} interval {interval}" if interval else "no interval"
    how = "; ".join((estimate.method, *estimate.notes))
    return f"{value}, {told} ({how})"
