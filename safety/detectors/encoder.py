"""The encoder ``detector``: what a detector says of each clip of a run, as stored and after delivery.

A suite chooses the detector with ``encoders: {detector: world}``: a packaged one, or the path of a file that
``screentest train detector`` wrote. ``reference`` is the packaged one of the reference world.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...metrics.encoders.base import Encoder, EncoderOptions, FileEncoder, NotApplicable, Record
from ...metrics.encoders.registry import ENCODERS, EncoderEntry
from .delivery import DELIVERY_VERSION, TRANSCODES, deliver
from .detector import Detection, Detector, load_detector
from .preparation import FileFacts, SegmentReader, UnfitClip, prepare

if TYPE_CHECKING:
    from ...harness.core.clip_info import ClipInfo, Window
    from ...harness.core.keys import Json

__all__ = ["DETECTOR", "FILE_FACTS", "DetectorEncoder", "FileFactsEncoder"]

DETECTOR: Final = "detector"
FILE_FACTS: Final = "file-facts"
_VERSION: Final = 2
_FACTS_VERSION: Final = 1
_REFERENCE: Final = "world"


class DetectorEncoder(Encoder):
    """Score a clip's first segment, as stored and after each of `TRANSCODES`.

    The feature is a record without arrays; its metadata are the detector's ``card``, ``stored``,
    ``delivered`` by delivery, and ``metadata``, the weights of the detector of metadata.

    Args:
        source: name or path of the detector's file.
        options: device.

    Raises:
        UsageError: there is no such detector, or it was fit on features of another digest.
        MissingWeightsError: the weights of its encoder are not on this machine.
    """

    name = DETECTOR

    def __init__(self, source: str, options: EncoderOptions) -> None:
        self.weights_source = source
        self.detector = Detector(load_detector(source), options)

    def identity(self) -> Mapping[str, Json]:
        """List the versions, the detector's digest, and the deliveries."""
        return {
            "version": _VERSION,
            "detector": self.detector.file.digest,
            "deliveries": list(TRANSCODES),
            "delivery_version": DELIVERY_VERSION,
        }

    @property
    def fewest_frames(self) -> int:
        """The number of frames that a clip needs, at the rate that the detector reads."""
        return self.detector.file.preparation.frames

    def open(self, info: ClipInfo) -> _Stream:
        """Start a clip."""
        return _Stream(self.detector, info)


class _Stream:
    def __init__(self, detector: Detector, info: ClipInfo) -> None:
        self._detector, self._info = detector, info
        self._reader = SegmentReader(detector.file.preparation)

    def push(self, window: Window) -> None:
        self._reader.push(window)

    def finish(self) -> Record:
        detector, preparation = self._detector, self._detector.file.preparation
        try:
            (segment,) = self._reader.finish(self._info)
        except UnfitClip as why:
            raise NotApplicable(str(why)) from None
        facts = FileFacts.of(self._info, 0)
        stored = detector.detect(prepare(segment, preparation), facts)
        delivered = {
            name: detector.detect(prepare(deliver(name, segment), preparation), facts) for name in TRANSCODES
        }
        meta: dict[str, Json] = {
            "card": detector.card(),
            "stored": _told(stored),
            "delivered": {name: _told(found) for name, found in delivered.items()},
            "metadata": detector.file.metadata.model_dump(mode="json"),
        }
        return Record({}, meta)


def _told(found: Detection) -> dict[str, Json]:
    return {
        "score": found.score, "threshold": found.threshold, "flagged": found.flagged, "unlike":
        list(found.unlike)
    }  # fmt: skip


class FileFactsEncoder(FileEncoder):
    """Read what a file says of itself, for the detector of metadata: a record without arrays."""

    name = FILE_FACTS

    def identity(self) -> Mapping[str, Json]:
        """List the version."""
        return {"version": _FACTS_VERSION}

    def encode_file(self, path: Path, info: ClipInfo) -> Record:
        """Read rate, length, size, codec and bits a pixel of a file."""
        return Record({}, FileFacts.of(info, path.stat().st_size).as_json())


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    return DetectorEncoder(_REFERENCE if source in (None, "reference") else source, options)


def _build_facts(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return FileFactsEncoder()


ENCODERS.add(
    DETECTOR,
    EncoderEntry(
        "a detector of generated video, with its scores after delivery",
        _build,
        True,
        settings="world, or a detector's file",
    ),
)
ENCODERS.add(FILE_FACTS, EncoderEntry("rate, length, size, codec and bits a pixel of a file", _build_facts))
