"""Thresholds: how severe a law must seem broken before a clip is said to break it.

They are quantiles of the severities of lawful clips, are kept by tracker, and are
written by ``screentest validate --probes --calibrate``, never by hand: the file carries its own digest, which
is part of every score's key. The package brings those of the tracker ``world``, made from the reference
world, and of ``motion``, made from the world ``stage``; a file that a suite or the command line names adds
those of further sources, or takes the place of the package's.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import Field, ValidationError

from ...harness.core.config import Config
from ...harness.core.errors import UsageError
from ...harness.core.files import write_atomic
from ...harness.core.keys import Json, canonical_json, digest
from ..tracking.tracks import name_of
from .evaluation import LAWS

__all__ = [
    "ALARMS",
    "ANY",
    "FOOTAGE",
    "LEAST",
    "LEAST_OF",
    "Quantile",
    "SourceThresholds",
    "ThresholdFile",
    "blunt_laws",
    "calibrated",
    "chosen_thresholds",
    "conformal",
    "packaged_thresholds",
    "read_thresholds",
    "refuse_others",
    "thresholds_digest",
    "write_thresholds",
]

FILE: Final = Path(__file__).parent / "data" / "thresholds.json"
ALARMS: Final = 0.01
"""Share of lawful clips of any one look that may lie above a threshold."""
ANY: Final = "any"
FOOTAGE: Final = "footage"
"""The stage of trials, in the settings of thresholds that were made from clips of one's own."""
FEWEST_FOUND: Final = 0.5
"""Share of the violations of a medium severity that a law must find to have a threshold."""
LEAST: Final = 0.01
"""No threshold is lower: what is milder is nothing that a viewer could see."""
LEAST_OF: Final = {"gravity": 0.1}
"""Nor can a viewer see a gravity that is off by a tenth; a latent autoencoder bends paths by as much."""
_LAYOUT: Final = 1


class Quantile(Config):
    """A threshold, and what it is a quantile of.

    Attributes:
        look: the look whose quantile was the largest.
        n: lawful clips of every look together.
        above: how many of them lie above the threshold.
        largest: the largest severity of all.
    """

    threshold: float
    look: str
    n: int
    above: int
    largest: float


class SourceThresholds(Config):
    """Thresholds for the tracks of one source.

    Attributes:
        laws: law (or ``any``) -> quantile.
        missing: law -> why it has none.
        settings: what they were made from.
    """

    laws: dict[str, Quantile]
    missing: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, Any]

    @property
    def calibrated_on(self) -> str:
        """The clips that they were made from: the reference world, another world by its name, or footage."""
        if self.settings.get("stage") == FOOTAGE:
            return FOOTAGE
        world = self.settings.get("world")
        return "the reference world" if world is None else f"the world {world!r}"


class ThresholdFile(Config):
    """What the data file holds: ``sources`` is name of a source of tracks -> its thresholds.

    ``digest`` is that of all of them (see `thresholds_digest`).
    """

    layout: int = Field(default=_LAYOUT, ge=_LAYOUT, le=_LAYOUT)
    sources: dict[str, SourceThresholds]
    digest: str

    def of_source(self, identity: Mapping[str, Json]) -> tuple[str, SourceThresholds] | None:
        """Find the thresholds made for a source of tracks, by its whole identity, and their name."""
        wanted = canonical_json(dict(identity))
        for name, part in self.sources.items():
            if canonical_json(part.settings.get("source")) == wanted:
                return name, part
        return None


def conformal(severities: Sequence[float], alarms: float) -> float:
    """Give the severity that a further lawful clip exceeds with a probability of at most ``alarms``.

    The ``ceil((n + 1)(1 - alarms))``-th smallest of n severities, if clips are exchangeable (Vovk, Gammerman
    and Shafer 2005; Papadopoulos et al. 2002): no distribution is assumed, and few clips give a higher
    threshold, not a riskier one.

    Raises:
        UsageError: so few clips show no such quantile.

    Example:
        >>> conformal([0.1, 0.2, 0.3, 0.4], alarms=0.25)
        0.4
    """
    rank = math.ceil((len(severities) + 1) * (1 - alarms) - 1e-9)
    if rank > len(severities):
        needed = math.ceil((1 - alarms) / alarms - 1e-9)
        raise UsageError(
            f"{len(severities)} lawful clips show no quantile that one in {round(1 / alarms)} exceeds; "
            f"{needed} are needed: raise --n"
        )
    return sorted(severities)[rank - 1]


def calibrated(
    rows: Iterable[Mapping[str, Any]],
    settings: Mapping[str, Any],
    *,
    alarms: float = ALARMS,
    any_alarms: float | None = None,
    blunt: Mapping[str, str] = MappingProxyType({}),
) -> SourceThresholds:
    """Make thresholds from lawful trials: for each law the largest of the quantiles of every look.

    The threshold of ``any`` is for the largest ratio of a severity to its law's threshold, so that holding a
    clip against twelve laws at once raises no more false alarms than are asked for. A law that applies to too
    few of the clips, as the source does not see what it takes, gets none, and says why.

    Args:
        rows: what `law_trials.run` gave.
        settings: what made them, for the record.
        alarms: share of lawful clips of a look that may lie above the threshold of a law.
        any_alarms: likewise, above that of ``any``; by default the same.
        blunt: law -> why it gets no threshold; see `blunt_laws`.

    Raises:
        UsageError: too few clips for any law.
    """
    found: dict[str, dict[str, list[float]]] = {law: defaultdict(list) for law in LAWS}
    kept = [row for row in rows if any(not isinstance(s, str) for s in row["found"].values())]
    for row in kept:
        for law, severity in row["found"].items():
            if not isinstance(severity, str):
                found[law][row["look"]].append(severity)
    if not kept:
        raise UsageError("the source sees nothing in any of the lawful clips")
    looks = sorted({row["look"] for row in kept})
    laws: dict[str, Quantile] = {}
    missing: dict[str, str] = dict(blunt)
    for law in LAWS:
        if law in blunt:
            continue
        try:
            by_look = {look: found[law][look] for look in looks}
            laws[law] = _largest(by_look, alarms, LEAST_OF.get(law, LEAST))
        except UsageError as error:
            missing[law] = str(error)
    if not laws:
        raise UsageError(next(iter(missing.values())))
    together: dict[str, list[float]] = defaultdict(list)
    for row in kept:
        ratios = [
            row["found"][law] / q.threshold
            for law, q in laws.items()
            if not isinstance(row["found"][law], str)
        ]
        if ratios:
            together[row["look"]].append(max(ratios))
    laws[ANY] = _largest(together, alarms if any_alarms is None else any_alarms, LEAST)
    return SourceThresholds(laws=dict(sorted(laws.items())), missing=missing, settings=dict(settings))


def blunt_laws(made: SourceThresholds, broken: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Find the laws that find too few violations at their thresholds: law -> the reason.

    Such a law would pass whatever a clip shows. One that applies to no violation is among them.

    Args:
        made: the thresholds.
        broken: rows of trials of a medium severity, with the ``law`` that is broken.
    """
    severities: dict[str, list[float]] = {law: [] for law in made.laws if law != ANY}
    for row in broken:
        severity = row["found"][row["law"]]
        if row["law"] in severities and not isinstance(severity, str):
            severities[row["law"]].append(severity)
    reasons: dict[str, str] = {}
    for law, values in severities.items():
        found = sum(value > made.laws[law].threshold for value in values)
        if found < FEWEST_FOUND * max(len(values), 1):
            reasons[law] = (
                f"it finds {found} of {len(values)} violations of a medium severity with these tracks: it "
                "cannot fail a clip"
            )
    return reasons


def _largest(by_look: Mapping[str, Sequence[float]], alarms: float, least: float) -> Quantile:
    quantiles: dict[str, float] = {}
    for look, severities in sorted(by_look.items()):
        try:
            quantiles[look] = conformal(severities, alarms)
        except UsageError as error:
            raise UsageError(f"in the look {look!r}, {error}") from None
    look = max(quantiles, key=lambda name: quantiles[name])
    threshold = max(least, quantiles[look])
    everything = [severity for part in by_look.values() for severity in part]
    above = sum(severity > threshold for severity in everything)
    return Quantile(threshold=threshold, look=look, n=len(everything), above=above, largest=max(everything))


def write_thresholds(path: Path, name: str, made: SourceThresholds) -> ThresholdFile:
    """Put the thresholds of one source into a file, beside those of other sources that are in it.

    Raises:
        UsageError: there is a file already that is no file of thresholds.
    """
    others = read_thresholds(path).sources if path.exists() else {}
    sources = dict(sorted({**others, name: made}.items()))
    whole = ThresholdFile(sources=sources, digest=thresholds_digest(sources))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(whole.model_dump(), indent=1) + "\n")
    return whole


def thresholds_digest(sources: Mapping[str, SourceThresholds]) -> str:
    """Hash the thresholds of some sources: 64 hex digits."""
    fields = {name: part.model_dump(exclude_defaults=True) for name, part in sources.items()}
    return digest("probe thresholds", fields)


def read_thresholds(path: Path) -> ThresholdFile:
    """Read a file of thresholds.

    Raises:
        UsageError: it cannot be read, holds something else, or was changed by hand.
    """
    try:
        read = ThresholdFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"the thresholds {path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "".join(f"{part}: " for part in (".".join(map(str, first["loc"])),) if part)
        raise UsageError(f"{path} holds no thresholds: {where}{first['msg']}") from None
    if read.digest != thresholds_digest(read.sources):
        raise UsageError(
            f"{path} was changed after it was written; "
            "make it again with 'screentest validate --probes --calibrate'"
        )
    return read


@cache
def packaged_thresholds() -> ThresholdFile:
    """Read the thresholds that come with the package."""
    return read_thresholds(FILE)


def chosen_thresholds(path: Path | None) -> ThresholdFile:
    """Read the packaged thresholds, and those of a file of one's own in the place of theirs.

    Raises:
        UsageError: the file cannot be read.
    """
    packaged = packaged_thresholds()
    if path is None:
        return packaged
    sources = dict(sorted({**packaged.sources, **read_thresholds(path).sources}.items()))
    return ThresholdFile(sources=sources, digest=thresholds_digest(sources))


def refuse_others(path: Path, identity: Mapping[str, Json]) -> None:
    """Make sure that a file of thresholds is for a source of tracks.

    Raises:
        UsageError: it has none for the source, or only for another version or other settings of it.
    """
    file = read_thresholds(path)
    if file.of_source(identity) is None:
        name = name_of(identity)
        other = f" with other settings: {canonical_json(dict(identity))}" if name in file.sources else ""
        raise UsageError(
            f"the thresholds {path} are for {', '.join(file.sources)}, and the tracks of this run are by "
            f"{name}{other}; make thresholds for that tracker with 'screentest validate "
            "--probes --calibrate'"
        )
