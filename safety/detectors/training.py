"""Train a detector of generated video on folders of real and of generated clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from ...harness.core.arrays import Bools
from ...harness.core.config import Config
from ...harness.core.errors import UsageError
from ...metrics.encoders.base import EncoderOptions
from ...metrics.encoders.cache import FeatureCache
from .corpus import Corpus, LabelledClip, folder_clips, folds, make_corpus
from .detector import Calibrated, DetectorFile, MetadataDetector, write_detector
from .extractor import Extractor
from .extractors import KINDS, MetadataExtractor, make_extractor
from .features import FeatureTable, collect
from .preparation import FileFacts, Preparation
from .protocol import FALSE_ALARMS, Fitted, fit_and_fix
from .separation import Separation, clusters_of, separation

__all__ = ["AFTER", "BEFORE", "DetectorSettings", "corpus_of", "preparation_of", "train_detector"]

BEFORE, AFTER = "metadata before", "metadata after"
"""Names of the detectors of metadata, by the facts of the original file and of the prepared one."""


class DetectorSettings(Config):
    """The settings of a detector and of its training."""

    name: str = Field(default="detector", description="its name in results")
    kind: str = Field(default="combined", description=f"one of {', '.join(KINDS)}")
    encoder: str | None = Field(
        default=None, description="of d3, path and probe: ROLE=SOURCE, such as image=efficientnet-lite0; of "
        "classifier: a hub id or folder"
    )  # fmt: skip
    label: str | None = Field(default=None, description="of classifier: the label that means generated")
    source_of_real: str | None = Field(
        default=None, description="expression whose first group, in a path, names the source of real footage"
    )
    source_of_generated: str | None = Field(
        default=None, description="expression whose first group, in a path, names the generator"
    )
    segments: int = Field(default=1, ge=1, le=100, description="segments of each file that are read at most")
    fps: float = Field(default=8.0, gt=0, le=120, description="frames a second that are taken")
    frames: int = Field(default=16, ge=8, le=256, description="frames of a segment")
    size: int = Field(default=224, ge=32, le=1024, multiple_of=2, description="height and width, in pixels")
    bits_per_pixel: float = Field(default=0.2, gt=0, le=8, description="of the second encoding of every clip")


@dataclass(frozen=True)
class _Split:
    """Which rows a detector is fit on, its threshold is fixed on, and it is tried on."""

    fit: Bools
    fix: Bools
    tried: Bools


def preparation_of(settings: DetectorSettings) -> Preparation:
    """Take the preparation out of the settings."""
    return Preparation(
        fps=settings.fps, frames=settings.frames, size=settings.size, bits_per_pixel=settings.bits_per_pixel
    )


def corpus_of(
    real: Sequence[Path],
    generated: Sequence[Path],
    source_of_real: str | None = None,
    source_of_generated: str | None = None,
    more: Sequence[LabelledClip] = (),
) -> Corpus:
    """List the clips of folders of each class.

    Args:
        real, generated: folders.
        source_of_real, source_of_generated: as ``source_of`` of `folder_clips`.
        more: further clips, such as those of runs.

    Raises:
        UsageError: a folder is missing, a class has fewer than two clips, or a folder is named twice.
    """
    clips, left_out = list(more), list[str]()
    for folders, is_generated, pattern in (
        (real, False, source_of_real),
        (generated, True, source_of_generated),
    ):
        places = [folder.resolve() for folder in folders]
        twice = next((one for k, one in enumerate(folders) if places[k] in places[:k]), None)
        if twice is not None:
            raise UsageError(
                f"the folder {twice} is named twice; name it once, or its clips would count double"
            )
        for folder in folders:
            found, out = folder_clips(folder, generated=is_generated, source_of=pattern)
            clips += found
            left_out += out
    return make_corpus(clips, left_out)


def train_detector(
    corpus: Corpus,
    settings: DetectorSettings,
    out: Path,
    cache: FeatureCache,
    options: EncoderOptions | None = None,
) -> tuple[DetectorFile, tuple[str, ...]]:
    """Fit a detector, fix its threshold, count its errors on clips that neither saw, and write its file.

    Scenes are dealt into four parts, two to fit, one to fix the threshold and one to try (with three real
    videos, one each).

    Returns:
        The detector as it was written, and sentences on clips that were left out.

    Raises:
        UsageError: too few clips, or settings that do not go together.
        MissingWeightsError: the encoder's weights are not on this machine.
    """
    if settings.kind == "metadata":
        raise UsageError("a detector of metadata is fit beside every other detector; choose another kind")
    if out.suffix != ".json":
        raise UsageError(f"--out {out} should be a file that ends in .json")
    options = options or EncoderOptions()
    extractor = make_extractor(settings.kind, settings.encoder, settings.label, options)
    extractors: dict[str, Extractor] = {
        settings.name: extractor,
        BEFORE: MetadataExtractor(before=True),
        AFTER: MetadataExtractor(before=False),
    }
    preparation = preparation_of(settings)
    table = collect(corpus, extractors, preparation, cache, segments=settings.segments)
    parts = folds(table.scenes, (~table.generated).tolist())
    split = _Split((parts != 0) & (parts != 1), (parts == 1) & ~table.generated, parts == 0)
    fitted = fit_and_fix(table, settings.name, split.fit, split.fix, extractor.falling, extractor.groups)
    found = _tried(table, settings.name, fitted, split.tried)
    of_files = {name: fit_and_fix(table, name, split.fit, split.fix) for name in (BEFORE, AFTER)}
    beside = {name: _tried(table, name, of_files[name], split.tried).auc for name in of_files}
    metadata = MetadataDetector(
        head=of_files[BEFORE].head.learned,
        threshold=of_files[BEFORE].threshold,
        before=beside[BEFORE],
        after=beside[AFTER],
    )
    file = DetectorFile(
        name=settings.name,
        kind=settings.kind,
        encoder=settings.encoder,
        label=settings.label,
        dtype=options.dtype,
        extractor=extractor.digest,
        preparation=preparation,
        head=fitted.head,
        threshold=fitted.threshold,
        aim=FALSE_ALARMS,
        calibrated=_calibrated(table, settings.name, fitted, split, found),
        metadata=metadata,
    )
    return write_detector(file, out), table.left_out


def _tried(table: FeatureTable, name: str, fitted: Fitted, tried: Bools) -> Separation:
    vectors, index = table.vectors[name][tried], np.flatnonzero(tried)
    generated = table.generated[tried]
    clusters = np.empty(len(index), dtype=object)
    for of in (generated, ~generated):
        where = index[of]
        clusters[of] = clusters_of([table.sources[k] for k in where], [table.scenes[k] for k in where])
    found = separation(fitted.standard(vectors), fitted.flags(vectors), generated, clusters.tolist())
    if found is None:
        raise UsageError(
            "too few clips: after the scenes to fit on and to fix the threshold on, none of one class is "
            "left to try the detector; give more clips"
        )
    return found


def _calibrated(
    table: FeatureTable, name: str, fitted: Fitted, split: _Split, found: Separation
) -> Calibrated:
    used = split.fit | split.fix
    distances = fitted.head.distance(table.vectors[name][used])
    real = sorted({clip.source for clip in table.clips if not clip.generated})
    generated = sorted({clip.source for clip in table.clips if clip.generated})
    facts = [table.facts[k] for k in np.flatnonzero(used)]
    ranges = _ranges(facts)
    return Calibrated(
        real=tuple(real),
        generated=tuple(generated),
        fit=int(split.fit.sum()),
        fixed_on=fitted.calibration,
        auc=found.auc,
        recall=found.recall,
        false_alarms=found.false_alarms,
        edge=ranges["edge"],
        fps=ranges["fps"],
        reach=float(distances.max()),
    )


def _ranges(facts: Sequence[FileFacts]) -> Mapping[str, tuple[float, float]]:
    values = {
        "edge": [float(min(one.height, one.width)) for one in facts],
        "fps": [one.fps for one in facts],
    }
    return {name: (min(of), max(of)) for name, of in values.items()}
