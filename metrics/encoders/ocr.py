"""The encoder ``text``: lines of text that can be read in sampled frames, by RapidOCR.

RapidOCR runs the networks of PaddleOCR (PP-OCRv4: where text is, which way up, what it says; Chinese and
Latin letters) on ONNX Runtime. They come inside its wheel, and no hub is needed.

Its wheel asks for ``opencv-python``, which would overwrite the ``opencv-python-headless`` of this package, so
it is installed without what it asks for; the extra ``ocr`` brings the rest.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import MediaError, MissingWeightsError
from ...harness.core.keys import file_sha256
from ..frame_sampling import FrameSampler, Sampling
from .base import Encoder, EncoderOptions, Record, Stream
from .registry import ENCODERS, EncoderEntry

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["LAYOUT", "SAMPLING", "TEXT", "OcrEncoder", "TextLine", "TextReading"]

TEXT: Final = "text"
"""Name of the encoder and of its feature."""
LAYOUT: Final = 1
SAMPLING: Final = Sampling(first_frames=1, frames_per_second=2.0)
"""A frame takes 0.35 to 0.4 s of processor time whatever its size, since small ones are made larger."""
LEAST_CONFIDENCE: Final = 0.5
"""Lines that are read less surely are dropped; measures may ask for more."""
_VERSION: Final = 1
_PACKAGE: Final = "rapidocr_onnxruntime"
_DISTRIBUTION: Final = "rapidocr-onnxruntime"
_MODELS: Final = (
    "ch_PP-OCRv4_det_infer.onnx",
    "ch_PP-OCRv4_rec_infer.onnx",
    "ch_ppocr_mobile_v2.0_cls_infer.onnx",
)


@dataclass(frozen=True)
class TextLine:
    """One line of text in one frame.

    Attributes:
        text: as it is read.
        confidence: mean of the reader's certainty of its letters, in [0.5, 1].
        frame: number of the frame in the clip, from 0.
        seconds: its time.
        box: four corners (x, y) in pixels, clockwise from the one where the line begins.
        height: height of the line, as a share of the frame's height.
    """

    text: str
    confidence: float
    frame: int
    seconds: float
    box: tuple[tuple[float, float], ...]
    height: float


@dataclass(frozen=True)
class TextReading:
    """All lines in the sampled frames of a clip.

    Attributes:
        frames: numbers of the frames that were read, in order.
        seconds: their times.
        lines: in the order of the frames; in a frame from top to bottom.
    """

    frames: tuple[int, ...]
    seconds: tuple[float, ...]
    lines: tuple[TextLine, ...]

    @classmethod
    def from_record(cls, record: Record) -> TextReading:
        """Read the feature of the encoder ``text``.

        Raises:
            ValueError: it is no record of this layout.
        """
        meta: Mapping[str, Any] = record.meta
        if meta.get("layout") != LAYOUT:
            raise ValueError(f"the feature {TEXT!r} is no record of lines of layout {LAYOUT}")
        arrays = record.arrays
        frames = tuple(int(frame) for frame in arrays["frames_T"])
        seconds = tuple(float(time) for time in arrays["times_T"])
        lines = tuple(
            TextLine(
                text=str(text),
                confidence=float(confidence),
                frame=frames[int(row)],
                seconds=seconds[int(row)],
                box=tuple((float(x), float(y)) for x, y in box_42),
                height=_line_height(box_42) / float(meta["height"]),
            )
            for text, confidence, row, box_42 in zip(
                meta["lines"], arrays["confidence_K"], arrays["row_K"], arrays["box_K42"], strict=True
            )
        )
        return cls(frames, seconds, lines)


def _line_height(box_42: NDArray[Any]) -> float:
    """Measure the mean length of the two sides at the ends of a line, in pixels."""
    return float(np.linalg.norm(box_42[[3, 2]] - box_42[[0, 1]], axis=1).mean())


class OcrEncoder(Encoder):
    """Read text in the frames of `SAMPLING`; the feature is a record that `TextReading.from_record` reads."""

    name = TEXT

    @property
    def fewest_frames(self) -> int:
        """One: every frame is read on its own."""
        return 1

    @cached_property
    def models(self) -> tuple[Path, ...]:
        """Paths of the networks.

        Raises:
            MissingWeightsError: the package is not installed.
        """
        spec = importlib.util.find_spec(_PACKAGE)
        folder = next(iter(spec.submodule_search_locations or ()), None) if spec is not None else None
        paths = () if folder is None else tuple(Path(folder) / "models" / name for name in _MODELS)
        if not paths or not all(path.is_file() for path in paths):
            raise MissingWeightsError(
                f"the encoder {TEXT!r} needs {_DISTRIBUTION}, whose wheel has the networks: install it with "
                f"`pip install 'screentest[ocr]' && pip install --no-deps {_DISTRIBUTION}==1.4.4`"
            )
        return paths

    @cached_property
    def _identity(self) -> Mapping[str, Json]:
        digests = {path.name: file_sha256(path) for path in self.models}
        return {
            "version": _VERSION,
            "layout": LAYOUT,
            "rapidocr": importlib.metadata.version(_DISTRIBUTION),
            "models": digests,
            "sampling": asdict(SAMPLING),
            "least_confidence": LEAST_CONFIDENCE,
        }

    def identity(self) -> Mapping[str, Json]:
        """List the versions, the digests of the networks, the sampling and the least confidence."""
        return self._identity

    @cached_property
    def _reader(self) -> Any:
        self.models  # noqa: B018  # says what to install
        from rapidocr_onnxruntime import RapidOCR

        # One thread: more of them wait for each other by spinning. Workers read several clips at once.
        return RapidOCR(text_score=LEAST_CONFIDENCE, intra_op_num_threads=1, inter_op_num_threads=1)

    def read_frame(self, frame_HWC: NDArray[np.uint8]) -> list[tuple[NDArray[np.float64], str, float]]:
        """Read one RGB frame, uint8 (H, W, 3): corners (4, 2), text and confidence of each line."""
        found, _ = self._reader(np.ascontiguousarray(frame_HWC[:, :, ::-1]))  # it takes BGR
        return [(np.asarray(box, np.float64), str(text), float(sure)) for box, text, sure in found or ()]

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        return _TextStream(self, info)


class _TextStream:
    def __init__(self, encoder: OcrEncoder, info: ClipInfo) -> None:
        self._encoder, self._height, self._width = encoder, info.height, info.width
        self._sampler = FrameSampler(SAMPLING)
        self._seen = 0
        self._frames: list[int] = []
        self._times: list[float] = []
        self._lines: list[tuple[int, NDArray[np.float64], str, float]] = []

    def push(self, window: Window) -> None:
        for place in self._sampler.take(window):
            row = len(self._frames)
            self._frames.append(self._seen + place)
            self._times.append(float(window.times_T[place]))
            found = self._encoder.read_frame(window.frames_THWC[place])
            self._lines += [(row, box, text, sure) for box, text, sure in found]
        self._seen += len(window.frames_THWC)

    def finish(self) -> Record:
        if not self._frames:
            raise MediaError("the clip has no frames")
        return _record(self._frames, self._times, self._lines, (self._height, self._width))


def _record(
    frames: Sequence[int],
    times: Sequence[float],
    lines: Sequence[tuple[int, NDArray[np.float64], str, float]],
    size: tuple[int, int],
) -> Record:
    arrays: dict[str, NDArray[Any]] = {
        "frames_T": np.asarray(frames, np.int64),
        "times_T": np.asarray(times, np.float64),
        "row_K": np.asarray([row for row, *_ in lines], np.int64),
        "box_K42": np.asarray([box for _, box, *_ in lines], np.float64).reshape(-1, 4, 2),
        "confidence_K": np.asarray([sure for *_, sure in lines], np.float64),
    }
    meta: dict[str, Json] = {
        "layout": LAYOUT,
        "height": size[0],
        "width": size[1],
        "lines": [text for _, _, text, _ in lines],
    }
    return Record(arrays, meta)


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return OcrEncoder()


ENCODERS.add(TEXT, EncoderEntry("text that can be read in sampled frames, by RapidOCR", _build))
