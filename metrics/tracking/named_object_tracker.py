"""The tracker of named objects: boxes by an open-vocabulary detector, masks by SAM 2.

Its spec is ``DETECTOR?nouns=[ball,gray wall]``, with the options ``masks=SAM2`` and ``score=0.3`` (another
threshold); each model is a folder or a hub id. The short form is ``DETECTOR+SAM2#ball,gray wall@0.3``. The
nouns are those that the ``expect`` of the prompts uses for its objects: their ``name``, or color and shape
(``red ball``).

Without masks, objects are detected in every frame, a box stands for the object's outline, and boxes are
associated over time like regions. With masks, new objects are detected in every eighth frame, and SAM 2
tracks each object from there on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from ...harness.core.config import Config
from ...harness.core.errors import UsageError
from ...harness.core.specs import split_nouns
from ..frame_blocks import FrameBlocks
from .assembly import assemble
from .camera import CameraPath
from .detectors import Boxes, Detector, overlap
from .mask_regions import Found, enlarged, measure_masks, reduced
from .regions import COLUMNS, column
from .sam2 import Masker, MaskOfFrame
from .tracks import ClipShape

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ..encoders.base import EncoderOptions
    from .tracks import Tracks

__all__ = ["FrameMasks", "NamedTracker", "OpenVocabularySource", "read_source"]

_Frames = NDArray[np.uint8]
_F = NDArray[np.float64]
_VERSION: Final = 1
_TOGETHER: Final = 8  # frames per batch of the detector, counted from the first frame
_SEARCHED: Final = 8  # with masks: interval, in frames, of detection of new objects
_LONGEST: Final = 320  # pixels of the longer side at which colors, outlines and masks are measured
_KNOWN: Final = 0.3  # overlap from which a box belongs to an object that is tracked already
_Thing: TypeAlias = tuple[Found, _F | None]
"""An object in a frame, and its `_FORM` from its box, which is more precise than from its mask."""
_FORM: Final = [column(name) for name in ("x", "y", "left", "top", "right", "bottom", "area")]


class FindsBoxes(Protocol):
    """The part of a detector that the tracker uses."""

    @property
    def nouns(self) -> tuple[str, ...]:
        """The nouns that it detects."""
        ...

    def __call__(self, frames_THWC: _Frames) -> list[Boxes]:
        """Detect objects: boxes per frame."""
        ...


class FrameMasks(Protocol):
    """The part of a mask model that the tracker uses; see `sam2.MaskerRun`."""

    def next(self, frame_HWC: _Frames, boxes_M4: _F, size: tuple[int, int]) -> list[MaskOfFrame | None]:
        """Take the next frame and boxes of new objects; return every object's mask in the given size."""
        ...


class NamedObjects(Config):
    """The options of the tracker."""

    nouns: tuple[str, ...] = Field(description="objects to detect, separated by commas")
    masks: str | None = Field(default=None, min_length=1, description="the mask model")
    score: float | None = Field(default=None, description="least score of a box, between 0 and 1")

    @field_validator("nouns", mode="before")
    @classmethod
    def _listed(cls, given: object) -> object:
        if not isinstance(given, str):
            return given
        nouns = tuple(" ".join(word.lower().split()) for word in given.split(","))
        if not all(nouns):
            raise ValueError("one of the nouns is empty; it does not say what to detect")
        if twice := sorted({noun for noun in nouns if nouns.count(noun) > 1}):
            raise ValueError(f"it names the noun {twice[0]!r} twice")
        return nouns

    @field_validator("score", mode="before")
    @classmethod
    def _a_score(cls, given: object) -> object:
        try:
            value = float(str(given))
        except ValueError:
            value = float("nan")
        if given is not None and not 0 < value < 1:
            raise ValueError(
                f"it ends in the score {given!r}; a box's least score is between 0 and 1, as in 'ball@0.3'"
            )
        return given


class OpenVocabularySource:
    """The tracker with an open-vocabulary detector.

    Args:
        source: the spec, as in the module's docstring.
        options: device and dtype of the models.

    Raises:
        UsageError: there are no nouns, or a model is of another kind.
        MissingWeightsError: weights are not on this machine.
    """

    def __init__(self, source: str, options: EncoderOptions) -> None:
        detector, masker, nouns, threshold = read_source(source)
        self._detector = Detector(detector, nouns, threshold, options)
        self._masker = Masker(masker, options) if masker else None

    def identity(self) -> Mapping[str, Json]:
        """List the version and the identities of the models, without loading them."""
        return {
            "source": "open vocabulary",
            "version": _VERSION,
            "longest": _LONGEST,
            "detector": dict(self._detector.identity()),
            "masks": None if self._masker is None else dict(self._masker.identity()),
            "searched": 1 if self._masker is None else _SEARCHED,
        }

    def open(self) -> NamedTracker:
        """Start a clip."""
        return NamedTracker(self._detector, None if self._masker is None else self._masker.open())


def read_source(source: str) -> tuple[str, str | None, tuple[str, ...], float | None]:
    """Parse the spec: the detector, the mask model, the nouns and the threshold.

    Raises:
        UsageError: there are no nouns, one is repeated, or the threshold is not a score.

    Example:
        >>> read_source("google/owlv2-base-patch16-ensemble#ball,gray wall@0.2")
        ('google/owlv2-base-patch16-ensemble', None, ('ball', 'gray wall'), 0.2)
    """
    spec = split_nouns(source, f"the source {source!r} of the encoder 'tracks'")
    if not spec.options.get("nouns"):
        raise UsageError(
            f"{spec.whose} does not say what to detect; add the nouns, as in "
            f"'{spec.argument or source}#ball,wall'"
        )
    settings = spec.settings(NamedObjects)
    if not spec.argument:
        raise UsageError(
            f"{spec.whose} names no model; give one, as in 'google/owlv2-base-patch16#ball,wall'"
        )
    return spec.argument, settings.masks, settings.nouns, settings.score


class NamedTracker:
    """Detect named objects in the frames of a clip, measure them, and associate them over time."""

    def __init__(self, detector: FindsBoxes, masks: FrameMasks | None) -> None:
        self._detector, self._masks = detector, masks
        self._blocks = FrameBlocks(_TOGETHER, self._search)
        self._rows: list[_F] = []
        self._camera = CameraPath()
        self._nouns_of_things: list[int] = []
        self._last: list[MaskOfFrame | None] = []
        self._done = 0
        self._scale = 1.0

    def push(self, frames_THWC: _Frames) -> None:
        """Take the next frames."""
        for frame in frames_THWC:
            self._blocks.add(frame)

    def finish(self, clip: ClipShape) -> Tracks:
        """Associate the detections and return the tracks."""
        self._blocks.finish()
        rows = np.concatenate(self._rows) if self._rows else np.empty((0, len(COLUMNS)))
        camera = self._camera.finish()
        camera[:, :2] *= self._scale
        return assemble(enlarged(rows, self._scale), clip, camera, self._detector.nouns)

    def _search(self, frames: _Frames) -> None:
        if self._masks is not None:
            self._follow(frames, self._masks)
            return
        for frame, boxes in zip(frames, self._detector(frames), strict=True):
            small, scale = reduced(frame, _LONGEST)
            self._measure(small, scale, _boxes_as_things(boxes, small.shape[:2], scale))

    def _follow(self, frames: _Frames, masks: FrameMasks) -> None:
        for frame in frames:
            small, scale = reduced(frame, _LONGEST)
            fresh = self._new_boxes(frame, scale) if self._done % _SEARCHED == 0 else np.empty((0, 4))
            self._last = masks.next(frame, fresh, (small.shape[0], small.shape[1]))
            things: list[_Thing] = [
                (Found(seen.mask_HW, seen.confidence, float(noun), float(n)), None)
                for n, (seen, noun) in enumerate(zip(self._last, self._nouns_of_things, strict=True))
                if seen is not None
            ]
            self._measure(small, scale, things)

    def _new_boxes(self, frame: _Frames, scale: float) -> _F:
        """Detect objects that are not tracked yet: their boxes (M, 4) in the frame's pixels."""
        (boxes,) = self._detector(frame[None])
        known = [_box_of(seen.mask_HW) * scale for seen in self._last if seen is not None]
        fresh = [k for k, box in enumerate(boxes.edges_M4) if all(overlap(box, o) <= _KNOWN for o in known)]
        self._nouns_of_things += boxes.nouns_M[fresh].tolist()
        return boxes.edges_M4[fresh]

    def _measure(self, small: _Frames, scale: float, things: list[_Thing]) -> None:
        self._scale = scale
        rows = measure_masks(small, self._done, [found for found, _ in things])
        covered = np.zeros(small.shape[:2], bool)
        for row, (found, form) in zip(rows, things, strict=True):
            covered |= found.mask_HW
            if form is not None:
                row[_FORM] = form
        self._rows.append(rows)
        self._camera.push(small[None], covered[None])
        self._done += 1


def _boxes_as_things(boxes: Boxes, size: tuple[int, ...], scale: float) -> list[_Thing]:
    """Turn boxes into masks of the reduced frame, each with its exact place, edges and area."""
    height, width = size
    things: list[_Thing] = []
    for box, score, noun in zip(boxes.edges_M4 / scale, boxes.scores_M, boxes.nouns_M, strict=True):
        left, top, right, bottom = (float(edge) for edge in box)
        x0, y0 = min(int(left), width - 1), min(int(top), height - 1)
        mask = np.zeros((height, width), bool)
        mask[y0 : max(y0 + 1, round(bottom)), x0 : max(x0 + 1, round(right))] = True
        # Box edges are relative to the frame's edge, places to the centre of its first pixel.
        place = [0.5 * (left + right) - 0.5, 0.5 * (top + bottom) - 0.5]
        form = np.array([*place, *(box - 0.5), (right - left) * (bottom - top)])
        things.append((Found(mask, float(score), float(noun)), form))
    return things


def _box_of(mask_HW: NDArray[np.bool_]) -> _F:
    ys, xs = np.nonzero(mask_HW)
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], np.float64)
