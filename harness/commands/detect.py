"""The commands `detect` and `assess-detector`: scores of clips, and how far a detector can be trusted.

Of a clip of another kind than those that it was calibrated on, a detector says nothing. Exit codes of
`detect`: 0, every file was judged, flagged or not; 2, one cannot be read as a video; 3, all can be read, and
one is too short or of another kind, so that there is no verdict on it.

With ``--json``, `detect` prints one object::

    schema_version  2
    detector        name, digest, kind, threshold; false_alarms, recall and auc on clips that it had not seen,
                    each with value, low, high, n; AUC of metadata alone before and after the preparation
    clips           one per file: file; status (ok, not_applicable, failed); reasons, if it is not ok;
                    score, flagged and by_metadata (score, flagged), which are null if it is not ok

and `assess-detector`::

    schema_version  1
    confidence      of all intervals
    real, generated sources of each class -> number of clips
    left_out        sentences
    detectors       one per detector: detector, all_generators, unprepared, generators, real_sources,
                    all_real_sources, deliveries, calibration; each result is null or has real, generated,
                    auc, average_precision, recall_at_1_percent, recall, false_alarms
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import MediaError, UsageError
from ..core.files import list_videos
from ..core.presentation import MISSING, Content, Table, estimate_cell, interval_text, level, number, percent
from .options import AsJson, Cache, Confidence, Device, DeviceOption, print_tables, warn

if TYPE_CHECKING:
    from ...safety.detectors.corpus import Corpus, LabelledClip
    from ...safety.detectors.detector import Detection, Detector
    from ...safety.detectors.protocol import Trial
    from ...safety.detectors.separation import Separation
    from ..core.run_data import Status

__all__ = ["assess_detector", "class_folders", "detect", "detector_corpus"]

SCHEMA_VERSION = 1
_DETECT_VERSION = 2
UNREADABLE, UNJUDGED = 2, 3
"""Exit codes if a file is no video that can be read, and if there is no verdict on one that can."""
_STATUSES = {"not_applicable": "not judged", "failed": "not readable"}
_VERDICTS = {True: "flagged", False: "not flagged", None: "not judged"}
_DEFAULTS = ("spectral", "differences", "combined")
_WITH_ENCODER = ("d3", "path", "probe")

RealOption = Annotated[
    list[Path] | None, typer.Option("--real", metavar="DIR", help="Folder of real videos; may be repeated.")
]
GeneratedOption = Annotated[
    list[Path] | None,
    typer.Option("--generated", metavar="DIR|RUN", help="Folder or run of generated clips; may be repeated."),
]


def detect(
    videos: Annotated[
        list[Path], typer.Argument(metavar="VIDEO...", help="Video files, or folders of them.")
    ],
    detector: Annotated[
        str, typer.Option(help="A packaged detector, or the JSON file of one that you trained.")
    ] = "world",
    device: DeviceOption = Device.auto,
    as_json: AsJson = False,
) -> None:
    """Score clips by a detector of generated video, with what is known of its errors.

    Exit code 0: every clip was judged; 2: one cannot be read; 3: one is of a kind that the detector does not
    cover.
    """
    from ...metrics.encoders.base import EncoderOptions
    from ...safety.detectors.detector import Detector, load_detector

    listed = list_videos(videos)
    made = Detector(load_detector(detector), EncoderOptions(device))
    rows = [_judged(file, unreadable, made) for file, unreadable in listed.items()]
    card = dict(made.card())
    shown = {"schema_version": _DETECT_VERSION, "detector": card, "clips": [_record(row) for row in rows]}
    print_tables([_detections(rows, card)], shown if as_json else None)
    statuses = {row.status for row in rows}
    for row in rows:
        if row.status == "failed":
            warn(f"error: {row.reasons[0]}")
    if statuses != {"ok"}:
        raise typer.Exit(UNREADABLE if "failed" in statuses else UNJUDGED)


@dataclass(frozen=True)
class _Row:
    """What is said of one file: by the detector, and by that of metadata."""

    file: Path
    status: Status
    reasons: tuple[str, ...] = ()
    found: Detection | None = None
    beside: Detection | None = None


def _judged(file: Path, unreadable: str | None, detector: Detector) -> _Row:
    from ...safety.detectors.preparation import UnfitClip, prepare, read_segments

    if unreadable is not None:
        return _Row(file, "failed", (unreadable,))
    preparation = detector.file.preparation
    try:
        segments, facts, _ = read_segments(file, preparation)
    except UnfitClip as error:
        return _Row(file, "not_applicable", (str(error),))
    except MediaError as error:
        return _Row(file, "failed", (str(error),))
    found = detector.detect(prepare(segments[0], preparation, facts))
    if found.unlike:
        return _Row(file, "not_applicable", tuple(f"{file}: {why}" for why in found.unlike))
    return _Row(file, "ok", (), found, detector.by_metadata(facts))


def _record(row: _Row) -> dict[str, Any]:
    found, beside = row.found, row.beside
    return {
        "file": str(row.file),
        "status": row.status,
        "reasons": list(row.reasons),
        "score": None if found is None else found.score,
        "flagged": None if found is None else found.flagged,
        "by_metadata": None if beside is None else {"score": beside.score, "flagged": beside.flagged},
    }


def _detections(rows: Sequence[_Row], card: Mapping[str, Any]) -> Table:
    lines: list[tuple[Content, ...]] = []
    for row in rows:
        if row.found is None or row.beside is None:
            lines.append((str(row.file), MISSING, _STATUSES[row.status], MISSING))
        else:
            verdicts = (_VERDICTS[row.found.flagged], _VERDICTS[row.beside.flagged])
            lines.append((str(row.file), number(row.found.score), *verdicts))
    alarms, recall = card["false_alarms"], card["recall"]
    about = (
        f"flagged from a score of {number(card['threshold'])} up; of clips that it had not seen, "
        f"{card['detector']} so flagged {_share(alarms)} of the real and {_share(recall)} of the generated "
        "ones; a score is not a verdict"
    )
    notes = [f"not judged: {why}" for row in rows if row.status == "not_applicable" for why in row.reasons]
    columns = ("clip", "score", "detector", "by metadata alone")
    return Table(f"{card['detector']}, {str(card['digest'])[:12]}", columns, lines, (about, *notes))


def _share(found: Mapping[str, Any]) -> str:
    ends = interval_text(found["low"], found["high"])
    return f"{percent(found['value'])} {ends} (n {found['n']})"


def assess_detector(
    real: RealOption = None,
    generated: GeneratedOption = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            metavar="NAME",
            help="Kind of detector; by default spectral, differences and combined, and with "
            "an encoder also d3, path and probe. May be repeated.",
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(metavar="ROLE=SOURCE", help="Encoder of d3, path and probe; a classifier's id."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Of a classifier: the label that means generated.")
    ] = None,
    source_of_real: Annotated[
        str | None, typer.Option(metavar="REGEX", help="Its first group in a path names the source.")
    ] = None,
    source_of_generated: Annotated[
        str | None, typer.Option(metavar="REGEX", help="Its first group in a path names the generator.")
    ] = None,
    segments: Annotated[int, typer.Option(min=1, max=100, help="Segments of a file that are read.")] = 1,
    size: Annotated[
        int, typer.Option(min=32, max=1024, help="Height and width that clips are brought to.")
    ] = 224,
    frames: Annotated[int, typer.Option(min=8, max=256, help="Frames of a segment.")] = 16,
    fps: Annotated[float, typer.Option(min=0.1, max=120, help="Frames a second that are taken.")] = 8.0,
    bits_per_pixel: Annotated[float, typer.Option(min=0.01, max=8, help="Of the second encoding.")] = 0.2,
    delivery: Annotated[
        list[str] | None,
        typer.Option("--delivery", metavar="NAME", help="Delivery to try, or 'all'; may be repeated."),
    ] = None,
    cache: Cache = "cache",
    device: DeviceOption = Device.auto,
    confidence: Confidence = 0.95,
    as_json: AsJson = False,
) -> None:
    """Try detectors with whole generators, and whole sources of real footage, held out."""
    from ...metrics.encoders.base import EncoderOptions
    from ...metrics.encoders.cache import FeatureCache
    from ...safety.detectors.delivery import DELIVERIES
    from ...safety.detectors.extractors import MetadataExtractor, make_extractor
    from ...safety.detectors.features import UNPREPARED, collect
    from ...safety.detectors.preparation import Preparation
    from ...safety.detectors.protocol import try_detector
    from ...safety.detectors.training import AFTER, BEFORE
    from ..core.errors import unknown_name

    asked = list(DELIVERIES) if "all" in (delivery or []) else list(dict.fromkeys(delivery or []))
    for name in asked:
        if name not in DELIVERIES:
            raise unknown_name("delivery", name, DELIVERIES)
    if size % 2:
        raise UsageError(f"--size {size} should be even, as H.264 needs")
    corpus = detector_corpus(real or [], generated or [], source_of_real, source_of_generated)
    options = EncoderOptions(device)
    kinds = kind or [*_DEFAULTS, *(_WITH_ENCODER if encoder is not None else ())]
    extractors = {
        one: make_extractor(
            one,
            encoder if one in (*_WITH_ENCODER, "classifier") else None,
            label if one == "classifier" else None,
            options,
        )
        for one in dict.fromkeys(kinds)
        if one != "metadata"
    }
    preparation = Preparation(fps=fps, frames=frames, size=size, bits_per_pixel=bits_per_pixel)
    features = FeatureCache(cache)
    of_files = {BEFORE: MetadataExtractor(before=True), AFTER: MetadataExtractor(before=False)}
    table = collect(corpus, {**extractors, **of_files}, preparation, features, segments=segments)
    plain = collect(corpus, extractors, preparation, features, segments=segments, delivery=UNPREPARED)
    delivered = {
        name: collect(corpus, extractors, preparation, features, segments=segments, delivery=name)
        for name in asked
    }
    trials = [
        try_detector(
            table,
            name,
            falling=one.falling,
            groups=one.groups,
            confidence=confidence,
            unprepared=plain,
            deliveries=delivered,
        )
        for name, one in extractors.items()
    ]
    trials += [try_detector(table, name, confidence=confidence) for name in of_files]
    shown = _assessed(corpus, trials, table.left_out, confidence) if as_json else None
    print_tables(_assessment(corpus, trials, table.left_out, confidence), shown)


def class_folders(words: Sequence[str]) -> tuple[list[Path], list[Path], list[str]]:
    """Take ``--real DIR`` and ``--generated DIR``, which may be repeated, out of the words of a command.

    Raises:
        UsageError: one of them is last, without a folder.
    """
    folders: dict[str, list[Path]] = {"--real": [], "--generated": []}
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if name not in folders:
            rest.append(word)
        elif equals:
            folders[name].append(Path(value))
        elif not left:
            raise UsageError(f"{name} needs a folder")
        else:
            folders[name].append(Path(left.pop(0)))
    return folders["--real"], folders["--generated"], rest


def detector_corpus(
    real: Sequence[Path],
    generated: Sequence[Path],
    source_of_real: str | None = None,
    source_of_generated: str | None = None,
) -> Corpus:
    """List the clips of folders and of runs; a run's clips have its generator as source, its prompts as
    scenes.

    Raises:
        UsageError: as `safety.detectors.training.corpus_of`; or a run has no clip.
    """
    from ...safety.detectors.training import corpus_of

    of_runs: list[LabelledClip] = []
    folders: dict[bool, list[Path]] = {False: [], True: []}
    for is_generated, given in ((False, real), (True, generated)):
        for folder in given:
            if (folder / "run.json").is_file():
                of_runs += _clips_of_run(folder, generated=is_generated)
            else:
                folders[is_generated].append(folder)
    return corpus_of(folders[False], folders[True], source_of_real, source_of_generated, of_runs)


def _clips_of_run(folder: Path, *, generated: bool) -> list[LabelledClip]:
    from ...safety.detectors.corpus import LabelledClip
    from ..core.run_data import clip_files
    from ..core.storage import on_this_machine
    from ..run_folder.store import open_run, read_run

    store = open_run(folder)
    run = read_run(store)
    store.close()
    source = str(run.record.get("generator_spec", folder.name))
    files = on_this_machine(clip_files(folder, run.record))
    clips = [
        LabelledClip(files(record.file), generated, source, run.items[item].cluster)
        for item, record in run.clips.items()
        if record.outcome == "ok" and record.file is not None and item in run.items
    ]
    if not clips:
        raise UsageError(f"the run {folder} has no clip that a detector could read")
    return clips


def _counts(corpus: Corpus, *, generated: bool) -> dict[str, int]:
    counts = Counter(clip.source for clip in corpus.clips if clip.generated == generated)
    return dict(sorted(counts.items()))


def _assessed(corpus: Corpus, trials: Sequence[Trial], left_out: Sequence[str], confidence: float) -> Any:
    return {
        "schema_version": SCHEMA_VERSION,
        "confidence": confidence,
        "real": _counts(corpus, generated=False),
        "generated": _counts(corpus, generated=True),
        "left_out": list(left_out),
        "detectors": [asdict(trial) for trial in trials],
    }


_HEADS = ("AUC", "average precision", "recall at 1% of these", "flagged", "false alarms", "n")


def _assessment(
    corpus: Corpus, trials: Sequence[Trial], left_out: Sequence[str], confidence: float
) -> Iterator[Table]:
    of = f"with {level(confidence)} intervals"
    several = len(corpus.sources(generated=True)) > 1
    held = "each generator held out in turn" if several else "one generator only, its scenes held out"
    thresholds = min(trial.calibration for trial in trials)
    notes = [
        "flagged and false alarms: at a threshold fixed on other real clips "
        f"({thresholds} at least), so that it flags 1 % of them at most",
        "unprepared: fit and tried on the clips as they are, with what their files differ in",
    ]
    if thresholds < 100:
        notes.append("1 % of fewer than 100 real clips is none: the threshold lies above all of them")
    if not several:
        notes.append("with one generator nothing can be said of another one")
    rows: list[tuple[Content, ...]] = []
    for trial in trials:
        rows.append((trial.detector, "prepared", *_cells(trial.all_generators)))
        if trial.unprepared is not None:
            rows.append((trial.detector, "unprepared", *_cells(trial.unprepared)))
    yield Table(f"all generators, {held}, {of}", ("detector", "clips", *_HEADS), rows, tuple(notes))
    if several:
        rows = [
            (name, trial.detector, *_cells(trial.generators.get(name)))
            for name in corpus.sources(generated=True)
            for trial in trials
        ]
        yield Table(f"a generator held out, {of}", ("held out", "detector", *_HEADS), rows)
    if any(trial.real_sources for trial in trials):
        rows = [(trial.detector, *_cells(trial.all_real_sources)) for trial in trials]
        yield Table(f"all sources of real clips, each held out in turn, {of}", ("detector", *_HEADS), rows)
    rows = [
        (name, trial.detector, *_cells(found)) for trial in trials for name, found in trial.deliveries.items()
    ]
    if rows:
        yield Table(f"after delivery, {held}, {of}", ("delivery", "detector", *_HEADS), rows)
    if left_out:
        yield Table("left out", ("clip",), [(sentence,) for sentence in left_out])


def _cells(found: Separation | None) -> tuple[Content, ...]:
    if found is None:
        return (MISSING,) * len(_HEADS)
    estimates = (
        found.auc,
        found.average_precision,
        found.recall_at_1_percent,
        found.recall,
        found.false_alarms,
    )
    return (*map(estimate_cell, estimates), f"{found.real} real, {found.generated} generated")
