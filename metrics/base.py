"""Measures: pure functions from the features of a clip, or of a set of clips, to a value.

A measure is registered by name and version, with its direction and range::

    @measure("motion.flicker", version=1, needs=("pixels",), better="higher", bounds=(0.0, 1.0), unit="")
    def flicker(sample: Sample) -> float:
        '''Mean likeness of neighbouring frames ...'''

It returns a float, or `Scored` to add evidence, or raises `NotApplicable` or `MeasureFailed` with a reason.
A measure must not return NaN: the harness records NaN as a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias, TypeVar

import numpy as np

from ..harness.core.errors import UsageError
from ..harness.core.plugin_sources import source_digest
from ..harness.core.registry import Registry
from ..harness.core.run_data import Outcome
from .derived import Derives
from .encoders.base import Feature, NotApplicable, Record
from .rooms import ROOMS

if TYPE_CHECKING:
    from ..harness.core.estimate import RunEstimate
    from ..harness.core.items import Item
    from ..harness.core.keys import Json
    from ..harness.core.layers import LayerDecision
    from ..harness.core.media import ClipInfo

__all__ = [
    "DEFAULT",
    "MEASURES",
    "Better",
    "Measure",
    "MeasureFailed",
    "Moves",
    "NotApplicable",
    "Outcome",
    "Reference",
    "RunSample",
    "RunScored",
    "Sample",
    "Scored",
    "Setting",
    "Value",
    "measure",
    "set_measure",
]

DEFAULT: Final = "default"
"""The name of the reference set that a suite gives as ``reference_set``."""
Better: TypeAlias = Literal["higher", "lower", "neither"]
Rows: TypeAlias = Literal["clip", "frame"]
"""What a row of a set measure's features is: a clip, with the mean of its rows, or one row of an encoder."""
Moves: TypeAlias = Literal["rises", "falls"]
"""How a value moves as a corruption becomes more severe."""


class MeasureFailed(Exception):
    """Say why a measure that applies to a clip has no value for it, such as "no answer in time"."""


class Setting(Protocol):
    """A setting of a run that changes scores, such as thresholds; identified by its digest."""

    @property
    def digest(self) -> str:
        """64 hex digits, part of the key of every score that uses the setting."""
        ...


S = TypeVar("S")


@dataclass(frozen=True)
class Sample(Derives):
    """The input of a measure. Values that several measures need are computed once, by `derived`.

    Attributes:
        item: the item that was generated.
        outcome: the result of generation; measures get only ``ok``, unless registered with
            ``every_outcome=True``.
        clip: size, rate and length from decoding; None if there is no clip.
        features: the needed features that are matrices, by name. ``<role>.text`` is the prompt's embedding by
            the encoder of that role, shape (1, k).
        layers: decisions of the safeguards around the generator, in order.
        records: the needed features that are records, by name.
        settings: the settings of the run that the measure reads, by name.
    """

    item: Item
    outcome: Outcome
    clip: ClipInfo | None
    features: Mapping[str, Feature]
    layers: tuple[LayerDecision, ...] = ()
    records: Mapping[str, Record] = field(default_factory=dict[str, Record])
    settings: Mapping[str, Setting] = field(default_factory=dict[str, Setting])

    def setting(self, name: str, kind: type[S]) -> S:
        """Return a setting of the run.

        Raises:
            TypeError: there is no setting of this name and type; the measure must list it in ``settings``.
        """
        found = self.settings.get(name)
        if not isinstance(found, kind):
            raise TypeError(f"there is no setting {name!r} of the type {kind.__name__}")
        return found


@dataclass(frozen=True)
class Scored:
    """A value with the evidence for it (a frame number, a share, a label): plain JSON values."""

    value: float
    evidence: Mapping[str, Json] = field(default_factory=dict[str, "Json"])


@dataclass(frozen=True)
class Reference:
    """The features of a named set of real clips.

    Attributes:
        features: feature -> array (M, D), memory-mapped: a slice reads only its rows.
        clips: feature -> the clip of each row.
        size: number of clips in the set, including those that an encoder could not read.
    """

    name: str
    features: Mapping[str, Feature]
    clips: Mapping[str, Sequence[str]]
    size: int

    def blocks(self, feature: str, rows: int = 4096) -> Iterator[Feature]:
        """Read a feature in blocks of at most ``rows`` rows, in order."""
        whole = self.features[feature]
        for start in range(0, len(whole), rows):
            yield np.asarray(whole[start : start + rows])


@dataclass(frozen=True)
class RunSample:
    """The input of a set measure: the clips of a run, or of one slice of it.

    Attributes:
        items: the item of each row, in the order of the plan, with labels and clusters.
        features: each needed feature, shape (N, D), with one row per clip, or per frame that was encoded if
            the measure is registered with ``rows="frame"``.
        references: the reference sets that the measure needs.
        confidence: of the intervals.
    """

    items: Sequence[Item]
    features: Mapping[str, Feature]
    references: Mapping[str, Reference] = field(default_factory=dict[str, Reference])
    confidence: float = 0.95

    @property
    def clusters(self) -> list[str]:
        """Return the cluster (prompt) of each row."""
        return [item.cluster for item in self.items]

    @property
    def clips(self) -> int:
        """Return the number of clips."""
        return len({item.id for item in self.items})


RunScored: TypeAlias = "RunEstimate | Mapping[str, RunEstimate]"
"""Result of a set measure: one value, or the named values that it was registered with."""


@dataclass(frozen=True)
class Value:
    """One named value of a set measure: its direction, range and unit."""

    better: Better
    bounds: tuple[float | None, float | None]
    unit: str = ""


@dataclass(frozen=True)
class Measure:
    """A registered measure.

    Attributes:
        kind: ``mean`` (values are averaged), ``rate`` (values are 0 or 1) or ``set`` (of a set of clips).
        needs: names of the features it reads.
        better: whether a higher or a lower value is better.
        bounds: the range of its values; None for no end.
        version: raised whenever a value would change; part of the score's key.
        values: for a set measure with several values: name -> direction, range and unit. Rules and
            comparisons name each ``measure.name``.
        references: for a set measure: the names of the reference sets that it compares with.
        settings: names of the settings of the run that it reads; their digests are part of the key.
        rows: for a set measure: what a row of its features is.
        sees: what it claims to see: corruption (of `validation.corruptions`) -> how its value moves with
            the severity. Validity cards hold it to that.
    """

    name: str
    version: int
    kind: Literal["mean", "rate", "set"]
    function: Callable[[Sample], float | Scored] | None
    set_function: Callable[[RunSample], RunScored] | None
    needs: tuple[str, ...]
    better: Better
    bounds: tuple[float | None, float | None]
    unit: str
    summary: str
    every_outcome: bool = False
    values: Mapping[str, Value] = field(default_factory=dict[str, Value])
    references: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    rows: Rows = "clip"
    sees: Mapping[str, Moves] = field(default_factory=dict[str, Moves])

    @property
    def source(self) -> str | None:
        """The digest of the code of a measure from outside this package, part of its keys; None for ours."""
        function = self.function or self.set_function
        if function is None or function.__module__.partition(".")[0] == __name__.partition(".")[0]:
            return None
        return source_digest(function)

    def __post_init__(self) -> None:
        """Refuse an invalid registration."""
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
    settings: Sequence[str] = (),
    sees: Mapping[str, Moves] | None = None,
) -> Callable[[Callable[[Sample], float | Scored]], Callable[[Sample], float | Scored]]:
    """Register a function of one clip as the measure ``name``; it stays callable as it was.

    ``sees`` says what a validity card holds it to, such as ``{"blur": "rises"}``; see `Measure`.
    """

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
                settings=tuple(settings),
                sees=sees or {},
            ),
        )
        return function

    return register


def set_measure(
    name: str,
    *,
    version: int,
    needs: str | Sequence[str],
    better: Better,
    bounds: tuple[float | None, float | None],
    unit: str = "",
    values: Mapping[str, Value] | None = None,
    references: Sequence[str] = (DEFAULT,),
    rows: Rows = "clip",
    sees: Mapping[str, Moves] | None = None,
) -> Callable[[Callable[[RunSample], RunScored]], Callable[[RunSample], RunScored]]:
    """Register a function of the clips of a run as the measure ``name``; it stays callable as it was.

    Args:
        name: of the measure.
        version: raised whenever a value would change.
        needs: the features that it reads, one or several; a clip without one of them is left out.
        better, bounds, unit: of its value.
        values: its named values, if it gives several.
        references: the reference sets of the suite that it needs; ``default`` is ``reference_set``.
        rows: ``clip`` for a row a clip, the mean of what its encoder gives; ``frame`` for every row.
        sees: what a validity card holds it to, see `Measure`.

    Raises:
        UsageError: rows of frames of several features, which need not be of the same frames.
    """
    if rows == "frame" and not isinstance(needs, str):
        raise UsageError(f"measure {name!r}: rows of frames are of one feature, and it needs {needs!r}")
    needed = (needs,) if isinstance(needs, str) else tuple(needs)

    def register(function: Callable[[RunSample], RunScored]) -> Callable[[RunSample], RunScored]:
        MEASURES.add(
            name,
            Measure(
                name,
                version,
                "set",
                None,
                function,
                needed,
                better,
                bounds,
                unit,
                _first_line(function.__doc__),
                values=values or {},
                references=tuple(references),
                rows=rows,
                sees=sees or {},
            ),
        )
        return function

    return register


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().split("\n", 1)[0]
