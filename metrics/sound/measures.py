"""Measures of sound. A clip without sound is not applicable, unless its prompt says what should be heard."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ..base import NotApplicable, Sample, Scored, measure
from ..encoders.base import Record
from ..expectation import NO_SOUND, read_expectation
from ..stretches import longest_stretch, stretches
from .encoder import SOUND, STEP
from .synchrony import FEWEST, Synchrony, synchrony

__all__ = [
    "clipping",
    "cuts",
    "length_error",
    "loudness",
    "offset",
    "present",
    "silence",
    "synchrony_of",
    "uninvited",
]

SILENT: Final = -60.0
"""Level in dB of full scale under which a block of 10 ms is silent."""
_GONE: Final = -80.0
_HEARD: Final = -45.0
"""Levels within and around a gap that is cut into the sound."""
_ALPHA: Final = 0.05


def asked(sample: Sample) -> str | None:
    """Say what the prompt says should be heard: a text, ``any``, ``none``, or None if it does not say."""
    try:
        return read_expectation(sample.item.expect).sound
    except NotApplicable:
        return None


def _record(sample: Sample) -> Record:
    """Return the sound of a clip that has one.

    Raises:
        NotApplicable: it has none.
    """
    record = sample.records[SOUND]
    if not record.meta["present"]:
        raise NotApplicable("the clip has no sound")
    return record


def _audible(record: Record) -> bool:
    return bool(record.meta["present"]) and bool((record.arrays["level"] > SILENT).any())


def _heard(sample: Sample) -> Record:
    """Return the sound of a clip in which something can be heard.

    Raises:
        NotApplicable: nothing can.
    """
    record = _record(sample)
    if not _audible(record):
        raise NotApplicable("the clip's sound is silent")
    return record


@measure("sound.present", version=1, needs=(SOUND,), better="higher", bounds=(0.0, 1.0), kind="rate")
def present(sample: Sample) -> Scored:
    """Share of clips in which something can be heard, of those that have sound or whose prompts ask for it.

    Something is heard if a block of 10 ms is above -60 dB of full scale.

    Raises:
        NotApplicable: nothing is heard and the prompt does not ask for sound, or the prompt asks for none.
    """
    wanted = asked(sample)
    if wanted == NO_SOUND:
        raise NotApplicable("the prompt asks for no sound")
    record = sample.records[SOUND]
    heard = _audible(record)
    if not heard and wanted is None:
        why = "is silent" if record.meta["present"] else "has no sound"
        raise NotApplicable(f"the clip {why}, and the prompt does not ask for sound")
    evidence: dict[str, Any] = {"stream": bool(record.meta["present"])}
    if record.meta["present"]:
        evidence["loudest_dbfs"] = float(record.arrays["level"].max())
    return Scored(float(heard), evidence)


@measure("sound.uninvited", version=1, needs=(SOUND,), better="lower", bounds=(0.0, 1.0), kind="rate")
def uninvited(sample: Sample) -> float:
    """Share of clips in which something can be heard though the prompt asks for no sound.

    Raises:
        NotApplicable: the prompt does not ask for silence (``expect: {sound: none}``).
    """
    if asked(sample) != NO_SOUND:
        raise NotApplicable("the prompt does not ask for silence")
    return float(_audible(sample.records[SOUND]))


@measure("sound.silence", version=1, needs=(SOUND,), better="neither", bounds=(0.0, 1.0))
def silence(sample: Sample) -> Scored:
    """Share of the sound that is silent: blocks of 10 ms under -60 dB of full scale.

    Raises:
        NotApplicable: the clip has no sound.
    """
    level_B = _record(sample).arrays["level"]
    quiet = level_B < SILENT
    return Scored(float(quiet.mean()), {"longest_seconds": longest_stretch(quiet) * STEP})


@measure("sound.loudness", version=1, needs=(SOUND,), better="neither", bounds=(-70.0, None), unit="LUFS")
def loudness(sample: Sample) -> float:
    """Integrated loudness of the sound in LUFS, by ITU-R BS.1770-4 (EBU R 128 aims at -23).

    Raises:
        NotApplicable: nothing is heard, or less than 0.4 s is above the gate.
    """
    lufs = _heard(sample).meta["lufs"]
    if not isinstance(lufs, float):
        raise NotApplicable("the sound is too short or too quiet to have a loudness")
    return lufs


@measure("sound.clipping", version=1, needs=(SOUND,), better="lower", bounds=(0.0, 1.0))
def clipping(sample: Sample) -> float:
    """Share of samples that stay at the ends of the range, where the wave was cut off.

    Raises:
        NotApplicable: nothing is heard.
    """
    return _number(_heard(sample), "clipped")


@measure("sound.length_error", version=1, needs=(SOUND,), better="lower", bounds=(0.0, None), unit="s")
def length_error(sample: Sample) -> Scored:
    """Seconds by which sound and picture do not cover one another, at the beginning and the end together.

    Raises:
        NotApplicable: the clip has no sound, or its length is not known.
    """
    record = _record(sample)
    picture = None if sample.clip is None else sample.clip.duration
    if picture is None:
        raise NotApplicable("it is not known how long the picture is")
    start = _number(record, "start")
    end = start + _number(record, "seconds")
    return Scored(
        abs(start) + abs(end - picture), {"sound_starts": start, "sound_ends": end, "picture_ends": picture}
    )


@measure("sound.cuts", version=1, needs=(SOUND,), better="lower", bounds=(0.0, None), unit="a minute")
def cuts(sample: Sample) -> Scored:
    """Gaps that are cut into the sound, a minute: it is gone within 10 ms, and comes back as quickly.

    A gap has at least two blocks under -80 dB of full scale, and a block above -45 dB within 20 ms before and
    after it. A sound that fades is not cut.

    Raises:
        NotApplicable: nothing is heard.
    """
    record = _heard(sample)
    places = _gaps(np.asarray(record.arrays["level"], np.float64))
    minutes = _number(record, "seconds") / 60
    return Scored(
        len(places) / minutes, {"gaps": len(places), "at_seconds": [place * STEP for place in places[:10]]}
    )


@measure("sound.synchrony", version=1, needs=(SOUND, "pixels"), better="higher", bounds=(-1.0, 1.0))
def synchrony_of(sample: Sample) -> Scored:
    """Correlation of onsets of the sound with motion of the picture, frame by frame.

    Music and speech out of sight go with a picture without following its motion: hold it against clips of one
    kind, or read `p`, the share of shifts of the sound that fit at least as well at some delay.

    Raises:
        NotApplicable: nothing is heard, there are under 17 frames, or the picture or the sound never changes.
    """
    found = _synchrony(sample)
    return Scored(found.together, _evidence(found))


@measure("sound.offset", version=1, needs=(SOUND, "pixels"), better="lower", bounds=(0.0, 0.5), unit="s")
def offset(sample: Sample) -> Scored:
    """Delay between onsets of the sound and motion of the picture, up to half a second either way.

    Raises:
        NotApplicable: as `sound.synchrony`, or sound and motion are not related at any delay (p above 0.05).
    """
    found = _synchrony(sample)
    if found.p > _ALPHA:
        raise NotApplicable(f"sound and motion are not related at any delay (p = {found.p:.2g})")
    return Scored(min(0.5, abs(found.delay)), _evidence(found))


def _synchrony(sample: Sample) -> Synchrony:
    record = _heard(sample)
    assert sample.clip is not None
    found = synchrony(
        record.arrays["onset"],
        _number(record, "start"),
        sample.features["pixels"][:, 0],
        sample.clip.fps,
    )
    if found is None:
        short = len(sample.features["pixels"]) < FEWEST
        raise NotApplicable(
            f"fewer than {FEWEST + 1} frames" if short else "the picture or the sound never changes"
        )
    return found


def _evidence(found: Synchrony) -> dict[str, Any]:
    return {"delay_seconds": found.delay, "correlation": found.at_delay, "p": found.p, "shifts": found.shifts}


def _number(record: Record, name: str) -> float:
    value = record.meta[name]
    assert isinstance(value, int | float)
    return float(value)


def _gaps(level_B: np.ndarray) -> list[int]:
    found: list[int] = []
    for first, end in stretches(level_B < _GONE):
        before, after = level_B[max(0, first - 2) : first], level_B[end : end + 2]
        if end - first >= 2 and (before > _HEARD).any() and (after > _HEARD).any():
            found.append(first)
    return found
