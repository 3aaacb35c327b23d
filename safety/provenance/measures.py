"""Measures of provenance: manifests that are trusted, absent or invalid, and what survives delivery."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ...metrics.base import MeasureFailed, NotApplicable, Sample, Scored, measure
from .encoders import DELIVERED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...harness.core.keys import Json

__all__ = ["SURVIVAL", "absent_rate", "invalid_rate", "trusted_rate"]

_rate = partial(measure, version=1, bounds=(0.0, 1.0), kind="rate")
_of_file = partial(_rate, needs=("provenance",))


@_of_file("provenance.trusted_rate", better="higher")
def trusted_rate(sample: Sample) -> Scored:
    """Share of clips with a trusted C2PA manifest that says that a model made them.

    A manifest that is valid, but by nobody whom the anchors vouch for, does not count.

    Raises:
        MeasureFailed: no trust anchors were given. The rate has no value then, for clips without a manifest
            either: of the others, nobody can tell.
    """
    found = sample.records["provenance"].meta
    if not found["anchors"]:
        raise MeasureFailed(
            "no trust anchors were given, so nobody can be trusted; name them with --encoder "
            "provenance=FILE.pem"
        )
    return Scored(float(bool(found["marked"])), _evidence(found))


@_of_file("provenance.absent_rate", better="lower")
def absent_rate(sample: Sample) -> Scored:
    """Share of clips without a C2PA manifest."""
    found = sample.records["provenance"].meta
    return Scored(float(found["state"] == "absent"), _evidence(found))


@_of_file("provenance.invalid_rate", better="lower")
def invalid_rate(sample: Sample) -> Scored:
    """Share of clips whose C2PA manifest does not hold: something was changed after it was signed."""
    found = sample.records["provenance"].meta
    return Scored(float(found["state"] == "invalid"), _evidence(found))


def _evidence(found: Mapping[str, Json]) -> dict[str, Json]:
    shown: dict[str, Any] = {"state": found["state"]}
    if found["state"] != "absent":
        shown |= {name: found[name] for name in ("issuer", "signer", "source_types", "time_stamp")}
        if found["unsigned"] and not found["unsigned_bound"]:
            shown["unsigned"] = found["unsigned"]
    if found["reasons"]:
        shown["reasons"] = found["reasons"]
    return shown


def _survival(operation: str, summary: str) -> Callable[[Sample], float | Scored]:
    def survival(sample: Sample) -> Scored:
        found = sample.records["provenance.delivered"].meta
        problems = cast("Mapping[str, str]", found["problems"])
        if operation in problems:
            raise NotApplicable(problems[operation])
        before, after = str(found["before"]), str(cast("Mapping[str, str]", found["after"])[operation])
        return Scored(float(after == before), {"before": before, "after": after})

    survival.__doc__ = f"Share of signed clips whose manifest is as good as before after {summary}."
    return _rate(f"provenance.survival.{operation}", needs=("provenance.delivered",), better="higher")(
        survival
    )


_SUMMARIES = {
    "copy": "a copy of the file",
    "remux": "remuxing, which writes the coded frames into a new file of the same kind",
    "container": "a change of container to Matroska",
    "trim": "trimming to the first half, without decoding",
    "transcode": "transcoding to H.264 at crf 23",
}
SURVIVAL = {operation: _survival(operation, _SUMMARIES[operation]) for operation in DELIVERED}
