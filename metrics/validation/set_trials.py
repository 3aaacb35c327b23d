"""Trials of set measures: the values of sets of true clips, and of sets that are corrupted."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from ...harness.core.errors import UsageError, describe
from ...harness.core.items import ClipSettings, Item, make_item
from ...harness.core.keys import seeded_rng
from ...harness.core.progress import track
from ..base import DEFAULT, Measure, NotApplicable, Reference, RunSample
from ..encoders.base import Feature
from .corruptions import CORRUPTIONS, SET_CORRUPTIONS, corrupted
from .measure_trials import CLEAN, ClipRow, Tools, encoded_clip
from .true_clips import TrueClips, with_others

__all__ = ["OF_SETS", "SETS", "SET_SIZE", "set_rows"]

SETS: Final = 12
"""Sets that the true clips are dealt into: what intervals are taken over."""
SET_SIZE: Final = 8
"""Clips of each set."""

OF_SETS: Final = ("blur", "noise", "crf", "shuffle", "freeze", "swap")
"""The corruptions of clips that sets are made of."""

_Rows = dict[str, list[Feature]]
"""Feature -> the rows (T, D) of each clip."""


def set_rows(clips: TrueClips, reference: TrueClips, tools: Tools, names: Sequence[str]) -> list[ClipRow]:
    """Measure sets of true clips against reference clips, as they are and corrupted; a row a set.

    The clips are dealt into `SETS` sets of equal size, in turn. Every value is of one set, without an
    interval of its own.

    Args:
        clips: what the sets are made of.
        reference: other clips.
        tools: set measures, and the encoders that they need.
        names: of the corruptions of clips, such as `OF_SETS`.

    Raises:
        UsageError: a measure compares with another set than the reference, or an encoder does not apply to
            the clips as they are.
    """
    for measure in tools.measures:
        if set(measure.references) - {DEFAULT}:
            raise UsageError(
                f"{measure.name} compares with the reference sets {', '.join(measure.references)}, which "
                "validation does not have; leave it out of --measures"
            )
    needs = sorted({need for measure in tools.measures for need in measure.needs})
    real, _ = _features(reference, tools, needs, (), "reference clips")
    made, kinds = _features(clips, tools, needs, names, "clips of sets")
    rows: list[ClipRow] = []
    for number in range(SETS):
        for key, of_clips in _variants(number, made, kinds, real[CLEAN, 0.0]):
            values: dict[str, float] = {}
            reasons: dict[str, str] = {}
            for measure in tools.measures:
                _measure(measure, of_clips, real[CLEAN, 0.0], values, reasons)
            rows.append(ClipRow(f"set-{number}", *key, values, reasons))
    return rows


def _features(
    clips: TrueClips, tools: Tools, needs: Sequence[str], names: Sequence[str], what: str
) -> tuple[dict[tuple[str, float], _Rows], list[str]]:
    """Encode every clip as it is and corrupted: (corruption, severity) -> rows; and the clips' kinds.

    A grade is left out if an encoder does not apply to one of its clips, such as one that is too short
    without the frames that were dropped.
    """
    found: dict[tuple[str, float], _Rows] = {}
    kinds: list[str] = []
    grades = [(name, severity) for name in names for severity in CORRUPTIONS[name].severities]
    with track(what, len(clips)) as ticker, tempfile.TemporaryDirectory() as folder:
        for clip, other in with_others(clips):
            kinds.append(clip.kind or "")
            for key in ((CLEAN, 0.0), *grades):
                frames = clip.frames if key[0] == CLEAN else corrupted(clip, *key, other)
                if frames is None:
                    continue
                encoded = encoded_clip(frames, clip.fps, Path(folder), tools)
                for need in needs:
                    rows = encoded.matrices.get(need)
                    if rows is not None and len(rows):
                        found.setdefault(key, {}).setdefault(need, []).append(rows)
                    elif key[0] == CLEAN:
                        why = {**encoded.problems, **encoded.not_applicable}.get(need, "it gives no rows")
                        raise UsageError(f"the encoder {need!r} does not apply to a clip: {why}")
            ticker.advance()
    whole = {
        key: of_needs
        for key, of_needs in found.items()
        if len(of_needs) == len(needs) and all(len(rows) == len(kinds) for rows in of_needs.values())
    }
    return whole, kinds


def _variants(
    number: int, made: Mapping[tuple[str, float], _Rows], kinds: Sequence[str], real: _Rows
) -> Iterator[tuple[tuple[str, float], _Rows]]:
    """Make a set as it is, of corrupted clips, and changed as a set."""
    clean = made[CLEAN, 0.0]
    members = np.arange(number, len(kinds), SETS).tolist()
    for key, of_needs in made.items():
        yield key, {need: [rows[k] for k in members] for need, rows in of_needs.items()}
    for name, kind in SET_CORRUPTIONS.items():
        for severity in kind.severities:
            rng = seeded_rng("set corruption", number, name, severity)
            if name == "memorised":
                copied = set(rng.permutation(len(members))[: round(severity * len(members))].tolist())
                yield (
                    (name, severity),
                    {
                        need: [real[need][i] if i in copied else rows[k] for i, k in enumerate(members)]
                        for need, rows in clean.items()
                    },
                )
                continue
            chosen = _chosen(name, severity, members, kinds, rng)
            if chosen is not None:
                yield (name, severity), {need: [rows[k] for k in chosen] for need, rows in clean.items()}


def _chosen(
    name: str, severity: float, members: list[int], kinds: Sequence[str], rng: np.random.Generator
) -> list[int] | None:
    """Choose the clips of a corrupted set; None if the kinds of the clips are not known."""
    if name == "modes":
        every = sorted(Counter(kinds))
        if len(every) < 4:
            return None
        kept = set(rng.permutation(every)[: max(1, round((1 - severity) * len(every)))].tolist())
        pool = [k for k, kind in enumerate(kinds) if kind in kept]
        return rng.permutation(pool)[: len(members)].tolist()
    fewer = rng.permutation(members)[: max(2, round((1 - severity) * len(members)))]
    return fewer.tolist() if name == "few" else np.resize(fewer, len(members)).tolist()


def _measure(
    measure: Measure, made: _Rows, real: _Rows, values: dict[str, float], reasons: dict[str, str]
) -> None:
    """Take a measure of one set; every value is named after it, or after the measure and the value."""
    features = {need: _stacked(made[need], measure.rows) for need in measure.needs}
    of_real = {need: _stacked(real[need], measure.rows) for need in measure.needs}
    clips = {need: [str(k) for k in range(len(rows))] for need, rows in of_real.items()}
    reference = Reference(DEFAULT, of_real, clips, len(next(iter(real.values()))))
    first = made[measure.needs[0]]
    items = [
        _item(k) for k, rows in enumerate(first) for _ in range(len(rows) if measure.rows == "frame" else 1)
    ]
    try:
        assert measure.set_function is not None  # measures of clips are tried on clips
        found = measure.set_function(RunSample(items, features, {DEFAULT: reference}))
    except NotApplicable as why:
        found = str(why)
    except Exception as error:  # a user's own measure must not end the validation
        found = f"failed: {describe(error)}"
    if isinstance(found, str):
        named = [f"{measure.name}.{name}" for name in measure.values] or [measure.name]
        reasons.update(dict.fromkeys(named, found))
        return
    several = isinstance(found, Mapping)
    for name, one in found.items() if several else [("", found)]:
        whole = f"{measure.name}.{name}" if several else measure.name
        if one.value is not None and np.isfinite(one.value):
            values[whole] = one.value
        else:
            reasons[whole] = "; ".join((*one.reasons, *one.notes)) or "no value"


def _stacked(rows: Sequence[Feature], of: str) -> Feature:
    """Stack the rows of clips: all of them, or the mean of each clip's."""
    return np.concatenate(rows if of == "frame" else [part.mean(axis=0, keepdims=True) for part in rows])


def _item(number: int) -> Item:
    """Make an item of one prompt for all, so that no jackknife over prompts is taken within a set."""
    return make_item("validation", number, ClipSettings())
