"""A run folder in MLflow's terms: names, tags, params, metrics, data sets and files.

This module reads the folder and does not import MLflow; `tracking` sends the result. A missing value has no
metric: neither 0 nor NaN replaces it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast

from ..core.counts import counted
from ..core.errors import UsageError
from ..core.keys import digest
from ..core.markdown import plain_markdown, table_lines
from ..core.mlflow_names import MAX_PARAM, MAX_TAG, bounded_text, flat_params, metric_name
from ..core.presentation import left_out_text, level
from ..core.run_data import outcome_counts
from ..core.storage import File
from ..results.summary import Aggregate, Summary, read_summary
from ..run_folder.digests import read_digests
from ..run_folder.store import RunStore, open_run
from .projected_files import AGGREGATES, logged_tables, result_text, run_files

__all__ = [
    "DataCard",
    "ModelCard",
    "Projection",
    "VerdictCard",
    "metric_values",
    "project",
    "read_verdict",
    "run_identity",
    "same_run",
]

_LISTED = 40  # measures that the description lists
_DATA_DIGEST = 36  # MLflow's limit on the digest of a data set


@dataclass(frozen=True)
class DataCard:
    """A data set by name and digest, without its content. ``source`` and ``profile`` are JSON text."""

    name: str
    digest: str
    context: str
    source_type: Literal["code", "local"]
    source: str
    profile: str


@dataclass(frozen=True)
class ModelCard:
    """The generator under test: the digest identifies it, the name is for readers."""

    name: str
    digest: str
    params: Mapping[str, str]


@dataclass(frozen=True)
class VerdictCard:
    """The verdict of a policy on a run.

    Attributes:
        waived: failed rules that a waiver covers. A PASS with waivers is not a clean one.
        stale: whether the run was scored again after its verdict.
    """

    verdict: Literal["PASS", "FAIL", "INCONCLUSIVE"]
    policy: str
    waived: tuple[str, ...]
    stale: bool


@dataclass(frozen=True)
class Projection:
    """A run in MLflow's terms.

    Attributes:
        run: stable id of the run folder, from its plan and the id it got when created.
        description: in Markdown, shown above all else on the run's page.
        absent: metrics of the summary that have no value.
        artifacts: path in MLflow -> a file of the run, or text to write there.
    """

    folder: Path
    experiment: str
    run: str
    name: str
    status: Literal["RUNNING", "FINISHED", "FAILED"]
    started_ms: int
    ended_ms: int | None
    description: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    absent: frozenset[str]
    data: tuple[DataCard, ...]
    model: ModelCard
    artifacts: Mapping[str, File | str]


def project(folder: Path, *, attacks: bool = False) -> Projection:
    """Read a run folder, finished or not, into MLflow's terms.

    Raises:
        UsageError: there is no run, or one of its files is damaged.
    """
    folder = folder.resolve()
    store = open_run(folder)
    try:
        return _project(store, attacks)
    finally:
        store.close()


def _project(store: RunStore, attacks: bool) -> Projection:
    folder, record = store.folder, store.record
    summary = read_summary(folder) if (folder / "summary.json").exists() else None
    outcomes = outcome_counts(store.outcomes())
    planned = len(store.items())
    finished = summary is not None and sum(outcomes.values()) == planned
    nothing_came = outcomes["failed"] > 0 and outcomes["failed"] == planned
    metrics: dict[str, float] = {f"outcomes.{name}": float(n) for name, n in outcomes.items()}
    metrics["outcomes.planned"] = float(planned)
    given, absent = metric_values(summary.aggregates if summary else ())
    suite = record["suite"]
    return Projection(
        folder=folder,
        experiment=f"screentest/{suite['name']}",
        run=run_identity(folder, record),
        name=folder.name,
        status="RUNNING" if not finished else "FAILED" if nothing_came else "FINISHED",
        started_ms=_started_ms(folder, record),
        ended_ms=_modified_ms(folder / "summary.json") if finished else None,
        description=_description(folder, record, outcomes, summary),
        tags=_tags(folder, record, summary),
        params=_params(record),
        metrics={**given, **metrics},
        absent=absent,
        data=_data(store),
        model=_model(record),
        artifacts=run_files(store, summary, attacks=attacks),
    )


# -- metrics


def metric_values(aggregates: Sequence[Aggregate]) -> tuple[dict[str, float], frozenset[str]]:
    """Give each measure of the whole run its value, bounds and n; all else is in the table of aggregates.

    Returns:
        the metrics, and the names of those that have no value, or that an earlier version sent.
    """
    given: dict[str, float] = {}
    absent: set[str] = set()
    for aggregate in aggregates:
        name = metric_name(aggregate.measure, aggregate.tag)
        parts = {"": aggregate.value, ".low": aggregate.low, ".high": aggregate.high, ".n": aggregate.n}
        for part, value in parts.items():
            if aggregate.tag is None and value is not None and math.isfinite(value):
                given[name + part] = float(value)
            else:
                absent.add(name + part)
        once = (".n_reference", ".left_out", *(f".left_out.{status}" for status in aggregate.left_out))
        absent.update(name + part for part in once)
    return given, frozenset(absent)


# -- tags and params


def _tags(folder: Path, record: Mapping[str, Any], summary: Summary | None) -> dict[str, str]:
    git = cast("Mapping[str, Any]", record.get("git") or {})
    levels = sorted({a.confidence for a in summary.aggregates}) if summary else []
    found: dict[str, object] = {
        "screentest.plan": record["plan"],
        "screentest.schema": record["schema"],
        "screentest.suite": record["suite"]["name"],
        "screentest.suite_version": record["suite"]["version"],
        "screentest.generator": record["generator_spec"],
        "screentest.version": (record.get("versions") or {}).get("screentest"),
        "screentest.confidence": ", ".join(str(level) for level in levels) or None,
        "screentest.git_commit": git.get("commit"),
        "screentest.git_dirty": git.get("dirty"),
        "mlflow.source.git.commit": git.get("commit"),
        "mlflow.source.name": "screentest",
        "mlflow.source.type": "LOCAL",
        "mlflow.loggedArtifacts": logged_tables() if summary else None,
    }
    meta = cast("Mapping[str, Any]", record.get("meta") or {})
    found |= {f"screentest.meta.{name}": value for name, value in meta.items()}
    found["screentest.step"] = record.get("step")
    if (folder / "verdict.json").exists():
        card = read_verdict(folder)
        found["screentest.verdict"] = "STALE" if card.stale else card.verdict
        found["screentest.policy"] = card.policy
        found["screentest.waived"] = ", ".join(card.waived)
    return {name: bounded_text(_plain(value), MAX_TAG) for name, value in found.items() if value is not None}


def _description(
    folder: Path, record: Mapping[str, Any], outcomes: Mapping[str, int], summary: Summary | None
) -> str:
    """Write what was run, how it came out, and the value of each measure of the whole run."""
    suite, told = record["suite"], left_out_text(outcomes) or "nothing yet"
    lines = [f"{suite['name']} v{suite['version']} on {record['generator_spec']}: {told}."]
    if (folder / "verdict.json").exists():
        card = read_verdict(folder)
        stale = ", of scores that were changed since" if card.stale else ""
        lines.append(f"{card.verdict} by the policy {card.policy}{stale}.")
    lines = [plain_markdown(line) for line in lines]
    whole = [one for one in summary.aggregates if one.tag is None] if summary else []
    if whole:
        rows = [(plain_markdown(one.measure), result_text(one)) for one in whole[:_LISTED]]
        lines += ["", *table_lines(("measure", f"value, {level(whole[0].confidence)} interval"), rows)]
    if len(whole) > _LISTED:
        lines += ["", f"{counted(len(whole) - _LISTED, 'more measure')} in {AGGREGATES}"]
    return bounded_text("\n".join(lines), MAX_TAG)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def read_verdict(folder: Path) -> VerdictCard:
    """Read a run's verdict.

    Raises:
        UsageError: the run has no verdict, or its ``verdict.json`` is damaged or belongs to another run.
    """
    path = folder / "verdict.json"
    try:
        found = json.loads(path.read_text("utf-8"))
        verdict, policy = found["verdict"], found["policy"]
        plan = json.loads((folder / "run.json").read_text("utf-8"))["plan"]
    except FileNotFoundError:
        raise UsageError(f"{folder} has no verdict yet; 'screentest gate {folder}' gives one") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{path} is damaged; 'screentest gate {folder}' writes it again") from None
    if verdict not in ("PASS", "FAIL", "INCONCLUSIVE") or not isinstance(policy, str):
        raise UsageError(f"{path} is damaged; 'screentest gate {folder}' writes it again")
    if found.get("plan", plan) != plan:
        raise UsageError(f"{path} is another run's verdict; 'screentest gate {folder}' writes this one's")
    return VerdictCard(
        verdict=verdict,
        policy=policy,
        waived=tuple(str(rule) for rule in found.get("waived", ())),
        stale=_is_stale(folder, found.get("run_digest")),
    )


def _is_stale(folder: Path, judged: str | None) -> bool:
    """Say whether a run is not the one that was judged: by its digest, or in an older verdict by time."""
    if judged is not None:
        now = read_digests(folder)
        return now is None or now.run != judged
    summary, verdict = folder / "summary.json", folder / "verdict.json"
    return summary.exists() and summary.stat().st_mtime_ns > verdict.stat().st_mtime_ns


def _params(record: Mapping[str, Any]) -> dict[str, str]:
    suite = record["suite"]
    return {
        "suite": f"{suite['name']} v{suite['version']}",
        "generator_spec": bounded_text(str(record["generator_spec"]), MAX_PARAM),
        **flat_params("clip", suite.get("clip")),
        **flat_params("generator", record["generator"]),
        **flat_params("encoder", record.get("encoders")),
    }


# -- data sets, the model, files


def _data(store: RunStore) -> tuple[DataCard, ...]:
    suite = store.record["suite"]
    title = f"{suite['name']} v{suite['version']}"
    code = json.dumps(
        {"tags": {"mlflow.source.type": "LOCAL", "mlflow.source.name": f"screentest suite {title}"}}
    )
    cards = [
        DataCard(
            name=title,
            digest=digest("suite", suite)[:_DATA_DIGEST],
            context="suite",
            source_type="code",
            source=code,
            profile=json.dumps(
                {"prompts": len({i.cluster for i in store.items()}), "items": len(store.items())}
            ),
        )
    ]
    references: dict[str, Any] = {"": suite.get("reference_set"), **suite.get("reference_sets", {})}
    taken = list(store.measures().values())
    for name, reference in references.items():
        if not reference:
            continue
        # Once a set measure has read the set, the digest is of its content; before that, of its definition.
        seen = sorted(
            {m["reference_set"] for m in taken if m.get("reference_set")}
            if not name
            else {m["reference_sets"][name] for m in taken if name in m.get("reference_sets", {})}
        )
        of_folder = reference.get("folder") is not None
        local = json.dumps({"uri": str(reference.get("folder"))})
        cards.append(
            DataCard(
                name=f"reference set {reference['folder'] if of_folder else reference['world']}"[:400],
                digest=(seen[0] if seen else digest("reference definition", reference))[:_DATA_DIGEST],
                context=f"reference {name}".strip(),
                source_type="local" if of_folder else "code",
                source=local if of_folder else code,
                profile=json.dumps({} if of_folder else {"clips": reference.get("clips")}),
            )
        )
    return tuple(cards)


def _model(record: Mapping[str, Any]) -> ModelCard:
    # MLflow refuses these characters in the name of a logged model.
    name = "".join("-" if c in "/:.%\"'" else c for c in bounded_text(str(record["generator_spec"]), 200))
    return ModelCard(
        name=name or "generator",
        digest=digest("generator", record["generator"]),
        params=flat_params("generator", record["generator"]),
    )


# -- time and identity


def _own_id(folder: Path, record: Mapping[str, Any]) -> str:
    own = record.get("id")
    return (
        own
        if isinstance(own, str) and own
        else digest("run.json", {"text": (folder / "run.json").read_text("utf-8")})
    )


def _started_ms(folder: Path, record: Mapping[str, Any]) -> int:
    try:
        return int(datetime.fromisoformat(record["created"]).timestamp() * 1000)
    except (KeyError, TypeError, ValueError):
        return _modified_ms(folder / "run.json")


def _modified_ms(path: Path) -> int:
    return path.stat().st_mtime_ns // 1_000_000


def same_run(folder: Path, run: str) -> bool:
    """Say whether a folder holds the run with the id ``run`` of a projection; False where it holds none."""
    try:
        record = json.loads((folder / "run.json").read_text("utf-8", "surrogatepass"))
        return run_identity(folder, record) == run
    except (OSError, ValueError, KeyError, TypeError):
        return False


def run_identity(folder: Path, record: Mapping[str, Any]) -> str:
    """Identify a run, and its copies, by its plan and the id it got when created."""
    return digest("run", {"plan": record["plan"], "id": _own_id(folder, record)})
