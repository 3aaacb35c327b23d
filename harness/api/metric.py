"""Every measure as a torchmetrics metric: one adapter over the registry, by the code that scores runs."""

from __future__ import annotations

import base64
import json
import math
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torchmetrics import Metric
from typing_extensions import Unpack

from ...metrics.base import Measure
from ...metrics.encoders.base import Feature
from ..catalog import MEASURES
from ..core.errors import UsageError
from ..core.estimate import Estimate
from ..core.items import Item, Prompt
from ..core.keys import digest, file_sha256
from ..core.media import write_clip
from ..core.run_data import ClipRecord, Score
from ..core.video_arrays import Layout, ValueRange, Video, read_videos
from ..results.summary import aggregate
from ..run_folder.rows import item_fields, read_items
from ..scoring.instruments import Instruments, check_encoders, instruments, measure_fields
from ..scoring.sets import Rows, clip_row
from ..suites.suite import Suite
from .options import ScoreOptions, check_options, chosen_suite, settings_of
from .scoring import process_cache, refuse_missing_prompts
from .videos import check_rate, held_items, read_prompts

__all__ = ["MeasureMetric", "metric"]


class MeasureMetric(Metric):
    """A measure as a torchmetrics metric; make one with `metric`.

    Its state is one record a clip: the item, and its score, or its features for a measure of sets. Records of
    several processes or shards are those of one, in another order.

    Attributes:
        measure: the registered measure.
    """

    is_differentiable = False
    full_state_update = False

    def __init__(
        self,
        measure: Measure,
        options: ScoreOptions,
        reading: tuple[Layout | None, ValueRange | None, float],
    ) -> None:
        super().__init__()
        self.measure_name = measure.name
        self._options, self._reading = options, reading
        self._seen: Counter[str] = Counter()
        self._forwarding = False
        self._loaded: tuple[Suite, Instruments] | None = None
        # Metrics of a collection whose states have equal names may share an update: settings are in the name.
        settings = {"options": json.loads(json.dumps(options, default=str)), "reading": list(reading)}
        self._state = f"records_{digest('metric', {'measure': measure.name, **settings})[:16]}"
        self.add_state(self._state, default=[], dist_reduce_fx="cat")

    @property
    def measure(self) -> Measure:
        """The registered measure."""
        return MEASURES.get(self.measure_name)

    @property
    def higher_is_better(self) -> bool | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether a higher value is better; None if neither direction is."""
        return {"higher": True, "lower": False}.get(self.measure.better)

    def _load(self) -> tuple[Suite, Instruments]:
        """Make the suite of the measure alone, and its encoders, at first use; they are not pickled.

        Raises:
            UsageError: an encoder or reference set is missing or wrong.
        """
        if self._loaded is None:
            known = check_options(self._options, ScoreOptions)
            known["measures"] = [self.measure_name]
            suite, how = chosen_suite("videos", known), settings_of(known, process_cache())
            self._loaded = suite, instruments(suite, how.cache, how.options)
        return self._loaded

    @property
    def _tools(self) -> Instruments:
        return self._load()[1]

    def update(
        self, videos: Any, prompts: str | Sequence[str | Mapping[str, Any] | Prompt | None] | None = None
    ) -> None:
        """Score videos, or take their features, and keep that.

        Args:
            videos: in any form that `score` takes.
            prompts: one a video, for measures that read them.

        Raises:
            UsageError: a video can be read in two ways, the number of prompts is another, or weights are
                missing.
        """
        layout, value_range, fps = self._reading
        held = read_videos(videos, layout=layout, value_range=value_range)
        asked = read_prompts(prompts, len(held))
        refuse_missing_prompts([self.measure_name], asked)
        check_encoders(self._tools)
        items = self._items(held, asked)
        self._tools.scorer.prepare(items)
        with tempfile.TemporaryDirectory(prefix="screentest-metric-") as place:
            lines = [
                self._record(item, video, Path(place) / f"{number}.mp4", fps)
                for number, (item, video) in enumerate(zip(items, held, strict=True))
            ]
        cast("list[torch.Tensor]", getattr(self, self._state)).append(_packed(lines).to(self.device))

    def _items(self, held: Sequence[Video], asked: Sequence[Prompt | None]) -> list[Item]:
        """Make the items; several processes give the videos of one prompt different seeds."""
        made = torch.distributed.is_available() and torch.distributed.is_initialized()
        rank, ranks = (torch.distributed.get_rank(), torch.distributed.get_world_size()) if made else (0, 1)
        return held_items(held, asked, self._load()[0], self._seen, place=(rank, ranks))

    def _record(self, item: Item, video: Video, path: Path, fps: float) -> dict[str, Any]:
        """Score one clip, stored as a run stores it."""
        if not isinstance(video, Path):
            write_clip(path, video, fps)
            video = path
        sha256 = file_sha256(video)
        told: dict[str, Any] = {"id": item.id, "cluster": item.cluster, "item": item_fields(item)}
        if self.measure.kind == "set":
            row = clip_row(self.measure, self._tools.scorer, sha256, video)
            return {**told, "row": row if isinstance(row, str) else {n: _text(f) for n, f in row.items()}}
        record = ClipRecord(item.id, "ok", sha256=sha256, file=video.name)
        (score,) = self._tools.scorer.score(item, record, video)[1]
        return {**told, "score": [score.status, score.value, score.reason]}

    def compute(self) -> torch.Tensor | dict[str, torch.Tensor]:
        """Return the value, a float64 scalar, or the named values of the measure; NaN where there is none."""
        found = {
            name: torch.tensor(
                math.nan if one.value is None else one.value, dtype=torch.float64, device=self.device
            )
            for name, one in self.estimates().items()
        }
        return found[""] if list(found) == [""] else found

    def estimates(self) -> dict[str, Estimate]:
        """Return the value with its interval, n and what was left out, under ""; or the named values.

        As for `compute`, all processes have to call it.

        Raises:
            UsageError: there was no video yet.
        """
        if self._is_synced:  # as within `compute`
            return self._of_records()
        with self.sync_context(dist_sync_fn=self.dist_sync_fn, should_sync=self.sync_on_compute):
            return self._of_records()

    def _of_records(self) -> dict[str, Estimate]:
        records = _unpacked(getattr(self, self._state))
        if not records:
            raise UsageError(f"{self.measure_name} has no value without a video; call update(videos) first")
        items = list(read_items((one["id"], one["cluster"], one["item"]) for one in records))
        if self.measure.kind == "set":
            return self._of_set(records, items)
        scores = [
            Score(item.id, self.measure_name, status, value, reason)
            for item, (status, value, reason) in zip(items, (one["score"] for one in records), strict=True)
        ]
        fields = measure_fields(self.measure, self._tools)
        return {"": aggregate(self.measure_name, fields, scores, {i.id: i for i in items}, tag=None)}

    def _of_set(self, records: Sequence[Mapping[str, Any]], items: Sequence[Item]) -> dict[str, Estimate]:
        sets = self._tools.sets
        assert sets is not None  # the measure is one of sets
        sets.prepare()
        rows = Rows([], {name: [] for name in self.measure.needs}, {}, False)
        for item, record in zip(items, records, strict=True):
            if isinstance(record["row"], str):
                rows.without[item.id] = record["row"]
                continue
            rows.items.append(item)
            for name, feature in record["row"].items():
                rows.features[name].append(_array(feature))
        return {one.name: one for one in sets.values(self.measure, rows, items, None, "")}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Add videos, and return the value of these alone."""
        self._forwarding = True
        try:
            return super().forward(*args, **kwargs)
        finally:
            self._forwarding = False

    def reset(self) -> None:
        """Forget all videos."""
        super().reset()
        if not self._forwarding:  # which resets and restores the state around its own update
            self._seen = Counter()

    def set_dtype(self, dst_type: Any) -> MeasureMetric:
        """Do nothing: records are bytes, and values float64."""
        del dst_type
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_loaded": None}


def _packed(lines: Sequence[Mapping[str, Any]]) -> torch.Tensor:
    """Write records as JSON lines, in bytes that are carried as float32.

    torchmetrics gathers lists of one type only, float32: a process without a record sends that.
    """
    text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines).encode()
    padded = text + b"\n" * (-len(text) % 4)
    return torch.from_numpy(np.frombuffer(padded, np.uint8).copy()).view(torch.float32)


def _unpacked(state: torch.Tensor | Sequence[torch.Tensor]) -> list[dict[str, Any]]:
    parts = [state] if isinstance(state, torch.Tensor) else state
    text = b"".join(part.cpu().contiguous().view(torch.uint8).numpy().tobytes() for part in parts)
    return [json.loads(line) for line in text.splitlines() if line]


def _text(feature: Feature) -> list[Any]:
    array = np.ascontiguousarray(feature)
    return [array.dtype.str, list(array.shape), base64.b64encode(array.tobytes()).decode()]


def _array(told: Sequence[Any]) -> Feature:
    kind, shape, text = told
    return np.frombuffer(base64.b64decode(text), np.dtype(kind)).reshape(shape)


def metric(
    measure: str,
    *,
    layout: Layout | None = None,
    value_range: ValueRange | None = None,
    fps: float = 8.0,
    **options: Unpack[ScoreOptions],
) -> MeasureMetric:
    """Make a torchmetrics metric of a measure: ``update(videos, prompts)``, ``compute()``.

    Its values are those of `score` on the same videos. It can be a member of a ``MetricCollection``, and its
    state merges across shards and processes. ``estimates()`` has the interval, n and what was left out.

    Args:
        measure: its name; see ``screentest list measures``.
        layout, value_range, fps: how arrays are read; see `score`.
        options: see `ScoreOptions`.

    Raises:
        UsageError: the measure or an option is unknown, or the measure is of the outcomes of a generator.

    Example:
        >>> import numpy as np
        >>> flicker = metric("motion.flicker")
        >>> flicker.update(np.random.default_rng(0).random((2, 8, 3, 32, 32)))
        >>> round(float(flicker.compute()), 1), flicker.estimates()[""].n
        (0.7, 2)
    """
    known = check_options(options, ScoreOptions)
    chosen_suite("videos", known)
    check_rate(fps)
    found = MEASURES.get(measure)
    if found.every_outcome and not found.needs:
        raise UsageError(f"{measure} is of what came of a generator's items, and videos do not show it")
    return MeasureMetric(found, known, (layout, value_range, fps))
