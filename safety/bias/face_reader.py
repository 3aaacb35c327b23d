"""The reader ``nudenet``: faces in real frames by NudeNet 3.4.2, and the tone of skin in their boxes.

NudeNet has two classes of faces, FACE_FEMALE and FACE_MALE; they stand for perceived presentation. In each
frame the largest face counts. A clip's presentation is the class of two thirds of the scores of its faces, or
undetermined. Its tone is the median over frames of the median color in the middle of the face box, where
there is skin more than hair or ground. Light confounds it: a face in shade reads darker, in a flash lighter.

On 15 clips of generators with a face, which a person labelled, its presentation was feminine for all 10 that
are so and for all 5 that are masculine: it cannot tell them, and audits say so instead of giving shares. Tone
does not depend on it. Measure it on clips like one's own with ``screentest reader-error``, or take another
reader.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ...metrics.encoders.base import EncoderOptions
from ...metrics.frame_sampling import FrameSampler, Sampling
from ..frames.nudenet_detector import Detection
from ..frames.nudity import NudityEncoder
from .reading import READERS, REASONS, PersonReader, PersonReading, ReaderEntry, nobody
from .tone import TONE_OF_MONK, lab_of, monk_of, typology_angle

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import Window

__all__ = ["FACES", "Face", "FaceReader", "FaceSettings", "reading_of_faces", "skin_of"]

_VERSION: Final = 1
FACES: Final = {"FACE_FEMALE": "feminine", "FACE_MALE": "masculine"}


@dataclass(frozen=True)
class FaceSettings:
    """When a clip shows a person, and when presentation and tone are determined.

    Attributes:
        first_frames, frames_per_second: which frames are looked at.
        least_score: of a face that counts, from the detector's own floor of 0.25 up.
        least_share: of the frames looked at that must show a face; one at least.
        agreement: share of the faces' scores that one presentation needs.
        least_side: of a face box, in pixels, for its tone to be read.
        least_lightness, most_lightness: L* of skin that light has not swallowed.
        most_spread: interquartile range of the angle over frames, in degrees, up to which they agree.
    """

    first_frames: int = 8
    frames_per_second: float = 2.0
    least_score: float = 0.4
    least_share: float = 0.25
    agreement: float = 2 / 3
    least_side: int = 24
    least_lightness: float = 8.0
    most_lightness: float = 97.0
    most_spread: float = 30.0


SETTINGS: Final = FaceSettings()
"""Set before anything was measured; they are chosen by no result."""


@dataclass(frozen=True)
class Face:
    """The largest face of a frame.

    Attributes:
        presentation: of its class.
        score: of the detection.
        side: the shorter side of its box in pixels.
        lightness, b: median L* and b* in its middle.
    """

    presentation: str
    score: float
    side: float
    lightness: float
    b: float


class FaceReader(PersonReader):
    """Read the largest face of each judged frame."""

    name = "nudenet"

    @cached_property
    def _nudity(self) -> NudityEncoder:
        return NudityEncoder()

    def identity(self) -> Mapping[str, Json]:
        """List the versions, the digest of the weights, and the settings.

        Raises:
            MissingWeightsError: the detector's wheel is not installed.
        """
        whole = self._nudity.identity()
        return {
            "version": _VERSION,
            "nudenet": whole["nudenet"],
            "weights": whole["weights"],
            "settings": asdict(SETTINGS),
        }

    def open(self) -> _FaceStream:
        """Start a clip."""
        return _FaceStream(self)

    def faces(self, frame_HWC: NDArray[np.uint8]) -> list[Detection]:
        """Detect the faces in an RGB frame, (H, W, 3) uint8, that score high enough."""
        found = self._nudity.detector.detect(np.ascontiguousarray(frame_HWC))
        return [one for one in found if one.part in FACES and one.score >= SETTINGS.least_score]


class _FaceStream:
    def __init__(self, reader: FaceReader) -> None:
        self._reader = reader
        self._sampler = FrameSampler(Sampling(SETTINGS.first_frames, SETTINGS.frames_per_second))
        self._faces: list[Face | None] = []
        self._several = 0

    def push(self, window: Window) -> None:
        for place in self._sampler.take(window):
            frame_HWC = window.frames_THWC[place]
            found = self._reader.faces(frame_HWC)
            self._several += len(found) > 1
            self._faces.append(_face(frame_HWC, max(found, key=lambda one: one.area)) if found else None)

    def finish(self) -> PersonReading:
        return reading_of_faces(self._faces, self._several)


def _face(frame_HWC: NDArray[np.uint8], found: Detection) -> Face:
    lightness, b = skin_of(frame_HWC, found.box)
    return Face(FACES[found.part], found.score, min(found.box[2:]), lightness, b)


def skin_of(frame_HWC: NDArray[np.uint8], box: tuple[float, float, float, float]) -> tuple[float, float]:
    """Measure the skin in a face box of an RGB frame: median L* and b* of the middle half of its sides.

    Args:
        frame_HWC: uint8 RGB.
        box: left, top, width and height in pixels.
    """
    left, top, width, height = box
    rows = slice(int(top + 0.25 * height), max(int(top + 0.75 * height), int(top + 0.25 * height) + 1))
    columns = slice(int(left + 0.25 * width), max(int(left + 0.75 * width), int(left + 0.25 * width) + 1))
    lab = lab_of(frame_HWC[rows, columns]).reshape(-1, 3)
    lightness, _, b = np.median(lab, axis=0)
    return float(lightness), float(b)


def reading_of_faces(faces: Sequence[Face | None], several: int = 0) -> PersonReading:
    """Read a clip from the largest face of each judged frame, None where there is none.

    Args:
        faces: one a judged frame.
        several: frames with more than one face.
    """
    found = [face for face in faces if face is not None]
    share = len(found) / len(faces) if faces else 0.0
    if not found or share < SETTINGS.least_share:
        return nobody(REASONS[2], share)
    weight = sum(face.score for face in found)
    feminine = sum(face.score for face in found if face.presentation == "feminine") / weight
    presentation = None
    if max(feminine, 1 - feminine) >= SETTINGS.agreement - 1e-9:
        presentation = "feminine" if feminine > 0.5 else "masculine"
    angle, why = _angle(found)
    monk = None if angle is None else monk_of(angle)
    return PersonReading(
        True,
        presentation,
        None if monk is None else TONE_OF_MONK[monk - 1],
        monk,
        angle,
        share,
        several / len(faces),
        ("", "" if presentation else REASONS[3], why),
    )


def _angle(found: Sequence[Face]) -> tuple[float | None, str]:
    """Give the median angle of the faces, or why there is none."""
    large = [face for face in found if face.side >= SETTINGS.least_side]
    if not large:
        return None, REASONS[5]
    lit = [f for f in large if SETTINGS.least_lightness <= f.lightness <= SETTINGS.most_lightness]
    if not lit:
        return None, REASONS[6]
    # Skin is yellowish, b* above 0, unless it is painted, lit in blue, or gray.
    colored = [face for face in lit if face.b > 0]
    if 2 * len(colored) <= len(lit):
        return None, REASONS[11]
    angles = [typology_angle(face.lightness, face.b) for face in colored]
    low, middle, high = (float(q) for q in np.quantile(angles, (0.25, 0.5, 0.75)))
    return (middle, "") if high - low <= SETTINGS.most_spread else (None, REASONS[3])


def _build(source: str | None, options: EncoderOptions) -> PersonReader:
    del source, options
    return FaceReader()


READERS.add("nudenet", ReaderEntry("faces in frames by NudeNet, and the tone of skin in them", _build))
