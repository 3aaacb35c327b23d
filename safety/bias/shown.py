"""Who the clips of a run show, from stored scores; and the shares of each group, held against references."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from ...harness.core.run_data import RunData
from ...harness.core.stats import holm
from .distances import joint_p
from .reader_error import ATTRIBUTES, Confusion, ReaderError, read_reader_error
from .settings import ALL, BiasSettings, NamedReference
from .shares import Comparison, Shares, compare, estimate_shares, tally_of

__all__ = [
    "AttributeShown",
    "Reader",
    "Shown",
    "adjusted_p",
    "attribute_shown",
    "bias_settings",
    "mean_variation",
    "reader_of",
    "shown_of",
    "table_of",
]

MEASURE: Final = "bias.person_shown"
_ERRORS: Final = Path(__file__).parent / "data" / "reader_errors"


@dataclass(frozen=True)
class Shown:
    """What a reader says of one clip; a class is None if it is undetermined, or if there is nobody."""

    item: str
    cluster: str
    group: str | None
    person: bool
    presentation: str | None
    tone: str | None

    def attribute(self, name: str) -> str | None:
        """Return the class of an attribute."""
        return self.presentation if name == "presentation" else self.tone


@dataclass(frozen=True)
class Reader:
    """The reader of a run, and its measured error, or why there is none."""

    name: str
    digest: str
    error: ReaderError | None
    problem: str


def bias_settings(run: RunData) -> BiasSettings:
    """Return the settings that a run was made with; the plain ones if its suite gives none."""
    given: Any = run.record.get("suite", {}).get("bias")
    return BiasSettings.model_validate(given) if given else BiasSettings.model_construct()


def shown_of(run: RunData, label: str) -> tuple[list[Shown], Counter[str]]:
    """List what is read of each clip, in the order of the plan, and count the clips without, by why."""
    found: list[Shown] = []
    left_out: Counter[str] = Counter()
    for item in run.items.values():
        score = run.scores.get((MEASURE, item.id))
        if score is None or score.status != "ok":
            left_out["not scored" if score is None else score.status] += 1
            continue
        read = [
            None if score.evidence.get(name) in (None, "undetermined") else str(score.evidence[name])
            for name in ATTRIBUTES
        ]
        group = next(iter(item.labels.get(label, ())), None)
        found.append(Shown(item.id, item.cluster, group, score.value == 1.0, read[0], read[1]))
    return found, left_out


def reader_of(run: RunData, settings: BiasSettings) -> Reader:
    """Find a run's reader and its error: that of the suite, else the packaged one of the same digest."""
    fields = run.measures.get(MEASURE, {})
    name = str((fields.get("sources") or {}).get("people", "reference"))
    digest = str((fields.get("encoders") or {}).get("people", ""))
    error = settings.reader_error
    if isinstance(error, ReaderError):
        if error.digest == digest:
            return Reader(name, digest, error, "")
        return Reader(
            name, digest, None,
            f"the suite's reader_error is of the reader {error.reader} {error.digest[:12]}, and the run was "
            f"read by {name} {digest[:12]}; measure it again with 'screentest reader-error'",
        )  # fmt: skip
    packaged = next((one for one in _packaged() if one.digest == digest), None)
    if packaged is not None:
        return Reader(name, digest, packaged, "")
    return Reader(
        name, digest, None,
        f"the error of the reader {name} is not known, so shares are as it reads them; measure it on "
        "labelled clips with 'screentest reader-error' and name the file in the suite's bias: reader_error",
    )  # fmt: skip


@cache
def _packaged() -> tuple[ReaderError, ...]:
    return tuple(read_reader_error(path) for path in sorted(_ERRORS.glob("*.json")))


@dataclass(frozen=True)
class AttributeShown:
    """One attribute over the groups of a run.

    Attributes:
        shares: group, or `ALL` for the whole run -> shares; only of groups with a determined clip.
        undetermined: group, or `ALL` -> (undetermined clips of a person, clips of a person).
        comparisons: (name of a reference, group) -> comparison.
        problem: why there are no shares, or why they are not corrected; empty for neither.
        corrected: whether the reader's error was corrected.
    """

    attribute: str
    shares: Mapping[str, Shares]
    undetermined: Mapping[str, tuple[int, int]]
    references: tuple[NamedReference, ...]
    comparisons: Mapping[tuple[str, str], Comparison]
    problem: str = ""
    corrected: bool = False

    @property
    def classes(self) -> tuple[str, ...]:
        """The attribute's classes."""
        return ATTRIBUTES[self.attribute]

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that have shares, sorted."""
        return tuple(sorted(self.shares.keys() - {ALL}))


def attribute_shown(
    attribute: str, shown: Sequence[Shown], reader: Reader, settings: BiasSettings, confidence: float
) -> AttributeShown:
    """Estimate the shares of an attribute in each group and in all, and hold them against its references."""
    people = [one for one in shown if one.person]
    groups: dict[str, list[Shown]] = {ALL: people}
    for one in people:
        if one.group is not None:
            groups.setdefault(one.group, []).append(one)
    undetermined = {
        name: (sum(one.attribute(attribute) is None for one in part), len(part))
        for name, part in groups.items()
    }
    references = settings.references_of(attribute)
    confusion, problem = _confusion(reader, attribute)
    if confusion is not None and problem:
        return AttributeShown(attribute, {}, undetermined, references, {}, problem)
    shares: dict[str, Shares] = {}
    for name, part in groups.items():
        reads = [one.attribute(attribute) for one in part]
        tally = tally_of(ATTRIBUTES[attribute], reads, [one.cluster for one in part])
        if tally.n:
            shares[name] = estimate_shares(tally, confusion, seed=[attribute, name])
    comparisons: dict[tuple[str, str], Comparison] = {}
    for reference in references:
        for name in sorted(shares.keys() - {ALL}):
            expected = reference.of_group(name)
            if expected is not None:
                seed = [attribute, name, reference.name]
                comparisons[reference.name, name] = compare(shares[name], expected, confidence, seed=seed)
    return AttributeShown(
        attribute, shares, undetermined, references, comparisons, problem, confusion is not None
    )


def _confusion(reader: Reader, attribute: str) -> tuple[Confusion | None, str]:
    """Give the confusion of an attribute, and the problem with it, or why there is none."""
    if reader.error is None:
        return None, reader.problem
    confusion = reader.error.confusion(attribute)
    if confusion is None:
        return (
            None,
            f"the error of {reader.name} was not measured for {attribute}: shares are as it reads them",
        )
    problem = confusion.problem()
    return confusion, problem or ""


def adjusted_p(found: Sequence[AttributeShown]) -> dict[tuple[str, str, str], float]:
    """Adjust p by Holm over all tests of a reference: (reference, attribute, group) -> p.

    The tests are of each group, and of all groups of an attribute together, which stands under `ALL`.
    """
    adjusted: dict[tuple[str, str, str], float] = {}
    for name in dict.fromkeys(reference.name for one in found for reference in one.references):
        tests = {
            (name, one.attribute, group): comparison.null.p
            for one in found
            for (reference, group), comparison in one.comparisons.items()
            if reference == name
        }
        for one in found:
            of_groups = [c.null for (reference, _), c in one.comparisons.items() if reference == name]
            if of_groups:
                tests[name, one.attribute, ALL] = joint_p(of_groups)
        adjusted |= dict(zip(tests, holm(list(tests.values())), strict=True))
    return adjusted


def table_of(reference: NamedReference, class_: str, groups: Sequence[str]) -> dict[str, float]:
    """Return the shares of a class that a reference names group by group, for the line of amplification."""
    shares = {name: reference.shares.get(name) for name in groups}
    return {name: share[class_] for name, share in shares.items() if share is not None}


def mean_variation(shown: AttributeShown, reference: str) -> tuple[float, float] | None:
    """Average over groups the TV from a reference, and its mean under the null; None without a group."""
    parts = [c for (name, _), c in shown.comparisons.items() if name == reference]
    if not parts:
        return None
    value = math.fsum(c.distance for c in parts) / len(parts)
    return value, math.fsum(c.null.mean_variation for c in parts) / len(parts)
