"""Measures of watermarks: detected or not, bits that match, and what survives delivery."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ...metrics.base import NotApplicable, Sample, Scored, measure
from .watermark_encoders import DELIVERED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...harness.core.keys import Json

__all__ = ["SURVIVAL", "bit_accuracy", "detected_rate"]

_rate = partial(measure, version=1, better="higher", bounds=(0.0, 1.0), kind="rate")


@_rate("watermark.detected_rate", needs=("watermark",))
def detected_rate(sample: Sample) -> Scored:
    """Share of clips whose watermark is detected; as many bits match by chance in 1 of 1,000,000 keys."""
    found = sample.records["watermark"].meta
    return Scored(float(bool(found["detected"])), _evidence(found))


@measure("watermark.bit_accuracy", version=1, needs=("watermark",), better="higher", bounds=(0.0, 1.0))
def bit_accuracy(sample: Sample) -> Scored:
    """Share of the payload's bits that are read right, about 1/2 without a mark."""
    found = sample.records["watermark"].meta
    return Scored(float(cast("float", found["accuracy"])), _evidence(found))


def _evidence(found: Mapping[str, Json]) -> dict[str, Json]:
    return {name: found[name] for name in ("matching", "bits", "p")}


def _survival(operation: str, summary: str) -> Callable[[Sample], float | Scored]:
    def survival(sample: Sample) -> Scored:
        found: Mapping[str, Any] = sample.records["watermark.delivered"].meta
        if operation in found["problems"]:
            raise NotApplicable(found["problems"][operation])
        after = found["after"][operation]
        return Scored(float(after["detected"]), _evidence(after))

    survival.__doc__ = (
        f"Share of clips with a detected watermark in which it is still detected after {summary}."
    )
    return _rate(f"watermark.survival.{operation}", needs=("watermark.delivered",))(survival)


_SUMMARIES = {
    "crf18": "transcoding to H.264 at crf 18",
    "transcode": "transcoding to H.264 at crf 23",
    "crf28": "transcoding to H.264 at crf 28",
    "crf34": "transcoding to H.264 at crf 34",
    "resize": "halving the size, at crf 23",
    "crop": "cutting 5 % off each side, at crf 23",
    "trim": "trimming to the first half, without decoding",
}
SURVIVAL = {operation: _survival(operation, _SUMMARIES[operation]) for operation in DELIVERED}
