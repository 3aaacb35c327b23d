"""Measures of a run by a detector of generated video: how many clips it flags, as stored and after delivery.

They can be read both ways. To those who must mark what they generate, a detector that finds their clips is
wanted; to those who ask how real clips look, it is a fault that it finds. So neither end is the better one.
The encoder ``detector`` says which detector is meant (`encoder`). Of a clip of another kind than the detector
was calibrated on, as it is stored or after a delivery, it says nothing: the measures are not applicable then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from ...metrics.base import NotApplicable, Sample, Scored, measure
from ...metrics.quality.blank import BLANK, refuse_blank
from .delivery import TRANSCODES
from .encoder import DETECTOR, FILE_FACTS
from .extractors import metadata_numbers
from .head import LinearHead
from .preparation import FileFacts

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = [
    "DELIVERED",
    "FLAGGED",
    "METADATA",
    "UNLIKE",
    "detector_score",
    "flagged",
    "metadata_flagged",
    "unlike",
]

FLAGGED, UNLIKE, METADATA = "detection.flagged", "detection.unlike", "detection.metadata_flagged"
DELIVERED = {name: f"detection.flagged_after_{name}" for name in TRANSCODES}
"""Delivery -> the measure of clips that are flagged after it."""

_OF_ANOTHER_KIND: Final = (
    "the clip is of another kind than those that the detector was calibrated on; detection.unlike says why"
)
_rate = partial(measure, version=2, needs=(DETECTOR, BLANK), better="neither", bounds=(0.0, 1.0), kind="rate")


@_rate(FLAGGED)
def flagged(sample: Sample) -> Scored:
    """Share of clips that the detector flags as generated, at its fixed threshold.

    Raises:
        NotApplicable: the clip is blank, shorter than the detector reads, of a lower rate, or of another kind
            than those that the detector was calibrated on.
    """
    found = _covered(_found(sample)["stored"])
    return Scored(float(found["flagged"]), _evidence(sample, found))


@measure("detection.score", version=2, needs=(DETECTOR, BLANK), better="neither", bounds=(0.0, 1.0))
def detector_score(sample: Sample) -> Scored:
    """Mean score of the detector, higher for generated.

    Raises the errors of `flagged`.
    """
    found = _covered(_found(sample)["stored"])
    return Scored(float(found["score"]), _evidence(sample, found))


def _after(name: str) -> Callable[[Sample], Scored]:
    def flagged_after(sample: Sample) -> Scored:
        found = _covered(_found(sample)["delivered"][name])
        return Scored(float(found["flagged"]), _evidence(sample, found))

    flagged_after.__doc__ = f"Share of clips that the detector flags after the delivery {name}."
    return flagged_after


for _name, _measure in DELIVERED.items():
    _rate(_measure)(_after(_name))


@measure(UNLIKE, version=1, needs=(DETECTOR,), better="lower", bounds=(0.0, 1.0), kind="rate")
def unlike(sample: Sample) -> Scored:
    """Share of clips that are not of the kind the detector was calibrated on, and so are not judged.

    Raises:
        NotApplicable: the clip is shorter than the detector reads, or of a lower rate.
    """
    why = cast("list[Json]", _meta(sample)["stored"]["unlike"])
    return Scored(float(bool(why)), {"why": why})


@measure(
    METADATA,
    version=2,
    needs=(DETECTOR, FILE_FACTS),
    better="neither",
    bounds=(0.0, 1.0),
    kind="rate",
)
def metadata_flagged(sample: Sample) -> Scored:
    """Share of clips flagged by what their files say of themselves alone, without a look at a picture.

    By the detector of metadata that was fit beside the detector. What it finds, the other may have found by
    the same: rate, length, size and codec.

    Raises:
        NotApplicable: the clip is shorter than the detector reads, of a lower rate, or of another kind than
            those that the detector was calibrated on.
    """
    _covered(_meta(sample)["stored"])
    own: Mapping[str, Any] = _meta(sample)["metadata"]
    facts = cast("Mapping[str, Any]", sample.records[FILE_FACTS].meta)
    odds = float(
        LinearHead.model_validate(own["head"]).log_odds(metadata_numbers(FileFacts(**facts))[None])[0]
    )
    evidence: dict[str, Json] = {"log_odds": odds, "threshold": own["threshold"], **facts}
    return Scored(float(odds >= own["threshold"]), evidence)


def _meta(sample: Sample) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", sample.records[DETECTOR].meta)


def _found(sample: Sample) -> Mapping[str, Any]:
    refuse_blank(sample)
    return _meta(sample)


def _covered(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a detector says of a clip.

    Raises:
        NotApplicable: the detector does not cover clips of its kind.
    """
    if found["unlike"]:
        raise NotApplicable(_OF_ANOTHER_KIND)
    return found


def _evidence(sample: Sample, found: Mapping[str, Any]) -> dict[str, Json]:
    card: Mapping[str, Any] = _meta(sample)["card"]
    return {"score": found["score"], "threshold": found["threshold"], **card}
