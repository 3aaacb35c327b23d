"""VBench in and out: a folder of its videos as a run, and a run's scores in the form of its results.

VBench (Huang et al. 2024) names videos ``{prompt}-{k}.mp4`` and lists prompts with their dimensions in
``VBench_full_info.json``. The dimensions that have the same definition here are written under its names, as
ours: encoders and flow are those of the run, not VBench's, so that the numbers are no entries of its table.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ...generators.folder import FolderGenerator, comparable
from ..core.errors import UsageError
from ..core.files import write_atomic
from ..core.items import ClipSettings, Item
from ..run_folder.store import RunStore
from ..suites.loading import load_suite
from ..suites.suite import Suite

__all__ = ["SHARED", "Dimension", "export_vbench", "normalised", "vbench_results", "vbench_suite"]


@dataclass(frozen=True)
class Dimension:
    """The measure that has a dimension's definition, and the dimension's range in VBench's normalisation."""

    measure: str
    low: float
    high: float


SHARED: Final[Mapping[str, Dimension]] = {
    "subject_consistency": Dimension("consistency.subject", 0.1462, 1.0),
    "background_consistency": Dimension("consistency.background", 0.2615, 1.0),
    "temporal_flickering": Dimension("motion.flicker", 0.6293, 1.0),
    "dynamic_degree": Dimension("motion.dynamic_degree", 0.0, 1.0),
}
"""VBench's dimensions whose arithmetic is ours, too; its smoothness, by a learned interpolator, is not."""
_LABEL: Final = "dimension"
_NO_WEIGHTS: Final = ("motion.flicker", "motion.dynamic_degree", "failure.rate")


def vbench_suite(folder: Path, prompts: Path | None) -> Suite:
    """Make the suite of a folder of videos with VBench's names.

    Args:
        folder: of the videos.
        prompts: VBench's prompt file, whose dimensions become labels; without it, the prompts are those of
            the file names.

    Raises:
        UsageError: there is no such folder or file, or no video in it is of a prompt of the file.
    """
    clips = FolderGenerator(folder).own_items(ClipSettings())
    seeds: dict[str, int] = {}
    for item in clips:
        if item.prompt is not None:
            name = comparable(item.prompt)
            seeds[name] = max(seeds.get(name, 0), item.seed + 1)
    if not seeds:
        raise UsageError(
            f"the videos in {folder} do not have VBench's names, '{{prompt}}-{{k}}.mp4'; "
            "for any other folder there is 'screentest run --suite videos --generator folder:DIR'"
        )
    if prompts is None:
        suite = load_suite("videos")
        return suite.model_copy(update={"name": "vbench-videos", "measures": _NO_WEIGHTS})
    whole = load_suite(f"vbench:{prompts}")
    found = [p for p in whole.prompts if comparable(p.text) in seeds]
    if not found:
        raise UsageError(f"no video in {folder} is of a prompt of {prompts}")
    kept = tuple(p.model_copy(update={"seeds": seeds[comparable(p.text)]}) for p in found)
    name = whole.name if len(kept) == len(whole.prompts) else f"{whole.name}.{len(kept)}-prompts"
    return whole.model_copy(update={"prompts": kept, "name": name, "measures": _NO_WEIGHTS})


def normalised(dimension: str, value: float) -> float:
    """Bring a score to [0, 1] by VBench's table, which cuts nothing off.

    Example:
        >>> normalised("temporal_flickering", 0.98147)
        0.95
    """
    one = SHARED[dimension]
    return round((value - one.low) / (one.high - one.low), 6)


def vbench_results(store: RunStore) -> dict[str, Any]:
    """Collect a run's scores in the form of VBench's results: dimension -> [mean, results of videos].

    A dimension is of the prompts that have it as a label; where no prompt has labels of dimensions, of all. A
    video without a score is left out and counted. A dimension that the run measured without any value is
    null, with its reason under ``dimensions``. The key ``screentest`` says what the numbers are.

    Raises:
        UsageError: the run has no measure that VBench shares.
    """
    items = {item.id: item for item in store.items()}
    scores: dict[tuple[str, str], float | None] = {}
    reasons: dict[tuple[str, str], str] = {}
    for score in store.scores():
        known = score.status == "ok" and score.value is not None and math.isfinite(score.value)
        scores[score.item, score.measure] = score.value if known else None
        if not known:
            status = "failed" if score.status == "ok" else score.status
            reasons[score.item, score.measure] = score.reason or status.replace("_", " ")
    measured = store.measures()
    labelled = any(_LABEL in item.labels for item in items.values())
    results: dict[str, Any] = {}
    about: dict[str, Any] = {}
    for name, dimension in SHARED.items():
        if dimension.measure not in measured:
            continue
        of = [item for item in items.values() if not labelled or name in _dimensions(item)]
        values = [(item, scores.get((item.id, dimension.measure))) for item in of]
        there = [(item, value) for item, value in values if value is not None]
        if not there:
            about[name] = {**_source_of(dimension, measured), "n": 0, "left_out": len(values)}
            about[name]["reason"] = _why_none([item.id for item in of], dimension.measure, reasons)
            results[name] = None
            continue
        mean = math.fsum(value for _, value in there) / len(there)
        results[name] = [mean, [{"video_path": _path(i), "video_results": value} for i, value in there]]
        about[name] = {
            **_source_of(dimension, measured),
            "n": len(there),
            "left_out": len(values) - len(there),
            "normalised": normalised(name, mean),
        }
    if all(one is None for one in results.values()):
        lacking = "; ".join(f"{name}: {about[name]['reason']}" for name in results)
        if lacking:
            raise UsageError(f"{store.folder} has no value of a dimension that VBench shares: {lacking}")
        raise UsageError(
            f"{store.folder} has no score of a dimension that VBench shares; add "
            f"'screentest score {store.folder} --measures {','.join(d.measure for d in SHARED.values())}'"
        )
    results["screentest"] = {
        "note": "measured by screentest with the encoders and the optical flow of the run, by VBench's "
        "arithmetic; each video counts once; no results of VBench's own code, and no total is given",
        "suite": store.record["suite"]["name"],
        "generator": str(store.record["generator_spec"]),
        "dimensions": about,
    }
    return results


def _source_of(dimension: Dimension, measured: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    fields = measured[dimension.measure]
    return {
        "measure": dimension.measure,
        "version": fields.get("version"),
        "sources": fields.get("sources") or {},
    }


def _why_none(items: Sequence[str], measure: str, reasons: Mapping[tuple[str, str], str]) -> str:
    """Say why no video has a value of a measure, each reason with its count."""
    if not items:
        return "no prompt has this dimension"
    counted = Counter(reasons.get((item, measure), "not scored") for item in items)
    return ", ".join(f"{n} {reason}" for reason, n in counted.most_common())


def export_vbench(store: RunStore, out: Path) -> Mapping[str, str]:
    """Write `vbench_results` as JSON, and return the dimensions, each with why it has no value, or nothing.

    Raises:
        UsageError: the file is not to end in .json, cannot be written, or the run has nothing to share.
    """
    if out.suffix != ".json":
        raise UsageError(f"results in the form of VBench are JSON; {out} should end in .json")
    results = vbench_results(store)
    try:
        write_atomic(out, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror or error}") from None
    about = results["screentest"]["dimensions"]
    return {name: about[name].get("reason", "") for name in results if name != "screentest"}


def _dimensions(item: Item) -> Sequence[str]:
    return item.labels.get(_LABEL, ())


def _path(item: Item) -> str:
    return item.file or item.source or f"{item.prompt}-{item.seed}.mp4"
