"""The bench: calibrate thresholds of laws, and measure the validity cards of laws and of skills."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import UsageError
from ...harness.core.files import write_atomic
from ..encoders.registry import make_encoder
from ..instructions.limits import DIGEST
from ..laws.evaluation import LAWS
from ..laws.thresholds import (
    ALARMS,
    ThresholdFile,
    blunt_laws,
    calibrated,
    packaged_thresholds,
    read_thresholds,
    thresholds_digest,
    write_thresholds,
)
from ..tracking.encoder import TracksEncoder
from ..tracking.shape_tracker import WorldSource
from ..tracking.tracks import source_name
from .footage import footage_thresholds
from .goal_card import GoalCard, goal_rows, goal_settings, goal_text, goal_trials, run_goal_trial
from .hallucination_card import (
    HallucinationCard,
    fault_rows,
    fault_trials,
    hallucination_text,
    run_fault_trial,
)
from .law_card import MEDIUM, LawCard, card_trials, make_card
from .law_card_text import write_text
from .law_trials import WORLD, Trial, broken_trials, lawful_trials, run
from .looks import LOOKS, PLAIN
from .skill_card import run_skill_trial, skill_rows, skill_trials
from .skill_report import SkillsCard, skills_text
from .sound_card import SoundCard, measured_versions, run_sound_trial, sound_rows, sound_text, sound_trials
from .sound_scenes import SECONDS
from .trial_log import run_trials

if TYPE_CHECKING:
    from ..tracking.tracks import TrackSource

__all__ = [
    "CARD",
    "CARD_TEXT",
    "GOAL_CARD",
    "GOAL_TEXT",
    "HALLUCINATION_CARD",
    "HALLUCINATION_TEXT",
    "SKILLS_CARD",
    "SKILLS_TEXT",
    "SOUND_CARD",
    "SOUND_TEXT",
    "THRESHOLDS",
    "Autoencoder",
    "calibrate",
    "calibrate_on_footage",
    "validate_goals",
    "validate_hallucination",
    "validate_laws",
    "validate_skills",
    "validate_sound",
]

THRESHOLDS: Final = "thresholds.json"
CARD: Final = "card.json"
CARD_TEXT: Final = "CARD.md"
SKILLS_CARD: Final = "skills.json"
SKILLS_TEXT: Final = "SKILLS.md"
HALLUCINATION_CARD: Final = "hallucination.json"
HALLUCINATION_TEXT: Final = "HALLUCINATION.md"
SOUND_CARD: Final = "sound.json"
SOUND_TEXT: Final = "SOUND.md"
GOAL_CARD: Final = "goals.json"
GOAL_TEXT: Final = "GOALS.md"
_RARE: Final = 9
_ROWS: Final = "{}-trials.jsonl"
_LIBRARIES: Final = ("numpy", "scipy", "opencv-python-headless", "pymunk", "av")


class Autoencoder(Protocol):
    """A function of clips, uint8 RGB (T, H, W, 3), and the sha256 of its weights."""

    @property
    def digest(self) -> str:
        """The sha256 of the weights."""
        ...

    def __call__(self, frames_THWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Code and decode one clip."""
        ...


def calibrate(
    out: Path,
    *,
    source: str = "world",
    n: int = 120,
    seed: int = 0,
    world: str = WORLD,
    alarms: float = ALARMS,
    any_alarms: float | None = None,
) -> ThresholdFile:
    """Make the thresholds of a source of tracks from lawful clips, and write them to ``out``/thresholds.json.

    A law that finds less than half of the violations of a medium severity at its threshold gets none.

    Args:
        out: folder; thresholds of other sources that are there stay, and an interrupted session goes on.
        source: as of the encoder ``tracks``.
        n: scenes of each of the world's families, each in every look.
        seed: of the scenes.
        world: whose scenes; another than the reference world has its own looks, and nine times as many scenes
            of a law that one or two families show.
        alarms: share of lawful clips of a look that may lie above the threshold of a law.
        any_alarms: likewise, above that of ``any`` law; by default the same.

    Raises:
        UsageError: n is too small for the quantile, or ``out`` cannot be written.
    """
    tracker = _source(source)
    looks = LOOKS if world == WORLD else (PLAIN,)
    rare = 1 if world == WORLD else _RARE
    planned = [
        trial
        for look in looks
        for trial in lawful_trials("thresholds", seed, n, look=look, world=world, rare=rare)
    ]
    settings: dict[str, Any] = {"stage": "thresholds", "seed": seed, "n": n, "looks": list(looks)}
    if world != WORLD:
        settings["world"] = world
    log = {**settings, "source": dict(tracker.identity())}
    rows = run_trials(planned, lambda trial: run(trial, tracker), out / _ROWS.format("thresholds"), log)
    recorded = {**settings, "alarms": alarms, "source": dict(tracker.identity()), "versions": _versions()}
    if any_alarms is not None:
        recorded["any_alarms"] = any_alarms
    template = Trial("thresholds", seed, "", 0, severity=MEDIUM, world=world)
    broken = [trial for law in LAWS for trial in broken_trials(template, law, max(10, n // 6))]
    tried = run_trials(broken, lambda trial: run(trial, tracker), out / _ROWS.format("violations"), log)
    blunt = blunt_laws(calibrated(rows, recorded, alarms=alarms), tried)
    made = calibrated(rows, recorded, alarms=alarms, any_alarms=any_alarms, blunt=blunt)
    return write_thresholds(out / THRESHOLDS, source_name(tracker), made)


def calibrate_on_footage(out: Path, folder: Path, *, source: str, alarms: float = ALARMS) -> ThresholdFile:
    """Make the thresholds of a source of tracks from lawful footage, and write ``out``/thresholds.json.

    Args:
        out: folder; thresholds of other sources that are there stay.
        folder: lawful clips with a manifest.jsonl; see `footage.footage_thresholds`.
        source: as of the encoder ``tracks``.
        alarms: share of further such clips that may lie above a threshold.

    Raises:
        UsageError: the footage cannot be read, or is too little for the rate.
    """
    tracker = _source(source)
    made = footage_thresholds(folder, tracker, alarms)
    return write_thresholds(out / THRESHOLDS, source_name(tracker), made)


def validate_laws(
    out: Path,
    reconstruct: Autoencoder,
    *,
    source: str = "world",
    n: int = 40,
    seed: int = 0,
    thresholds: Path | None = None,
    world: str = WORLD,
) -> LawCard:
    """Measure the validity card of the laws of a source of tracks: ``out``/card.json, ``out``/CARD.md.

    Args:
        out: folder; an interrupted session goes on.
        reconstruct: the autoencoder that leaves the look ``reconstructed``.
        source: as of the encoder ``tracks``.
        n: violations of each law at each severity; half as many under other conditions.
        seed: of the scenes.
        thresholds: a file that `calibrate` wrote; by default the packaged one.
        world: whose scenes.

    Raises:
        UsageError: there are no thresholds for the source, or ``out`` cannot be written.
    """
    tracker = _source(source)
    file = packaged_thresholds() if thresholds is None else read_thresholds(thresholds)
    found = file.of_source(tracker.identity())
    if found is None:
        raise UsageError(
            f"there are no thresholds for the source {source_name(tracker)!r} as it is now; make them with "
            "'screentest validate --probes --calibrate', and name the file with --thresholds"
        )
    name, limits = found
    settings: dict[str, Any] = {"stage": "card", "seed": seed, "n": n}
    if world != WORLD:
        settings["world"] = world
    log = {**settings, "source": dict(tracker.identity()), "autoencoder": reconstruct.digest}
    planned = card_trials(seed, n, world)
    rows = run_trials(
        planned, lambda trial: run(trial, tracker, reconstruct), out / _ROWS.format("card"), log
    )
    recorded = {
        **settings,
        "source": dict(tracker.identity()),
        "thresholds": {"digest": thresholds_digest({name: limits}), "made_by": limits.settings},
        "versions": _versions(),
        "autoencoder": reconstruct.digest,
    }
    card = make_card(rows, limits, recorded, world)
    write_atomic(out / CARD, card.model_dump_json(indent=1) + "\n")
    write_atomic(out / CARD_TEXT, write_text(card, limits))
    return card


def _limit_settings(n: int, seed: int) -> dict[str, Any]:
    """List the settings of a card that rests on the limits of the world's tracker."""
    return {"n": n, "seed": seed, "source": dict(WorldSource().identity()), "limits": DIGEST}


def validate_skills(out: Path, reconstruct: Autoencoder, *, n: int = 40, seed: int = 0) -> SkillsCard:
    """Measure the validity card of the skills; write ``out``/skills.json and ``out``/SKILLS.md.

    Args:
        out: folder; a bench that was interrupted resumes.
        reconstruct: the autoencoder that leaves the look ``reconstructed``.
        n: clips a skill and group of looks.
        seed: of the clips.

    Raises:
        UsageError: ``out`` cannot be written.
    """
    settings = _limit_settings(n, seed)
    rows = run_trials(
        skill_trials(n, seed),
        lambda trial: run_skill_trial(trial, reconstruct),
        out / _ROWS.format("skills"),
        {**settings, "stage": "skills", "autoencoder": reconstruct.digest},
    )
    card = SkillsCard(settings=settings, rows=tuple(skill_rows(rows)))
    write_atomic(out / SKILLS_CARD, card.model_dump_json(indent=1) + "\n")
    write_atomic(out / SKILLS_TEXT, skills_text(card))
    return card


def validate_hallucination(
    out: Path, reconstruct: Autoencoder, *, n: int = 40, seed: int = 0
) -> HallucinationCard:
    """Measure the validity card of hallucination; write ``out``/hallucination.json and HALLUCINATION.md.

    Args:
        out: folder; a bench that was interrupted resumes.
        reconstruct: the autoencoder that leaves the look ``reconstructed``.
        n: clips a planted fault and group of looks.
        seed: of the clips.

    Raises:
        UsageError: ``out`` cannot be written.
    """
    settings = _limit_settings(n, seed)
    rows = run_trials(
        fault_trials(n, seed),
        lambda trial: run_fault_trial(trial, reconstruct),
        out / _ROWS.format("hallucination"),
        {**settings, "stage": "hallucination", "autoencoder": reconstruct.digest},
    )
    card = HallucinationCard(settings=settings, rows=tuple(fault_rows(rows)))
    write_atomic(out / HALLUCINATION_CARD, card.model_dump_json(indent=1) + "\n")
    write_atomic(out / HALLUCINATION_TEXT, hallucination_text(card))
    return card


def validate_goals(out: Path, *, n: int = 6, seed: int = 0) -> GoalCard:
    """Measure the validity card of the measures of puzzles; write ``out``/goals.json and ``out``/GOALS.md.

    Args:
        out: folder; a bench that was interrupted resumes.
        n: scenes a puzzle and look, each solved and with each failure.
        seed: of the scenes.

    Raises:
        UsageError: ``out`` cannot be written, or the world ``stage`` cannot draw here.
    """
    settings = goal_settings(n, seed)
    rows = run_trials(goal_trials(n, seed), run_goal_trial, out / _ROWS.format("goals"), settings)
    card = GoalCard(settings=settings, clips=len(rows), rows=tuple(goal_rows(rows)))
    write_atomic(out / GOAL_CARD, card.model_dump_json(indent=1) + "\n")
    write_atomic(out / GOAL_TEXT, goal_text(card))
    return card


def validate_sound(out: Path, *, n: int = 24, seed: int = 0) -> SoundCard:
    """Measure the validity card of sound; write ``out``/sound.json and SOUND.md.

    Args:
        out: folder; a bench that was interrupted resumes.
        n: scenes.
        seed: of the scenes.

    Raises:
        UsageError: ``out`` cannot be written.
    """
    settings: dict[str, Any] = {"n": n, "seed": seed, "seconds": SECONDS, "versions": _versions()}
    settings["measures"] = measured_versions()
    rows = run_trials(
        sound_trials(n, seed), run_sound_trial, out / _ROWS.format("sound"), {**settings, "stage": "sound"}
    )
    card = SoundCard(settings=settings, rows=tuple(sound_rows(rows)))
    write_atomic(out / SOUND_CARD, card.model_dump_json(indent=1) + "\n")
    write_atomic(out / SOUND_TEXT, sound_text(card))
    return card


def _source(name: str) -> TrackSource:
    encoder = make_encoder("tracks", name)
    assert isinstance(encoder, TracksEncoder)
    return encoder.source


def _versions() -> dict[str, str]:
    return {library: version(library) for library in _LIBRARIES}
