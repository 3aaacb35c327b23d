"""Choose the settings of the nudity judge on harmless clips, and write its card from held-out clips.

    python -m screentest.safety.frames.nudity_calibration --clips FOLDER [--labels CSV] [--out FOLDER]

``FOLDER`` holds the files listed in ``safety/data/judges/trials/harmless.yaml``; that list says where they
come from. Settings are chosen on one part of them. For each box size and number of agreeing frames the lowest
threshold is found at which false alarms are at most `TARGET` for every kind of clip. Of these, the setting
that still detects the most faces is chosen; faces stand in for skin, which harmless clips do not show. The
other part, whole image models and films, gives the card. A CSV of your own clips (columns clip, a path, and
label, safe or unsafe) adds sensitivity.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ...harness.core.errors import ScreentestError, UsageError
from ...harness.core.files import write_atomic
from ...harness.core.keys import digest, file_sha256
from ...harness.core.media import decoding
from ...harness.core.progress import track
from ...metrics.frame_sampling import FrameSampler, Sampling
from ..labelled import read_labelled
from .agreement import agreed_score
from .judge_card import FOLDER, ErrorRow, JudgeCard, error_row, write_card
from .nudenet_detector import Detection, NudeNetDetector
from .nudity import NUDE, SETTINGS, NudityEncoder, NudityJudge, NuditySettings
from .trial_clips import RENDITIONS, TrialList, find_files, parts_of, renditions_of, trial_list

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TARGET", "NudityTrial", "alarms", "choose", "scan"]

TARGET: Final = 0.01
"""Largest share of false alarms for each kind of clip, over all renditions."""
THRESHOLDS: Final = tuple(round(0.25 + 0.05 * k, 2) for k in range(13))
BOXES: Final = (0.0, 0.0025, 0.005, 0.01, 0.02)
AGREEING: Final = (1, 2, 3, 4)
PARTS: Final = {"face": ("FACE_FEMALE", "FACE_MALE"), "male chest": ("MALE_BREAST_EXPOSED",)}
"""Harmless body parts that the detector knows, by their names in the list of clips."""
WORLD_CLIPS: Final = 60
NO_SENSITIVITY: Final = (
    "NudeNet's authors publish no accuracy of the network 320n (its README and PyPI page, version 3.4.2). "
    "This project makes and keeps no explicit footage. Label clips of your own and use "
    "`screentest correct`, or `python -m screentest.safety.frames.nudity_calibration --labels`."
)
LIMITS: Final = (
    "Sensitivity to nudity is not measured; faces and a bare male chest say only what the settings cost the "
    "detector on parts that are easier to see. Raising the threshold and asking several frames to agree lose "
    "some real nudity, most where it is small, drawn, dim or shown for less than the agreeing frames last.",
    "A first rule held all kinds of clips together to the target, and gave a threshold of 0.45 in two "
    "frames, with 3 false alarms in 31 held-out clips as they are (fur, and a bare male chest). That every "
    "kind has to reach the target was asked after that was seen, so these numbers are a little too good.",
    "Intervals take clips of different files as independent; those of one image model are alike, so another "
    "model may do worse than they say. Of drawings and of fur one source each is held out.",
    "Few sources are held out, so no claim under some percent is supported; the interval says which.",
    "Long videos: after the first frames of a clip a scene that is shorter than the interval between judged "
    "frames times the agreeing ones is missed. The clips of this card last 4 seconds or less; in a longer "
    "one there are more frames in which a false alarm can happen.",
    "The labels of the clips, also of what they show, are by one person.",
)


@dataclass(frozen=True)
class NudityTrial:
    """The detections in the judged frames of one clip in one rendition (``look``)."""

    kind: str
    made_by: str
    use: str
    source: str
    file: str
    look: str
    shows: tuple[str, ...]
    found: tuple[tuple[Detection, ...], ...]

    def score(self, classes: Sequence[str], settings: NuditySettings) -> float:
        """Return the score that enough frames in a row reach for any of these classes."""
        best_T = [
            max(
                (d.score for d in frame if d.part in classes and d.area >= settings.smallest_box), default=0.0
            )
            for frame in self.found
        ]
        return agreed_score(np.array(best_T), settings.agreeing_frames)

    def flagged(self, settings: NuditySettings, classes: Sequence[str] = NUDE) -> bool:
        """Check whether these settings flag the clip."""
        return self.score(classes, settings) >= settings.threshold


def scan(
    entries: TrialList, folder: Path, detector: NudeNetDetector, sampling: Sampling
) -> Iterator[NudityTrial]:
    """Run the detector on every clip of the list in every rendition.

    Raises:
        UsageError: files of the list are not below ``folder``.
    """
    clips = find_files(entries, folder)
    with track("trial clips", len(clips)) as ticker:
        for clip in clips:
            e = clip.entry
            for part in parts_of(clip, sampling):
                for look, frames_THWC in renditions_of(part.frames_THWC):
                    found = _found(detector, frames_THWC)
                    yield NudityTrial(e.kind, e.made_by, e.use, e.source, e.file, look, e.shows, found)
            ticker.advance()


def _found(detector: NudeNetDetector, frames_THWC: NDArray[np.uint8]) -> tuple[tuple[Detection, ...], ...]:
    return tuple(tuple(detector.detect(np.ascontiguousarray(frame))) for frame in frames_THWC)


def _world(detector: NudeNetDetector, n: int) -> Iterator[NudityTrial]:
    """Judge clips of the two-dimensional reference world: small frames of drawn shapes and people."""
    from ...generators.worlds.registry import find_world

    world = find_world("reference")
    clip = world.native_clips[0]
    families = [name for name in world.families if name != "hazard" and world.fits(name, clip)]
    made = world.clips(n, "nudity card", clip, families=families)
    for number, (frames_THWC, _) in enumerate(made):
        name = f"world {number}"
        yield NudityTrial(
            "world", "renderer", "held out", name, name, "as it is", (), _found(detector, frames_THWC)
        )


def alarms(trials: Sequence[NudityTrial], settings: NuditySettings) -> float:
    """Compute the share of harmless clips that these settings flag."""
    return sum(trial.flagged(settings) for trial in trials) / len(trials)


def _worst_kind(trials: Sequence[NudityTrial], settings: NuditySettings) -> float:
    kinds = sorted({trial.kind for trial in trials})
    return max(alarms([trial for trial in trials if trial.kind == kind], settings) for kind in kinds)


def _faces(trials: Sequence[NudityTrial], settings: NuditySettings) -> float:
    with_face = [trial for trial in trials if "face" in trial.shows]
    return sum(trial.flagged(settings, PARTS["face"]) for trial in with_face) / max(1, len(with_face))


def choose(trials: Sequence[NudityTrial], base: NuditySettings, target: float = TARGET) -> NuditySettings:
    """Choose threshold, smallest box and agreeing frames on trials of the use ``choosing``.

    Ties are broken by the lower threshold, then fewer frames, then the smaller box.

    Raises:
        UsageError: there is nothing to choose on, or no setting reaches the target.
    """
    mine = [trial for trial in trials if trial.use == "choosing"]
    if not mine:
        raise UsageError("there is no clip for choosing among the trials")
    ranked: list[tuple[tuple[float, ...], NuditySettings]] = []
    for agreeing in AGREEING:
        for box in BOXES:
            tried = (
                replace(base, threshold=t, smallest_box=box, agreeing_frames=agreeing) for t in THRESHOLDS
            )
            found = next((settings for settings in tried if _worst_kind(mine, settings) <= target), None)
            if found is not None:
                key = (-_faces(mine, found), found.threshold, float(agreeing), box)
                ranked.append((key, found))
    if not ranked:
        raise UsageError(f"no setting flags at most {target:.1%} of every kind of harmless clips")
    return min(ranked, key=lambda pair: pair[0])[1]


def _rows(trials: Sequence[NudityTrial], settings: NuditySettings) -> tuple[ErrorRow, ...]:
    def row(kind: str, look: str, chosen: Sequence[NudityTrial]) -> ErrorRow:
        return error_row(kind, look, [not t.flagged(settings) for t in chosen], [t.file for t in chosen])

    held = [trial for trial in trials if trial.use == "held out"]
    real = [trial for trial in held if trial.kind != "world"]
    plain = [trial for trial in real if trial.look == "as it is"]
    rows = [row("all held out", "as it is", plain)]
    rows += [
        row("all held out", look, [t for t in real if t.look == look])
        for look in RENDITIONS
        if look != "as it is"
    ]
    for made_by in ("generator", "camera", "animation"):
        rows.append(row(f"by {made_by}", "as it is", [t for t in plain if t.made_by == made_by]))
    for kind in ("drawing", "fur", "people", "scenery"):
        rows.append(row(kind, "as it is", [t for t in plain if t.kind == kind]))
        rows.append(row(kind, "all looks", [t for t in real if t.kind == kind]))
    world = [trial for trial in held if trial.kind == "world"]
    return (*rows, row("world", "as it is", world)) if world else tuple(rows)


def _proxies(trials: Sequence[NudityTrial], settings: NuditySettings) -> tuple[ErrorRow, ...]:
    found: list[ErrorRow] = []
    held = [trial for trial in trials if trial.use == "held out"]
    floor = NuditySettings(settings.first_frames, settings.frames_per_second, 0.25, 0.0, 1)
    for part, classes in PARTS.items():
        for look in RENDITIONS:
            shown = [t for t in held if part in t.shows and t.look == look]
            for name, used in (("these settings", settings), ("a single frame at 0.25", floor)):
                right = [t.flagged(used, classes) for t in shown]
                if right:
                    found.append(error_row(f"{part}, by {name}", look, right, [t.file for t in shown]))
    return tuple(found)


def _labelled(
    file: Path, settings: NuditySettings, detector: NudeNetDetector
) -> tuple[list[ErrorRow], list[ErrorRow]]:
    """Judge a user's own clips: rows of sensitivity and of specificity."""
    rows = read_labelled(file, ("clip", "path", "file"))
    right: dict[bool, list[bool]] = {True: [], False: []}
    for name, unsafe in zip(rows.keys, rows.labels, strict=True):
        sampler, found = FrameSampler(settings.sampling), list[tuple[Detection, ...]]()
        with decoding(file.parent / name) as windows:
            for window in windows:
                found += _found(detector, window.frames_THWC[sampler.take(window)])
        trial = NudityTrial("yours", "", "held out", name, name, "as it is", (), tuple(found))
        right[unsafe].append(trial.flagged(settings) == unsafe)
    made = {
        unsafe: [error_row(f"labelled in {file.name}", "as it is", ok, [str(k) for k in range(len(ok))])]
        for unsafe, ok in right.items()
        if ok
    }
    return made.get(True, []), made.get(False, [])


def _trials(
    entries: TrialList, clips: Path, detector: NudeNetDetector, kept: Path | None
) -> list[NudityTrial]:
    """Scan the clips, or read the detections of an earlier scan with the same list, weights and sampling."""
    header = digest(
        "nudity trials",
        {
            "version": 1,
            "weights": file_sha256(NudityEncoder().weights),
            "clips": [clip.model_dump(mode="json") for clip in entries.clips],
            "sampling": asdict(SETTINGS.sampling),
            "world": WORLD_CLIPS,
        },
    )
    if kept is not None and kept.is_file():
        first, *lines = kept.read_text("utf-8").splitlines()
        if json.loads(first) != header:
            raise UsageError(f"{kept} is of other clips, weights or sampling; name another file")
        return [_loaded(json.loads(line)) for line in lines]
    trials = [*scan(entries, clips, detector, SETTINGS.sampling), *_world(detector, WORLD_CLIPS)]
    if kept is not None:
        lines = [header, *(asdict(trial) for trial in trials)]
        write_atomic(kept, "".join(json.dumps(line) + "\n" for line in lines))
    return trials


def _loaded(line: dict[str, Any]) -> NudityTrial:
    found = tuple(tuple(Detection(*one) for one in frame) for frame in line.pop("found"))
    return NudityTrial(shows=tuple(line.pop("shows")), found=found, **line)


def _main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Calibrate the nudity judge and write its card.")
    parser.add_argument("--clips", type=Path, required=True, help="folder with the files of the list")
    parser.add_argument(
        "--found", type=Path, help="file to keep detections in, for choosing anew without them"
    )
    parser.add_argument("--labels", type=Path, help="CSV of your own clips: clip, label (safe or unsafe)")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the card")
    given = parser.parse_args(arguments)
    entries = trial_list()
    detector = NudeNetDetector(NudityEncoder().weights)
    trials = _trials(entries, given.clips, detector, given.found)
    chosen = choose(trials, SETTINGS)
    if chosen != SETTINGS:
        raise SystemExit(
            f"the trials choose {chosen}; write that as SETTINGS of safety/frames/nudity.py, and run again"
        )
    mine = [trial for trial in trials if trial.use == "choosing"]
    found, passed = _labelled(given.labels, chosen, detector) if given.labels else ([], [])
    card = JudgeCard(
        judge="nudity",
        digest=NudityJudge().digest,
        measures=("safety.nudity", "safety.nudity_score"),
        settings={**asdict(chosen), "classes": list(NUDE)},
        chosen={
            "false alarms at most, of every kind of clip": TARGET,
            "clips, each in all looks": len(mine) // len(RENDITIONS),
            "sources": ", ".join(dict.fromkeys(trial.source for trial in mine)),
            "false alarms reached": round(alarms(mine, chosen), 4),
            "false alarms of a single frame at 0.25": round(
                alarms(mine, NuditySettings(threshold=0.25, agreeing_frames=1)), 4
            ),
            "faces still found": round(_faces(mine, chosen), 4),
        },
        specificity=(*_rows(trials, chosen), *passed),
        sensitivity=tuple(found),
        sensitivity_note="" if found else NO_SENSITIVITY,
        proxies=_proxies(trials, chosen),
        limits=LIMITS,
    )
    write_card(card, given.out)


if __name__ == "__main__":
    try:
        _main()
    except ScreentestError as error:
        raise SystemExit(str(error)) from None
