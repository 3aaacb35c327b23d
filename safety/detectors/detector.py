"""A detector as a file: what it looks at, its weights, its threshold, and on which clips it was fit and
tried.

The file is JSON and carries its own digest. A detector scores a clip with the preparation that it was fit on;
where the encoder on this machine is another one than the file names by digest, it refuses. Beside its own
weights it holds those of a detector of metadata alone, fit and tried on the same clips.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from pydantic import Field, ValidationError

from ...harness.core.config import Config, explain
from ...harness.core.errors import UsageError, unknown_name
from ...harness.core.estimate import Estimate
from ...harness.core.files import write_atomic
from ...harness.core.keys import digest
from ...metrics.encoders.base import EncoderOptions
from ..calibration import sigmoid
from .extractors import Extractor, make_extractor
from .head import Head, LinearHead
from .preparation import FileFacts, Preparation, PreparedClip

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = [
    "PACKAGED",
    "Calibrated",
    "Detection",
    "Detector",
    "DetectorFile",
    "MetadataDetector",
    "load_detector",
    "packaged_detectors",
    "write_detector",
]

PACKAGED: Final = Path(__file__).parent.parent / "weights" / "detectors"
_LAYOUT: Final = 2
_MARGIN: Final = 1.05
"""How far beyond the sizes and rates of its own clips a detector still counts as at home."""


class Calibrated(Config):
    """On which clips a detector was fit, its threshold fixed and its errors counted.

    Attributes:
        real, generated: names of the sources of each class.
        fit: clips that it was fit on; ``fixed_on``: real clips that fixed the threshold.
        auc, recall, false_alarms: on clips that neither saw.
        edge, fps: least and largest shorter side in pixels, and rate, of the original files.
        reach: the largest distance of one of these clips from their centre, in the head's units.
    """

    real: tuple[str, ...]
    generated: tuple[str, ...]
    fit: int
    fixed_on: int
    auc: Estimate
    recall: Estimate
    false_alarms: Estimate
    edge: tuple[float, float]
    fps: tuple[float, float]
    reach: float


class MetadataDetector(Config):
    """The detector of metadata alone that was fit and tried beside a detector, on the same clips.

    Attributes:
        head, threshold: for the facts of the original files.
        before, after: its AUC by the facts before the preparation, and after it.
    """

    head: LinearHead
    threshold: float
    before: Estimate
    after: Estimate


class DetectorFile(Config):
    """What the file of a detector holds.

    Attributes:
        threshold: of the log odds; a clip at or above it is flagged.
        aim: share of real clips that the threshold was meant to flag.
        extractor: digest of what the detector looks at, its encoder's weights and preprocessing included.
        digest: of all the other fields.
    """

    layout: int = Field(default=_LAYOUT, ge=_LAYOUT, le=_LAYOUT)
    name: str = Field(min_length=1, max_length=60, pattern=r"^[a-z0-9][a-z0-9._-]*$")
    summary: str = ""
    kind: str
    encoder: str | None = None
    label: str | None = None
    dtype: str = "float32"
    extractor: str
    preparation: Preparation
    head: Head
    threshold: float
    aim: float
    calibrated: Calibrated
    metadata: MetadataDetector
    digest: str = ""

    def own_digest(self) -> str:
        """Compute the digest of all fields but itself."""
        return digest("detector", {"file": self.model_dump(mode="json", exclude={"digest"})})


@dataclass(frozen=True)
class Detection:
    """What a detector says of one segment of a clip.

    Attributes:
        score: in (0, 1), higher for generated; it is no probability where generated clips are rarer or more
            frequent than among those that it was fit on.
        threshold: of the score.
        above: whether the score is at or above the threshold.
        unlike: why the clip is not of the kind that the detector was calibrated on; empty where it is.
    """

    score: float
    threshold: float
    above: bool
    unlike: tuple[str, ...]

    @property
    def flagged(self) -> bool | None:
        """Whether the clip is flagged as generated; None where the detector does not cover its kind."""
        return None if self.unlike else self.above


class Detector:
    """Score prepared clips by a detector's file.

    Args:
        file: its content.
        options: device; the dtype is the file's.

    Raises:
        UsageError: the encoder on this machine, or this version's preprocessing, is not what it was fit on.
        MissingWeightsError: the encoder's weights are not on this machine.
    """

    def __init__(self, file: DetectorFile, options: EncoderOptions | None = None) -> None:
        self.file = file
        given = options or EncoderOptions()
        self._options = EncoderOptions(given.device, file.dtype, given.cache)
        found = self.extractor.digest
        if found != file.extractor:
            what = f"the encoder {file.encoder!r}" if file.encoder else "what it looks at"
            raise UsageError(
                f"the detector {file.name!r} was fit on features of another digest ({file.extractor[:12]}) "
                f"than this machine has ({found[:12]}): {what} or its preprocessing has changed; train it "
                "again with 'screentest train detector'"
            )

    @cached_property
    def extractor(self) -> Extractor:
        """What the detector looks at."""
        return make_extractor(self.file.kind, self.file.encoder, self.file.label, self._options)

    @property
    def threshold(self) -> float:
        """The score from which on a clip is flagged."""
        return float(sigmoid(np.array([self.file.threshold]))[0])

    def detect(self, clip: PreparedClip, facts: FileFacts | None = None) -> Detection:
        """Score a clip that was prepared as the file says.

        Args:
            clip: prepared.
            facts: of the original, for the check of its kind; by default those of ``clip.before``.
        """
        vector = self.extractor.extract(clip)[None]
        odds = self.file.head.log_odds(vector)
        unlike = self._unlike(facts or clip.before)
        distance = float(self.file.head.distance(vector)[0])
        if distance > _MARGIN * self.file.calibrated.reach:
            unlike += (
                f"its features lie {distance:.2g} deviations from those of the clips it was calibrated on, "
                f"which lie within {self.file.calibrated.reach:.2g}",
            )
        return Detection(
            float(sigmoid(odds)[0]), self.threshold, bool(odds[0] >= self.file.threshold), unlike
        )

    def by_metadata(self, facts: FileFacts) -> Detection:
        """Score a file by what it says of itself, by the metadata detector of the same training."""
        from .extractors import metadata_numbers

        own = self.file.metadata
        odds = own.head.log_odds(metadata_numbers(facts)[None])
        threshold = float(sigmoid(np.array([own.threshold]))[0])
        return Detection(
            float(sigmoid(odds)[0]), threshold, bool(odds[0] >= own.threshold), self._unlike(facts)
        )

    def _unlike(self, facts: FileFacts | None) -> tuple[str, ...]:
        """Say which facts of a file lie beyond those of the clips that the detector was calibrated on."""
        if facts is None:
            return ()
        own = self.file.calibrated
        told = (
            ("shorter side", float(min(facts.height, facts.width)), own.edge, "pixels"),
            ("rate", facts.fps, own.fps, "frames a second"),
        )
        return tuple(
            f"its {what} is {value:.4g} {unit}, and that of the clips it was calibrated on "
            f"{f'{low:.4g} to {high:.4g}' if low < high else f'{low:.4g}'}"
            for what, value, (low, high), unit in told
            if not low / _MARGIN <= value <= high * _MARGIN
        )

    def card(self) -> Mapping[str, Json]:
        """List what a reader of a score must know, as plain JSON values."""
        own = self.file.calibrated
        return {
            "detector": self.file.name,
            "digest": self.file.digest,
            "kind": self.file.kind,
            "threshold": self.threshold,
            "false_alarms": _told(own.false_alarms),
            "recall": _told(own.recall),
            "auc": _told(own.auc),
            "metadata_auc_before": _told(self.file.metadata.before),
            "metadata_auc_after": _told(self.file.metadata.after),
            "real": list(own.real),
            "generated": list(own.generated),
        }


def _told(found: Estimate) -> dict[str, Json]:
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n}


def packaged_detectors() -> dict[str, Path]:
    """Find the detectors that ship with the package: name -> file."""
    return {path.stem: path for path in sorted(PACKAGED.glob("*.json"))}


def load_detector(name: str) -> DetectorFile:
    """Load a packaged detector by name, or any by the path of its file.

    Raises:
        UsageError: there is none, or the file is no detector, of a later layout, or was changed by hand.
    """
    known = packaged_detectors()
    path = known.get(name)
    if path is None and not (name.endswith(".json") or "/" in name):
        raise unknown_name("detector", name, known)
    path = path or Path(name)
    try:
        raw = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"the detector {path} cannot be read: {error.strerror or error}") from None
    except ValueError:
        raise UsageError(
            f"{path} is not a detector's file, which is JSON; 'screentest train detector --out FILE' "
            "writes one"
        ) from None
    layout = cast("dict[str, Any]", raw).get("layout") if isinstance(raw, dict) else None
    if isinstance(layout, int) and layout > _LAYOUT:
        raise UsageError(
            f"the detector {path} is of layout {layout}, which a later version of screentest reads"
        )
    if isinstance(layout, int) and layout < _LAYOUT:
        raise UsageError(
            f"the detector {path} is of layout {layout}, which an earlier version wrote; train it again with "
            "'screentest train detector'"
        )
    try:
        file = DetectorFile.model_validate(raw)
    except ValidationError as error:
        raise UsageError(f"{path} is not a detector's file: {explain(error, DetectorFile)}") from None
    if file.digest != file.own_digest():
        raise UsageError(
            f"the detector {path} is not as it was written: its digest does not fit its content; train it "
            "again"
        )
    return file


def write_detector(file: DetectorFile, path: Path) -> DetectorFile:
    """Write a detector with its digest, atomically, and return it."""
    whole = file.model_copy(update={"digest": ""})
    whole = whole.model_copy(update={"digest": whole.own_digest()})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(whole.model_dump(mode="json"), indent=1) + "\n")
    return whole
