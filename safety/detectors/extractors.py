"""What detectors look at: a vector of numbers for each prepared clip, by the kind of detector.

d3            spread of second differences of frame features (training-free)
path          straightness of the path of frame features, 21 numbers
spectral      azimuthal power spectrum of frames, its slope and its peaks
differences   statistics of the differences of neighbouring frames
residual      statistics of noise residuals of luma and chroma
interpolation traces of frames that were made from their neighbours
edges         profiles of edges, and what rings beside them
combined      all five of these and the path of small pictures, and beside the learned weights how far a clip
              lies from the real ones; needs no encoder
probe         mean and spread of frame features, for a linear probe
classifier    an image or video classifier of transformers
metadata      what the file says of itself; beside every other detector
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.arrays import Floats
from ...harness.core.errors import UsageError, unknown_name
from ...metrics.encoders.base import EncoderOptions, FrameEncoder
from ...metrics.encoders.registry import make_encoder
from .differences import DIFFERENCE_COLUMNS, difference_numbers
from .edges import EDGE_COLUMNS, edge_numbers
from .extractor import Extractor
from .interpolation import INTERPOLATION_COLUMNS, interpolation_numbers
from .path_geometry import PATH_COLUMNS, second_difference_spread, straightness
from .preparation import FileFacts, PreparedClip
from .residuals import CHANNELS, RESIDUAL_COLUMNS, residual_numbers
from .spectral import SPECTRAL_COLUMNS, spectral_numbers

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = [
    "KINDS",
    "METADATA_COLUMNS",
    "MetadataExtractor",
    "make_extractor",
    "metadata_numbers",
]

_CODECS: Final = ("h264", "hevc", "gif", "mpeg4", "mjpeg", "vp9", "av1")
METADATA_COLUMNS: Final = (
    "fps", "seconds", "height", "width", "bits_per_pixel", *(f"codec_{name}" for name in _CODECS),
    "codec_other",
)  # fmt: skip
"""Logs of rate, length, size, and of bits a pixel in steps of a tenth, which is what a second encoding can be
held to; and the codec."""


class _PixelExtractor(Extractor):
    """Base of extractors without weights: version 1 of named functions of pixels."""

    version: ClassVar[int] = 1

    def identity(self) -> Mapping[str, Json]:
        """List the version and the columns."""
        return {"version": self.version, "columns": list(self.columns)}


class _Numbers(_PixelExtractor):
    """Numbers of pixels that one function computes of the frames, uint8 RGB (T, H, W, 3)."""

    def __init__(
        self, kind: str, columns: tuple[str, ...], numbers: Callable[[NDArray[np.uint8]], Floats]
    ) -> None:
        self.kind = kind
        self.columns = columns
        self._numbers = numbers

    def extract(self, clip: PreparedClip) -> Floats:
        return self._numbers(clip.frames_THWC)


class _Combined(_PixelExtractor):
    kind = "combined"
    version = 2
    columns = (
        *SPECTRAL_COLUMNS, *DIFFERENCE_COLUMNS, *(f"path_{name}" for name in PATH_COLUMNS),
        *RESIDUAL_COLUMNS, *INTERPOLATION_COLUMNS, *EDGE_COLUMNS,
    )  # fmt: skip
    groups = (
        len(SPECTRAL_COLUMNS), len(DIFFERENCE_COLUMNS), len(PATH_COLUMNS),
        *(len(RESIDUAL_COLUMNS) // len(CHANNELS) for _ in CHANNELS),
        len(INTERPOLATION_COLUMNS), len(EDGE_COLUMNS),
    )  # fmt: skip

    def extract(self, clip: PreparedClip) -> Floats:
        import cv2

        frames = clip.frames_THWC
        small = [
            cv2.resize(frame, (16, 16), interpolation=cv2.INTER_AREA).ravel() / 255.0 for frame in frames
        ]
        path = straightness(np.stack(small).astype(np.float64))
        of_pixels = (spectral_numbers, difference_numbers)
        traces = (residual_numbers, interpolation_numbers, edge_numbers)
        return np.concatenate([*(f(frames) for f in of_pixels), path, *(f(frames) for f in traces)])


class MetadataExtractor(_PixelExtractor):
    """Read the file's facts, before or after the preparation; no pixel is looked at."""

    kind = "metadata"
    columns = METADATA_COLUMNS

    def __init__(self, *, before: bool = True) -> None:
        self._before = before

    def identity(self) -> Mapping[str, Json]:
        """List the version, the columns, and which facts are read."""
        return {**super().identity(), "before": self._before}

    def extract(self, clip: PreparedClip) -> Floats:
        """Compute the numbers of `METADATA_COLUMNS`.

        Raises:
            UsageError: the clip was never a file.
        """
        facts = clip.before if self._before else clip.after
        if facts is None:
            raise UsageError("a detector of metadata reads files, and this clip has none")
        return metadata_numbers(facts)


def metadata_numbers(facts: FileFacts) -> Floats:
    """Write the facts of a file as the numbers of `METADATA_COLUMNS`."""
    codec = facts.codec if facts.codec in _CODECS else "other"
    return np.array(
        [
            np.log10(facts.fps),
            np.log10(facts.frames / facts.fps),
            np.log10(facts.height),
            np.log10(facts.width),
            np.round(np.log10(facts.bits_per_pixel) / np.log10(1.1)) * np.log10(1.1),
            *(float(codec == name) for name in (*_CODECS, "other")),
        ]
    )


class _Encoded(Extractor):
    """Base of extractors that read the frames through an encoder of the registry."""

    version: ClassVar[int] = 1

    def __init__(self, encoder: FrameEncoder) -> None:
        self._encoder = encoder

    def identity(self) -> Mapping[str, Json]:
        """List the version and the encoder's digest."""
        return {"version": self.version, "encoder": self._encoder.digest}

    def extract(self, clip: PreparedClip) -> Floats:
        return self.of_rows(clip.rows(self._encoder))

    @abstractmethod
    def of_rows(self, rows_TD: Floats) -> Floats:
        """Compute the vector from one feature a frame."""


class _D3(_Encoded):
    kind = "d3"
    columns = ("second_difference_spread",)
    falling = True

    def of_rows(self, rows_TD: Floats) -> Floats:
        return np.array([second_difference_spread(rows_TD)])


class _Path(_Encoded):
    kind = "path"
    columns = PATH_COLUMNS

    def of_rows(self, rows_TD: Floats) -> Floats:
        return straightness(rows_TD)


class _Probe(_Encoded):
    kind = "probe"

    def of_rows(self, rows_TD: Floats) -> Floats:
        return np.concatenate([rows_TD.mean(axis=0), rows_TD.std(axis=0)])


_PIXELS: Final[Mapping[str, Callable[[], Extractor]]] = {
    **{
        kind: partial(_Numbers, kind, columns, numbers)
        for kind, columns, numbers in (
            ("spectral", SPECTRAL_COLUMNS, spectral_numbers),
            ("differences", DIFFERENCE_COLUMNS, difference_numbers),
            ("residual", RESIDUAL_COLUMNS, residual_numbers),
            ("interpolation", INTERPOLATION_COLUMNS, interpolation_numbers),
            ("edges", EDGE_COLUMNS, edge_numbers),
        )
    },
    _Combined.kind: _Combined,
    MetadataExtractor.kind: MetadataExtractor,
}
_ENCODED: Final[Mapping[str, Callable[[FrameEncoder], Extractor]]] = {
    made.kind: made for made in (_D3, _Path, _Probe)
}
KINDS: Final = (*_ENCODED, *_PIXELS, "classifier")


def make_extractor(
    kind: str,
    encoder: str | None = None,
    label: str | None = None,
    options: EncoderOptions | None = None,
) -> Extractor:
    """Make an extractor by its kind, without loading weights.

    Args:
        kind: one of `KINDS`.
        encoder: for kinds that read through one: ``ROLE=SOURCE`` of an encoder of single frames, such as
            ``subject=reference``; for a classifier its hub id or folder.
        label: of a classifier: the label that means generated.
        options: device and dtype.

    Raises:
        UsageError: an unknown kind, an encoder that is missing, not wanted or reads no single frames.
        MissingWeightsError: the weights are not on this machine.
    """
    if kind not in KINDS:
        raise unknown_name("kind of detector", kind, KINDS)
    if label is not None and kind != "classifier":
        raise UsageError(f"a label is for detectors of the kind 'classifier', not {kind!r}")
    if kind in _PIXELS:
        if encoder is not None:
            raise UsageError(f"a detector of the kind {kind!r} reads no encoder; leave {encoder!r} out")
        return _PIXELS[kind]()
    if kind == "classifier":
        from .classifiers import ClassifierExtractor

        if encoder is None or label is None:
            raise UsageError(
                "a detector of the kind 'classifier' needs the hub id or folder of a classifier as its "
                "encoder, and the label that means generated"
            )
        return ClassifierExtractor(encoder, label, options or EncoderOptions())
    return _ENCODED[kind](_frame_encoder(kind, encoder, options))


def _frame_encoder(kind: str, encoder: str | None, options: EncoderOptions | None) -> FrameEncoder:
    if encoder is None:
        raise UsageError(
            f"a detector of the kind {kind!r} reads the features of frames; name their encoder, such as "
            "subject=reference"
        )
    role, equals, source = encoder.partition("=")
    made = make_encoder(role, source if equals else None, options)
    if not isinstance(made, FrameEncoder):
        raise UsageError(
            f"the encoder {role!r} gives no feature for each frame by itself, which {kind!r} needs; use "
            "clip, subject or image"
        )
    return made
