"""Measures: pure functions from what is known of a clip, or of a set of clips, to a value.

A measure is registered by name and version, with its direction and range::

    @measure("motion.flicker", version=1, needs=("pixels",), better="higher", bounds=(0.0, 1.0), unit="")
    def flicker(sample: Sample) -> float:
        '''Mean likeness of neighbouring frames ...'''

It returns a float, or `Scored` to add evidence, or raises `NotApplicable` or `MeasureFailed` with a reason.
A measure never returns NaN: the harness records that as a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from ..harness.core.errors import UsageError
from ..harness.core.registry import Registry
from .encoders.base import Feature
from .rooms import ROOMS

if TYPE_CHECKING:
    from ..harness.core.items import Item
    from ..harness.core.keys import Json
    from ..harness.core.layers import LayerDecision
    from ..harness.core.media import ClipInfo

__all__ = [
    "MEASURES",
    "Better",
    "Measure",
    "MeasureFailed",
    "NotApplicable",
    "Outcome",
    "Sample",
    "Scored",
    "SetSample",
    "SetScored",
    "measure",
    "set_measure",
]

Better: TypeAlias = Literal["higher", "lower", "neither"]
Outcome: TypeAlias = Literal["ok", "refused", "failed"]


class NotApplicable(Exception):
    """Say why a measure does not apply to a clip ("one frame", "no prompt" ...)."""


class MeasureFailed(Exception):
    """Say why a measure that applies to a clip has no value for it ("judge_failed: no answer in time")."""


@dataclass(frozen=True)
class Sample:
    """What a measure may look at.

    Attributes:
        item: what was asked for.
        outcome: whether a clip came back; measures see only ``ok`` unless they were registered with
            ``every_outcome=True``.
        clip: size, rate and length as decoded, or None where there is no clip.
        features: the features that the measure ``needs``, by name. ``<role>.text`` is the prompt's
            embedding by the encoder of that role, shape (1, k).
        layers: what safeguards around the generator decided, in their order.
    """

    item: Item
    outcome: Outcome
    clip: ClipInfo | None
    features: Mapping[str, Feature]
    layers: tuple[LayerDecision, ...] = ()


@dataclass(frozen=True)
class Scored:
    """A value with the evidence for it (a frame number, a share, a label): plain JSON values."""

    value: float
    evidence: Mapping[str, Json] = field(default_factory=dict[str, "Json"])


@dataclass(frozen=True)
class SetSample:
    """What a measure of sets may look at.

    Attributes:
        features: one row a clip, shape (N, D), in the order of the plan.
        clusters: the cluster (prompt) of each row.
        reference: features of the reference set, shape (M, D).
        confidence: of the interval asked for.
    """

    features: Feature
    clusters: Sequence[str]
    reference: Feature
    confidence: float = 0.95


@dataclass(frozen=True)
class SetScored:
    """A value of a set with its interval, how the interval was made, and what a reader must know.

    Attributes:
        leave_one_out: cluster -> the value of the set without that cluster's clips. Two runs are compared
            through these: the differences, cluster by cluster, give the paired jackknife interval.
    """

    value: float
    low: float | None
    high: float | None
    method: str
    notes: tuple[str, ...] = ()
    leave_one_out: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True)
class Measure:
    """A registered measure.

    Attributes:
        kind: ``mean`` (values are averaged), ``rate`` (values are 0 or 1) or ``set`` (of a set of clips).
        needs: names of the features it reads.
        better: whether a higher or a lower value is better.
        bounds: the range of its values; None where there is no end.
        version: raised whenever a value would change; part of the score's key.
    """

    name: str
    version: int
    kind: Literal["mean", "rate", "set"]
    function: Callable[[Sample], float | Scored] | None
    set_function: Callable[[SetSample], SetScored] | None
    needs: tuple[str, ...]
    better: Better
    bounds: tuple[float | None, float | None]
    unit: str
    summary: str
    every_outcome: bool = False

    def __post_init__(self) -> None:
        """Refuse a registration that no report or gate could read."""
        if self.better not in ("higher", "lower", "neither"):
            raise UsageError(
                f"measure {self.name!r}: better is {self.better!r}, not 'higher', 'lower' or 'neither'"
            )
        if self.kind not in ("mean", "rate", "set"):
            raise UsageError(f"measure {self.name!r}: kind is {self.kind!r} and should be 'mean' or 'rate'")
        ends = [end for end in self.bounds if end is not None]
        if len(self.bounds) != 2 or any(end != end for end in ends) or ends != sorted(ends):
            raise UsageError(
                f"measure {self.name!r}: bounds {self.bounds!r} should be (low, high), None for no end"
            )


MEASURES: Final[Registry[Measure]] = Registry("measure", Measure, ROOMS)


def measure(
    name: str,
    *,
    version: int,
    needs: Sequence[str] = (),
    better: Better,
    bounds: tuple[float | None, float | None],
    unit: str = "",
    kind: Literal["mean", "rate"] = "mean",
    every_outcome: bool = False,
) -> Callable[[Callable[[Sample], float | Scored]], Callable[[Sample], float | Scored]]:
    """Register a function of one clip as the measure ``name``; it stays callable as it was."""

    def register(function: Callable[[Sample], float | Scored]) -> Callable[[Sample], float | Scored]:
        MEASURES.add(
            name,
            Measure(
                name,
                version,
                kind,
                function,
                None,
                tuple(needs),
                better,
                bounds,
                unit,
                _first_line(function.__doc__),
                every_outcome,
            ),
        )
        return function

    return register


def set_measure(
    name: str,
    *,
    version: int,
    needs: str,
    better: Better,
    bounds: tuple[float | None, float | None],
    unit: str = "",
) -> Callable[[Callable[[SetSample], SetScored]], Callable[[SetSample], SetScored]]:
    """Register a function of a set of clips, read through the feature ``needs``, as the measure ``name``."""

    def register(function: Callable[[SetSample], SetScored]) -> Callable[[SetSample], SetScored]:
        MEASURES.add(
            name,
            Measure(
                name,
                version,
                "set",
                None,
                function,
                (needs,),
                better,
                bounds,
                unit,
                _first_line(function.__doc__),
            ),
        )
        return function

    return register


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().split("\n", 1)[0]
