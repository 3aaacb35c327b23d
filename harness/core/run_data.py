"""The content of a run as plain values: records of clips, scores, and scores of sets."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from .estimate import RunEstimate
from .items import Item
from .keys import Json
from .layers import LayerDecision
from .media import ClipInfo
from .storage import Folder, Storage, storage_at

__all__ = [
    "ClipRecord",
    "Outcome",
    "RunData",
    "RunSide",
    "Score",
    "SetScore",
    "Status",
    "clip_files",
    "encoder_text",
    "named_values",
    "outcome_counts",
    "value_of",
]

Status: TypeAlias = Literal["ok", "refused", "failed", "not_applicable"]
Outcome: TypeAlias = Literal["ok", "refused", "failed", "not_applicable"]
"""What came of an item: ``not_applicable`` is one that the generator cannot be given."""


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """The result of generating one item.

    Attributes:
        outcome: ``ok``, ``refused``, ``failed`` or ``not_applicable``.
        reason: why there is no clip.
        sha256: of the stored file's bytes.
        file: name of the stored file; see `clip_files`.
        info: properties from decoding; None until the file has been decoded, or if it cannot be.
        seconds: the item's share of the time that its unit of work took to generate.
        layers: decisions of the safeguards around the generator, in order.
    """

    item: str
    outcome: Outcome
    reason: str = ""
    sha256: str | None = None
    file: str | None = None
    info: ClipInfo | None = None
    seconds: float = 0.0
    layers: tuple[LayerDecision, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """One value of one measure on one item, or why there is none; ``value`` is None unless status is ok.

    Attributes:
        intact: whether the row's digest is that of its cells; False in runs from before there were digests.
    """

    item: str
    measure: str
    status: Status
    value: float | None = None
    reason: str = ""
    evidence: Mapping[str, Json] = field(default_factory=dict[str, "Json"])
    key: str = ""
    intact: bool = field(default=True, compare=False)


class SetScore(RunEstimate):
    """One value of a set measure as it is stored: an estimate, whose it is, and the key of its inputs.

    Attributes:
        name: of the value, if the measure gives several; empty if it gives one.
        slice: the slice of the run; None for the whole run.
        reason: why there is no value.
        intact: as of `Score`; it is not stored.
    """

    measure: str
    status: Status
    value: float | None = None
    reason: str = ""
    key: str = ""
    name: str = ""
    slice: str | None = None
    intact: bool = Field(default=True, exclude=True)

    @property
    def full_name(self) -> str:
        """Return the name that rules and reports use: the measure, and the value's own name if it has one."""
        return f"{self.measure}.{self.name}" if self.name else self.measure


def named_values(measures: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Describe every value of a run: a measure with several values is replaced by those values.

    A value ``measure.name`` has the fields of its measure, but its own direction, range and unit, and the
    measure's name under ``of``.
    """
    found: dict[str, dict[str, Any]] = {}
    for measure, fields in measures.items():
        values: Mapping[str, Mapping[str, Any]] = fields.get("values") or {}
        for name, own in values.items():
            found[f"{measure}.{name}"] = {**fields, **own, "of": measure}
        if not values:
            found[measure] = dict(fields)
    return found


class RunSide(BaseModel):
    """One run of a comparison: its name, generator, plan and outcomes."""

    model_config = ConfigDict(frozen=True)

    name: str
    generator: str
    plan: str
    items: int
    outcomes: dict[str, int]


@dataclass(frozen=True)
class RunData:
    """The content of a run folder.

    Attributes:
        measures: the description of every value; see `named_values`.
        scores: by (measure, item id).
        sets: by (full name, slice), the slice None for the whole run.
        folder: that it was read from; None for one that is not on disk.
    """

    name: str
    record: Mapping[str, Any]
    items: Mapping[str, Item]
    clips: Mapping[str, ClipRecord]
    measures: Mapping[str, Mapping[str, Any]]
    scores: Mapping[tuple[str, str], Score]
    sets: Mapping[tuple[str, str | None], SetScore]
    folder: Path | None = None

    @property
    def without_clip(self) -> int:
        """Count the items that have no result yet; 0 once the run is finished."""
        return len(self.items) - len(self.clips)

    def status(self, measure: str, item: str) -> str:
        """Return the status of an item's score; ``missing`` if it has none yet."""
        score = self.scores.get((measure, item))
        if score is None:
            return "missing"
        return "failed" if score.status == "ok" and value_of(score) is None else score.status

    def about(self) -> RunSide:
        """Summarise the run for a comparison."""
        counts = Counter(record.outcome for record in self.clips.values())
        full = {**outcome_counts(counts), "missing": self.without_clip}
        return RunSide(
            name=self.name,
            generator=str(self.record.get("generator_spec", "")),
            plan=self.record["plan"],
            items=len(self.items),
            outcomes=full,
        )


def outcome_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """List the items by outcome, also where there are none; ``not_applicable`` only where there are any."""
    always = {name: counts.get(name, 0) for name in ("ok", "refused", "failed")}
    rest = counts.get("not_applicable", 0)
    return {**always, "not_applicable": rest} if rest else always


def clip_files(folder: Path, record: Mapping[str, Any]) -> Storage:
    """Find the stored clips of a run: in its folder, or where its record says.

    Raises:
        UsageError: the record names a store that needs a package that is not installed.
    """
    elsewhere = record.get("clips")
    return storage_at(str(elsewhere)) if elsewhere else Folder(folder / "clips")


def encoder_text(fields: Mapping[str, Any]) -> str:
    """Name the encoders that a measure was computed through, as ``clip=reference``; empty for none to choose.

    Args:
        fields: the run's record of the measure.
    """
    sources: Mapping[str, str] = fields.get("sources") or {}
    return ", ".join(f"{role}={source}" for role, source in sources.items())


def value_of(score: Score | None) -> float | None:
    """Return a score's value; None unless its status is ``ok`` and the value is finite."""
    if score is None or score.status != "ok" or score.value is None or not math.isfinite(score.value):
        return None
    return score.value
