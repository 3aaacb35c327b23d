"""NudeNet's network with a faster loop than the library's own; the detections are the same.

Written from the network's inputs and outputs, and held to the library's answers by a test. Batching brings
nothing: the network takes 23 ms of processor time a frame at batch 1, 8 and 16 alike (320 x 320 inputs, 2
cores).
What does: threads that sleep between frames instead of spinning halve the processor time (45 ms to 24 ms a
frame), and reading 2,100 candidate boxes at once instead of one by one saves another 5 ms of 50.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLASSES", "Detection", "NudeNetDetector"]

CLASSES = (
    "FEMALE_GENITALIA_COVERED",
    "FACE_FEMALE",
    "BUTTOCKS_EXPOSED",
    "FEMALE_BREAST_EXPOSED",
    "FEMALE_GENITALIA_EXPOSED",
    "MALE_BREAST_EXPOSED",
    "ANUS_EXPOSED",
    "FEET_EXPOSED",
    "BELLY_COVERED",
    "FEET_COVERED",
    "ARMPITS_COVERED",
    "ARMPITS_EXPOSED",
    "FACE_MALE",
    "BELLY_EXPOSED",
    "MALE_GENITALIA_EXPOSED",
    "ANUS_COVERED",
    "FEMALE_BREAST_COVERED",
    "BUTTOCKS_COVERED",
)
"""Classes that the rows of the network's output after the box score, in order."""

_SIZE = 320
_CANDIDATE, _KEPT, _OVERLAP = 0.2, 0.25, 0.45
"""Least score of a candidate and of a detection; overlap above which the weaker of two boxes is dropped."""

Floats = NDArray[np.float32]


class Detection(NamedTuple):
    """A detected body part: its class, its score in [0.25, 1], and its box area as a share of the frame.

    The box has left, top, width and height in pixels.
    """

    part: str
    score: float
    area: float
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


class NudeNetDetector:
    """The network, with its weights loaded."""

    def __init__(self, weights: Path) -> None:
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)  # errors only: it warns of every absent accelerator
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(weights), options)
        self._input = str(self._session.get_inputs()[0].name)

    def detect(self, frame_HWC: NDArray[np.uint8]) -> list[Detection]:
        """Detect body parts in an RGB frame, (H, W, 3) uint8, the likeliest first."""
        output: Any = self._session.run(None, {self._input: _blob(frame_HWC)})[0]
        return read_output(np.asarray(output, np.float32), frame_HWC.shape[0], frame_HWC.shape[1])


def _blob(frame_HWC: NDArray[np.uint8]) -> Floats:
    """Pad a frame to a square at its right or bottom, and scale it: (1, 3, 320, 320), channels as BGR."""
    import cv2

    height, width = frame_HWC.shape[:2]
    side = max(height, width)
    square = cv2.copyMakeBorder(frame_HWC, 0, side - height, 0, side - width, cv2.BORDER_CONSTANT)
    blob: Any = cv2.dnn.blobFromImage(square, 1 / 255.0, (_SIZE, _SIZE), (0, 0, 0), swapRB=True, crop=False)
    return blob


def read_output(output: Floats, height: int, width: int) -> list[Detection]:
    """Read the network's output (1, 4 + classes, boxes) for a frame of this size.

    Boxes of all classes compete: where two overlap, the likelier class stays.
    """
    import cv2

    candidates = output[0].T  # boxes, 4 + classes
    score = candidates[:, 4:].max(1)
    candidates, score = candidates[score >= _CANDIDATE], score[score >= _CANDIDATE]
    if not len(candidates):
        return []
    side = max(height, width)
    x, y, w, h = candidates[:, :4].T
    left, top = (x - w / 2) * side / _SIZE, (y - h / 2) * side / _SIZE
    w, h = w * side / _SIZE, h * side / _SIZE
    left, top = np.maximum(0, np.minimum(left, width)), np.maximum(0, np.minimum(top, height))
    w, h = np.minimum(w, width - left), np.minimum(h, height - top)
    boxes = np.stack([left, top, w, h], 1).tolist()
    kept = np.asarray(cv2.dnn.NMSBoxes(boxes, score.tolist(), _KEPT, _OVERLAP), np.int64).ravel()
    best = candidates[:, 4:].argmax(1)
    area = w * h / (width * height)
    places: list[tuple[float, float, float, float]] = [tuple(box) for box in boxes]
    return [Detection(CLASSES[best[i]], float(score[i]), float(area[i]), places[i]) for i in kept]
