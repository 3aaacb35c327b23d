"""Validate measures on true clips and their corrupted copies, and write the card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from ...harness.core.errors import MissingWeightsError, UsageError, unknown_name
from ...harness.core.files import write_atomic
from ...harness.core.progress import note
from ..base import MEASURES, Measure
from ..encoders.base import Encoder, EncoderOptions
from ..encoders.cache import FeatureCache
from ..encoders.registry import encoder_of, make_encoder, role_of
from .corruptions import CORRUPTIONS, SET_CORRUPTIONS
from .measure_card import MeasureCard, make_measure_card
from .measure_report import measure_text
from .measure_trials import ClipRow, Tools, clip_rows
from .set_trials import OF_SETS, SET_SIZE, SETS, set_rows
from .true_clips import WORLD, FolderClips, TrueClips, WorldClips

__all__ = ["ALL", "MEASURE_CARD", "MEASURE_TEXT", "ValidationOptions", "validate_measures"]

MEASURE_CARD: Final = "measures.json"
MEASURE_TEXT: Final = "MEASURES.md"
ALL: Final = "all"
"""Every measure that claims to see a corruption, and whose encoders are at hand."""
_ON_CLIPS: Final = tuple(CORRUPTIONS)
_ON_SETS: Final = (*OF_SETS, *SET_CORRUPTIONS)
"""Corruptions that measures of clips, and of sets, are tried on."""
_LIBRARIES: Final = ("numpy", "scipy", "opencv-python-headless", "torch", "av")


@dataclass(frozen=True)
class ValidationOptions:
    """What is validated, and on what.

    Attributes:
        measures: names, or `ALL`.
        real: a folder of true clips; None for clips of a world.
        n: clips of the world, or of the folder at most (None for all of them).
        frames: of each clip of the folder.
        seed: of the clips of the world.
        world, families: which world, and which of its families of scenes; empty for all.
        encoders: role -> source; on the reference world ``reference`` where none is named.
        options: device and dtype.
    """

    measures: Sequence[str] = (ALL,)
    real: Path | None = None
    n: int | None = None
    frames: int = 16
    seed: int = 0
    world: str = WORLD
    families: Sequence[str] = ()
    encoders: Mapping[str, str] = field(default_factory=dict[str, str])
    options: EncoderOptions = field(default_factory=EncoderOptions)


def validate_measures(out: Path, asked: ValidationOptions, cache: FeatureCache) -> MeasureCard:
    """Measure the validity card of measures: ``out``/measures.json and ``out``/MEASURES.md.

    Measures of clips are tried on ``n`` clips (40 of a world). Set measures are tried on 12 sets of 8
    other clips of the reference world against 96 more as reference, and on nothing else: a folder rarely
    holds so many, and another world's families are kinds of their own.

    Raises:
        UsageError: no measure is left, an encoder of a named measure is not named, a measure claims to see
            what nothing tries, or clips are too few.
        MissingWeightsError: weights of a named measure are not on this machine.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the folder {out} cannot be written: {error.strerror}") from None
    measures, encoders = _chosen(asked)
    clips: TrueClips
    if asked.real is None:
        n = 40 if asked.n is None else asked.n
        clips = WorldClips(n, asked.seed, world=asked.world, families=asked.families)
    else:
        clips = FolderClips(asked.real, asked.frames, asked.n)
    of_clips = [m for m in measures if m.kind != "set"]
    of_sets = [m for m in measures if m.kind == "set"]
    rows: list[ClipRow] = []
    if of_clips:
        rows += clip_rows(clips, Tools(of_clips, _of(of_clips, encoders), cache), list(CORRUPTIONS))
    settings: dict[str, Any] = {
        "source": clips.name,
        "clips": clips.identity(),
        "encoders": {name: encoder.digest for name, encoder in sorted(encoders.items())},
        "sources": _sources(asked, encoders),
        "versions": {library: version(library) for library in _LIBRARIES},
    }
    if of_sets and _on_reference(asked):
        found = (
            WorldClips(SETS * SET_SIZE, asked.seed, "sets"),
            WorldClips(SETS * SET_SIZE, asked.seed, "reference"),
        )
        rows += set_rows(*found, Tools(of_sets, _of(of_sets, encoders), cache), OF_SETS)
        settings["sets"] = {"sets": SETS, "size": SET_SIZE, "reference": len(found[1])}
    elif of_sets:
        left_out = ", ".join(m.name for m in of_sets)
        note(f"warning: left out: {left_out}: set measures are validated on the reference world")
    if not rows:
        raise UsageError("nothing is left to validate; name measures of single clips, or leave --real out")
    card = make_measure_card(rows, _by_value(measures), settings)
    write_atomic(out / MEASURE_CARD, card.model_dump_json(indent=1) + "\n")
    write_atomic(out / MEASURE_TEXT, measure_text(card))
    return card


def _chosen(asked: ValidationOptions) -> tuple[list[Measure], dict[str, Encoder]]:
    """Find the measures and make their encoders; of `ALL`, those whose encoders are not at hand are told."""
    MEASURES.load()
    everything = tuple(asked.measures) == (ALL,)
    names = [name for name in MEASURES if MEASURES.get(name).sees] if everything else list(asked.measures)
    measures: list[Measure] = []
    encoders: dict[str, Encoder] = {}
    for name in names:
        measure = MEASURES.get(name)
        if not measure.needs or measure.settings or measure.every_outcome:
            raise UsageError(
                f"{name} does not say what a clip looks like or moves like by itself, so no corruption of "
                "clips tries it; leave it out of --measures"
            )
        _check_claims(measure)
        try:
            made = {need: _encoder(need, name, asked) for need in measure.needs if need not in encoders}
        except (MissingWeightsError, UsageError) as error:
            if not everything:
                raise
            note(f"left out: {name}: {error}")
            continue
        encoders |= made
        measures.append(measure)
    if not measures:
        raise UsageError("no measure is left to validate; name encoders with --encoder ROLE=SOURCE")
    return measures, encoders


def _check_claims(measure: Measure) -> None:
    """Refuse a claim that nothing would try: it would be neither seen nor missed."""
    tried = _ON_SETS if measure.kind == "set" else _ON_CLIPS
    for claimed in measure.sees:
        if claimed not in tried:
            error = unknown_name("corruption", claimed, tried)
            raise UsageError(f"{measure.name} claims to see what nothing tries: {error}")


def _encoder(feature: str, measure: str, asked: ValidationOptions) -> Encoder:
    name = encoder_of(feature)
    role = role_of(name)
    if role is None:
        return make_encoder(name, None, asked.options)
    source = asked.encoders.get(role, "reference" if _on_reference(asked) else None)
    if source is None:
        raise UsageError(f"{measure} needs the encoder {role!r}; name it with --encoder {role}=SOURCE")
    return make_encoder(name, source, asked.options)


def _on_reference(asked: ValidationOptions) -> bool:
    """Say whether the clips are of every family of the world that the encoders ``reference`` are for."""
    return asked.real is None and asked.world == WORLD and not asked.families


def _of(measures: Sequence[Measure], encoders: Mapping[str, Encoder]) -> dict[str, Encoder]:
    return {need: encoders[need] for measure in measures for need in measure.needs}


def _sources(asked: ValidationOptions, encoders: Mapping[str, Encoder]) -> dict[str, str]:
    roles = {role for name in encoders if (role := role_of(encoder_of(name))) is not None}
    return {role: asked.encoders.get(role, "reference") for role in sorted(roles)}


def _by_value(measures: Sequence[Measure]) -> dict[str, Measure]:
    """Name the values: a set measure with several has one each, under ``measure.value``."""
    found: dict[str, Measure] = {}
    for measure in measures:
        if not measure.values:
            found[measure.name] = measure
            continue
        for name, value in measure.values.items():
            found[f"{measure.name}.{name}"] = replace(measure, better=value.better, unit=value.unit)
    return found
