"""Thresholds: how severe a law must seem broken before a clip is said to break it.

They are quantiles of what the probes find in lawful clips, are kept by the source of the tracks, and are
written by ``screentest validate --probes --calibrate``, never by hand: the file carries its own digest, which
is part of every score's key.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import Field, ValidationError

from ...harness.config import Config
from ...harness.errors import UsageError
from ...harness.keys import digest
from ...harness.store import write_atomic
from .findings import LAWS

__all__ = [
    "ALARMS",
    "ANY",
    "Quantile",
    "SourceThresholds",
    "ThresholdFile",
    "calibrated",
    "conformal",
    "packaged_thresholds",
    "read_thresholds",
    "write_thresholds",
]

FILE: Final = Path(__file__).parent / "data" / "thresholds.json"
ALARMS: Final = 0.01
"""Share of lawful clips of any one look that may lie above a threshold."""
ANY: Final = "any"
_LEAST: Final = 0.01
"""No threshold is lower: what is milder is nothing that a viewer could see."""
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
    """Thresholds for the tracks of one source: law (or ``any``) -> quantile, and what they were made from."""

    laws: dict[str, Quantile]
    settings: dict[str, Any]


class ThresholdFile(Config):
    """What the data file holds: ``sources`` is name of a source of tracks -> its thresholds."""

    layout: int = Field(default=_LAYOUT, ge=_LAYOUT, le=_LAYOUT)
    sources: dict[str, SourceThresholds]
    digest: str


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
    rows: Iterable[Mapping[str, Any]], settings: Mapping[str, Any], *, alarms: float = ALARMS
) -> SourceThresholds:
    """Make thresholds from lawful trials: for each law the largest of the quantiles of every look.

    The threshold of ``any`` is for the largest ratio of a severity to its law's threshold, so that holding a
    clip against twelve laws at once raises no more false alarms than holding it against one.

    Args:
        rows: what `trials.run` gave.
        settings: what made them, for the record.
        alarms: share of lawful clips of a look that may lie above a threshold.

    Raises:
        UsageError: too few clips; the sentence says for which law and look.
    """
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    clips: dict[str, list[dict[str, float]]] = defaultdict(list)
    for row in rows:
        severities = {law: s for law, s in row["found"].items() if not isinstance(s, str)}
        for law, severity in severities.items():
            found[law][row["look"]].append(severity)
        if severities:
            clips[row["look"]].append(severities)
    laws = {law: _largest(law, found[law], alarms) for law in sorted(LAWS)}
    together = {
        look: [max(s / laws[law].threshold for law, s in severities.items()) for severities in part]
        for look, part in clips.items()
    }
    laws[ANY] = _largest(ANY, together, alarms)
    return SourceThresholds(laws=laws, settings=dict(settings))


def _largest(law: str, by_look: Mapping[str, Sequence[float]], alarms: float) -> Quantile:
    quantiles: dict[str, float] = {}
    if not by_look:
        raise UsageError(f"{law}: it applies to none of the lawful clips")
    for look, severities in sorted(by_look.items()):
        try:
            quantiles[look] = conformal(severities, alarms)
        except UsageError as error:
            raise UsageError(f"{law}, look {look}: {error}") from None
    look = max(quantiles, key=lambda name: quantiles[name])
    threshold = max(_LEAST, quantiles[look])
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
    whole = ThresholdFile(sources=sources, digest=_digest(sources))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(whole.model_dump(), indent=1) + "\n")
    return whole


def _digest(sources: Mapping[str, SourceThresholds]) -> str:
    return digest("probe thresholds", {name: part.model_dump() for name, part in sources.items()})


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
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path} holds no thresholds: {where}: {first['msg']}") from None
    if read.digest != _digest(read.sources):
        raise UsageError(
            f"{path} was changed after it was written; "
            "make it again with 'screentest validate --probes --calibrate'"
        )
    return read


@cache
def packaged_thresholds() -> ThresholdFile:
    """Read the thresholds that come with the package."""
    return read_thresholds(FILE)
