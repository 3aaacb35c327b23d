"""Rates of refused and failed items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...harness.core.counts import counted
from ..base import NotApplicable, Sample, Scored, measure

if TYPE_CHECKING:
    from ...harness.core.clip_info import ClipInfo
    from ...harness.core.items import Item

__all__ = ["failure_rate", "format_differences", "other_format", "refusal_rate"]

_RATE_TOLERANCE = 0.01


@measure("refusal.rate", version=1, better="neither", bounds=(0.0, 1.0), kind="rate", every_outcome=True)
def refusal_rate(sample: Sample) -> float:
    """Share of items that were refused; failed items are left out.

    Raises:
        NotApplicable: generation failed.
    """
    if sample.outcome == "failed":
        raise NotApplicable("generation failed, so it is unknown whether it would have been refused")
    return float(sample.outcome == "refused")


@measure("failure.rate", version=1, better="lower", bounds=(0.0, 1.0), kind="rate", every_outcome=True)
def failure_rate(sample: Sample) -> float:
    """Share of all items for which generation failed."""
    return float(sample.outcome == "failed")


@measure("failure.format", version=1, better="lower", bounds=(0.0, 1.0), kind="rate")
def other_format(sample: Sample) -> Scored:
    """Share of clips whose size, length or frame rate is not what the suite asked for.

    Raises:
        NotApplicable: the clip is a file that the suite did not ask for, so it asked for no format.
    """
    if sample.item.source is not None or sample.clip is None:
        raise NotApplicable("the suite takes its items from a folder of videos, and asks for no format")
    differs = format_differences(sample.item, sample.clip)
    return Scored(float(bool(differs)), {"differs": differs} if differs else {})


def format_differences(item: Item, info: ClipInfo) -> list[str]:
    """List what of a clip is not as asked for, such as ``17 frames for 16``; rates may differ by 1 %."""
    asked = item.clip
    found: list[str] = []
    if (info.width, info.height) != (asked.width, asked.height):
        found.append(f"{info.width}x{info.height} for {asked.width}x{asked.height}")
    if info.frames != asked.frames:
        found.append(f"{counted(info.frames or 0, 'frame')} for {asked.frames}")
    if abs(info.fps - asked.fps) > _RATE_TOLERANCE * asked.fps:
        found.append(f"{info.fps:.4g} frames a second for {asked.fps:.4g}")
    return found
