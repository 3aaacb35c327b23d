"""Run folders made from a table of scores, without a video: for comparisons, gates and summaries."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from screentest.harness.core.mlflow_store import default_uri, mlflow_client
from screentest.harness.core.registry import Registry
from screentest.harness.core.run_data import ClipRecord, Score, SetScore
from screentest.harness.plan import make_plan, suite_items
from screentest.harness.run_folder.digests import keep_digests
from screentest.harness.run_folder.store import RunStore
from screentest.harness.scoring.clips import score_key
from screentest.harness.suites.suite import Suite
from screentest.metrics.base import Measure

Cell = float | str | None
"""A value; or a status; or None for no row at all."""


def measure(
    name: str, kind: str, better: str, bounds: tuple[float | None, float | None], **more: Any
) -> Measure:
    fields = {"version": 1, "function": None, "set_function": None, "needs": (), "unit": "", "summary": ""}
    return Measure(name=name, kind=kind, better=better, bounds=bounds, **{**fields, **more})


MEASURES = (
    measure("toy.quality", "mean", "higher", (0.0, 1.0)),
    measure("toy.error", "mean", "lower", (0.0, None)),
    measure("toy.drift", "mean", "neither", (None, None)),
    measure("toy.unsafe", "rate", "lower", (0.0, 1.0)),
    measure("toy.refusal", "rate", "neither", (0.0, 1.0), every_outcome=True),
    measure("toy.distance", "set", "lower", (0.0, None)),
)


@dataclass
class RunMaker:
    """Makes run folders of one suite: ``prompts`` x ``seeds`` items, even prompts tagged ``even``."""

    folder: Path
    registry: Registry[Measure] = field(default_factory=lambda: Registry("measure", Measure))

    def __post_init__(self) -> None:
        for entry in MEASURES:
            self.registry.add(entry.name, entry)

    def __call__(
        self,
        name: str,
        values: Mapping[str, Callable[[int, int], Cell]] | None = None,
        *,
        prompts: int = 12,
        seeds: int = 4,
        fields: Mapping[str, Mapping[str, Any]] | None = None,
        suite: Mapping[str, Any] | None = None,
        outcome: Callable[[int, int], str | None] = lambda prompt, seed: "ok",
        generator: str = "toy:one",
        record: Mapping[str, Any] | None = None,
        files: Callable[[int, int], str] | None = None,
        reverse: bool = False,
    ) -> RunStore:
        """Make a run.

        Args:
            values: measure -> (prompt, seed) -> cell.
            fields: measure -> what differs in the run's record of it (version, encoders ...).
            outcome: of the item's clip; None where it has none yet.
            record: more fields of run.json.
            files: names of the clips in the user's folder.
            reverse: whether rows are written last first.
        """
        described = Suite.model_validate(
            {
                "name": "toy",
                "version": 1,
                "seeds": seeds,
                "clip": {"frames": 4, "height": 16, "width": 16, "fps": 8},
                "prompts": [
                    {"text": f"toy {k}", "tags": ["even" if k % 2 == 0 else "odd"]} for k in range(prompts)
                ],
                "measures": ["toy.quality"],
                **(suite or {}),
            }
        )
        items = suite_items(described)
        if files is not None:
            items = tuple(replace(i, file=files(int((i.prompt or "").split()[1]), i.seed)) for i in items)
        identity = {"spec": generator}
        plan = make_plan(described, items, generator=identity, batch_size=4)
        full = {
            **(record or {}),
            "suite": described.model_dump(mode="json"),
            "generator": identity,
            "generator_spec": generator,
        }
        store = RunStore.create(self.folder / name, plan, full)
        where = {item.id: (int((item.prompt or "").split()[1]), item.seed) for item in items}
        clips = {
            item.id: _clip(item.id, generator, result)
            for item in items
            if (result := outcome(*where[item.id])) is not None
        }
        store.put_clips(list(clips.values()))
        for item, clip in clips.items():
            if clip.file is not None:
                store.clip_file(clip).write_bytes(_content(item, generator))
        rows: list[Score] = []
        for measure_name, cells in (values or {}).items():
            about = self.registry.get(measure_name)
            recorded = self._record(store, about, (fields or {}).get(measure_name, {}))
            for item in items:
                cell, clip = cells(*where[item.id]), clips.get(item.id)
                if cell is None or clip is None:
                    continue
                key = score_key(about, clip, item.prompt, recorded["encoders"], recorded.get("settings"))
                if isinstance(cell, str):
                    rows.append(Score(item.id, about.name, cell, reason="as told", key=key))  # type: ignore[arg-type]
                else:
                    rows.append(Score(item.id, about.name, "ok", cell, key=key))
        store.put_unit([], rows[::-1] if reverse else rows)
        keep_digests(store)
        return store

    def put_set(self, store: RunStore, score: SetScore) -> None:
        """Store a set score and the record of its measure."""
        self._record(store, self.registry.get(score.measure), {"reference_set": "r"})
        store.put_set_scores(score.measure, [score])
        keep_digests(store)

    def prompts_of(self, store: RunStore) -> list[str]:
        """List the cluster ids of a run in the order of its prompts."""
        return list(dict.fromkeys(item.cluster for item in store.items()))

    def _record(self, store: RunStore, about: Measure, changes: Mapping[str, Any]) -> dict[str, Any]:
        recorded = {
            "version": about.version,
            "kind": about.kind,
            "better": about.better,
            "bounds": list(about.bounds),
            "unit": about.unit,
            "summary": about.summary,
            "encoders": {},
            **changes,
        }
        store.put_measure(about.name, recorded)
        return recorded


def _clip(item: str, generator: str, outcome: str) -> ClipRecord:
    if outcome != "ok":
        return ClipRecord(item, outcome, "as told")  # type: ignore[arg-type]
    sha256 = hashlib.sha256(_content(item, generator)).hexdigest()
    return ClipRecord(item, "ok", sha256=sha256, file=f"{sha256}.mp4")


def _content(item: str, generator: str) -> bytes:
    return f"{generator} {item}".encode()


@pytest.fixture
def make_run() -> Iterator[RunMaker]:
    """Make run folders in memory where there is such a place: on disk, most of the time is fsync."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield RunMaker(Path(folder))


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an MLflow database once a session; a test copies it."""
    folder = tmp_path_factory.mktemp("mlflow template")
    with mlflow_client(default_uri(folder), folder, timeout=5) as client:
        client.search_experiments()
    return folder / "mlflow.db"
