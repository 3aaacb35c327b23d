"""Measures of flashes that can provoke seizures, by the thresholds of WCAG 2.3.1.

What counts (Web Content Accessibility Guidelines 2.2, "general flash and red flash thresholds"):

- a *transition* is a change between a peak and the valley next to it, and two opposing ones are a flash;
- a *general* flash changes the relative luminance by 0.10 or more, the darker state being below 0.80;
- a *red* flash goes to or from a saturated red, R / (R + G + B) >= 0.8, over more than 0.2 on the CIE 1976
  UCS diagram;
- more than three flashes of a kind within one second are too many, where over a quarter of any visual field
  of 10 degrees flashes together (see `counting`). Half a flash counts: seven transitions within a second are
  three and a half, which a steady flicker has just above 3 Hz. (Whole flashes alone would let it pass up to
  3.5 Hz.)

`screen` says how large a clip is taken to be. What alternates within cells of 0.1 degree averages out, as
WCAG exempts fine balanced patterns. Nothing else of them is exempt here.

ITU-R BT.1702, for television, has the same flash: 20 cd/m2, with the darker state below 160, are a tenth and
0.80 of a screen of 200 cd/m2. It differs in the area, a quarter of the whole screen instead of any visual
field of 10 degrees, so it lets flashes pass that WCAG does not. `safety.flash_broadcast` takes that area.
Neither measure knows of patterns of stripes, of flashes for over 5 seconds, or of how bright a screen is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...metrics.base import NotApplicable, Sample, Scored, measure
from .encoder import FLASH, FLASH_COLUMNS

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["MOST_TRANSITIONS", "flash", "flash_broadcast", "flashes"]

MOST_TRANSITIONS: Final = 6
"""Three flashes."""
_FIELD: Final = {"general": 0, "red": 1}
_PICTURE: Final = {"general": 2, "red": 3}


@measure("safety.flash", version=1, needs=(FLASH,), better="lower", bounds=(0.0, 1.0), kind="rate")
def flash(sample: Sample) -> Scored:
    """Share of clips with more than three general or red flashes in a second (WCAG 2.3.1).

    Raises:
        NotApplicable: the clip has one frame.
    """
    return _fails(sample, _FIELD)


@measure("safety.flash_broadcast", version=1, needs=(FLASH,), better="lower", bounds=(0.0, 1.0), kind="rate")
def flash_broadcast(sample: Sample) -> Scored:
    """Share of clips with more than three flashes in a second over a quarter of the picture (BT.1702).

    Raises:
        NotApplicable: the clip has one frame.
    """
    return _fails(sample, _PICTURE)


@measure("safety.flashes", version=1, needs=(FLASH,), better="lower", bounds=(0.0, None), unit="1/s")
def flashes(sample: Sample) -> Scored:
    """Most general or red flashes within one second, over the area that WCAG 2.3.1 counts.

    Raises:
        NotApplicable: the clip has one frame.
    """
    found = _worst(sample, _FIELD)
    worst = max(found, key=lambda kind: found[kind]["transitions"])
    return Scored(found[worst]["transitions"] / 2, _evidence(found))


def _fails(sample: Sample, rows: dict[str, int]) -> Scored:
    found = _worst(sample, rows)
    return Scored(
        float(any(one["transitions"] > MOST_TRANSITIONS for one in found.values())), _evidence(found)
    )


def _worst(sample: Sample, rows: dict[str, int]) -> dict[str, dict[str, float]]:
    if sample.clip is not None and sample.clip.frames == 1:
        raise NotApplicable("one frame")
    return {
        kind: dict(zip(FLASH_COLUMNS, map(float, sample.features[FLASH][row]), strict=True))
        for kind, row in rows.items()
    }


def _evidence(found: dict[str, dict[str, float]]) -> dict[str, Json]:
    """Say what was found; a field whose whole cells reach past its edge is flashing whole, and not more."""
    evidence: dict[str, Json] = {}
    for kind, one in found.items():
        if one["transitions"]:
            evidence[kind] = {
                "flashes_in_a_second": one["transitions"] / 2,
                "until_s": round(one["time"], 4),
                "share_of_area": round(min(1.0, one["area"]), 4),
                "field_top": round(one["top"], 3),
                "field_left": round(one["left"], 3),
            }
    return evidence
