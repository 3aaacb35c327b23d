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
SET_SIZE: Final = 16
"""Clips of each set."""

OF_SETS: Final = ("blur", "noise", "crf", "flicker", "shuffle", "freeze", "drop", "repeat", "warp", "swap")
"""The corruptions of clips that sets are made of."""

_Rows = dict[str, list[Feature]]
"""Feature -> a row (1, D) a clip."""


def set_rows(clips: TrueClips, reference: TrueClips, tools: Tools, names: Sequence[str]) -> list[ClipRow]:
    """Measure sets of true clips against reference clips, as they are and corrupted; a row a set.

    The clips are dealt into `SETS` sets of equal size, in turn. Every value is of one set, without an
    interval of its own.

    Raises:
        UsageError: a measure compares with another set than the reference, or reads what is no row a clip.
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
    of_reference = Reference(
        DEFAULT,
        {need: np.concatenate(rows) for need, rows in real[CLEAN, 0.0].items()},
        {need: [str(k) for k in range(len(rows))] for need, rows in real[CLEAN, 0.0].items()},
        len(reference),
    )
    stacked = {
        key: {need: np.concatenate(rows) for need, rows in of_needs.items()} for key, of_needs in made.items()
    }
    rows: list[ClipRow] = []
    for number in range(SETS):
        for key, of_needs in _variants(number, stacked, kinds, of_reference):
            values, reasons = _measured(tools.measures, of_needs, of_reference)
            rows.append(ClipRow(f"set-{number}", *key, values, reasons))
    return rows


def _features(
    clips: TrueClips, tools: Tools, needs: Sequence[str], names: Sequence[str], what: str
) -> tuple[dict[tuple[str, float], _Rows], list[str]]:
    """Encode every clip as it is and corrupted: (corruption, severity) -> rows; and the clips' kinds."""
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
                    row = encoded.matrices.get(need)
                    if key[0] != CLEAN and (row is None or len(row) != 1):
                        continue  # such as a clip that is too short without the dropped frames
                    if row is None or len(row) != 1:
                        raise UsageError(
                            f"a clip of {len(frames)} frames has no single row of the feature {need!r}; "
                            "validate the measures that read it on longer clips"
                        )
                    found.setdefault(key, {}).setdefault(need, []).append(row)
            ticker.advance()
    return found, kinds


def _variants(
    number: int,
    stacked: Mapping[tuple[str, float], Mapping[str, Feature]],
    kinds: Sequence[str],
    reference: Reference,
) -> Iterator[tuple[tuple[str, float], Mapping[str, Feature]]]:
    """Make a set as it is, of corrupted clips, and changed as a set."""
    count, clean = len(kinds), stacked[CLEAN, 0.0]
    members = np.arange(number, count, SETS)
    for key, of_needs in stacked.items():
        if len(of_needs) == len(clean) and all(len(rows) == count for rows in of_needs.values()):
            yield key, {need: rows[members] for need, rows in of_needs.items()}
    for name, kind in SET_CORRUPTIONS.items():
        for severity in kind.severities:
            rng = seeded_rng("set corruption", number, name, severity)
            if name == "memorised":
                copies = rng.permutation(len(members))[: round(severity * len(members))]
                made = {need: rows[members].copy() for need, rows in clean.items()}
                for need, rows in made.items():
                    rows[copies] = np.asarray(reference.features[need])[copies]
                yield (name, severity), made
                continue
            chosen = _chosen(name, severity, members, kinds, rng)
            if chosen is not None:
                yield (name, severity), {need: rows[chosen] for need, rows in clean.items()}


def _chosen(
    name: str, severity: float, members: np.ndarray, kinds: Sequence[str], rng: np.random.Generator
) -> np.ndarray | None:
    """Choose the clips of a corrupted set; None if the kinds of the clips are not known."""
    if name == "modes":
        every = sorted(Counter(kinds))
        if len(every) < 4:
            return None
        kept = set(rng.permutation(every)[: max(1, round((1 - severity) * len(every)))].tolist())
        pool = np.array([k for k, kind in enumerate(kinds) if kind in kept])
        return rng.permutation(pool)[: len(members)]
    fewer = rng.permutation(members)[: max(2, round((1 - severity) * len(members)))]
    return fewer if name == "few" else np.resize(fewer, len(members))


def _measured(
    measures: Sequence[Measure], features: Mapping[str, Feature], reference: Reference
) -> tuple[dict[str, float], dict[str, str]]:
    values: dict[str, float] = {}
    reasons: dict[str, str] = {}
    for measure in measures:
        rows = {need: features[need] for need in measure.needs}
        sample = RunSample(_items(len(next(iter(rows.values())))), rows, {DEFAULT: reference})
        try:
            assert measure.set_function is not None  # measures of clips are tried on clips
            found = measure.set_function(sample)
        except NotApplicable as why:
            reasons[measure.name] = str(why)
            continue
        except Exception as error:  # a user's own measure must not end the validation
            reasons[measure.name] = f"failed: {describe(error)}"
            continue
        named = (
            {f"{measure.name}.{name}": one for name, one in found.items()}
            if isinstance(found, Mapping)
            else {measure.name: found}
        )
        for name, one in named.items():
            if one.value is not None and np.isfinite(one.value):
                values[name] = one.value
            else:
                reasons[name] = "; ".join((*one.reasons, *one.notes)) or "no value"
    return values, reasons


def _items(count: int) -> list[Item]:
    """Make items of one prompt, so that no jackknife over prompts is taken within a set."""
    return [make_item("validation", seed, ClipSettings()) for seed in range(count)]
