"""The ``clap`` encoder and its measure: agreement of what is heard with what should be, by CLAP."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import MediaError
from ..base import Sample, Scored, measure
from ..encoders.base import Encoder, EncoderOptions, Feature, NotApplicable, Stream
from ..encoders.registry import ENCODERS, EncoderEntry
from ..encoders.weights import find_weights, load_model, model_type, torch_device
from ..expectation import ANY_SOUND, NO_SOUND, read_expectation

if TYPE_CHECKING:
    from ...harness.core.items import Item
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["ClapEncoder", "heard_text", "sound_alignment"]

CLAP: Final = "clap"
_VERSION: Final = 1
_SILENT: Final = 10.0 ** (-60.0 / 20.0)


class ClapEncoder(Encoder):
    """Compare the sound of a clip with a text: float32 (windows, 2), a cosine and the seconds of each window.

    The text is what the prompt says should be heard (``expect: {sound: a dog barks}``), or else the prompt.
    Sound is brought to one channel at the model's rate, and read in windows of the length that the model
    takes, without overlap; the library's own feature extractor prepares a window, and fills up a short one.
    Text is cut to what the text tower reads.

    Args:
        source: a folder or a hub id of a `ClapModel` (laion/clap-htsat-unfused ...).
        options: device and dtype.

    Raises:
        UsageError: another kind of model.
        MissingWeightsError: the weights are not on this machine and cannot be downloaded.
    """

    name = CLAP
    hears = True
    trial = "none"
    model_types: ClassVar[tuple[str, ...]] = ("clap",)

    def __init__(self, source: str, options: EncoderOptions) -> None:
        self.weights_source = source
        self._options = options
        self._weights = find_weights(CLAP, source)
        _ = model_type(self._weights, CLAP, self.model_types)

    @property
    def fewest_frames(self) -> int:
        """The number of frames that a clip needs to have a feature."""
        return 1

    @cached_property
    def _identity(self) -> Mapping[str, Json]:
        return {"version": _VERSION, "weights": self._weights.digest, "dtype": self._options.dtype}

    def identity(self) -> Mapping[str, Json]:
        """List the version, the digest of weights, settings and tokenizer, and the dtype."""
        return self._identity

    def for_item(self, item: Item) -> Encoder:
        """Return the encoder that compares with what this item should sound like."""
        return _OfText(self, heard_text(item))

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip without a text."""
        return _OfText(self, "").open(info)

    @cached_property
    def _model(self) -> Any:
        from transformers import ClapModel

        return load_model(self._weights, ClapModel, self._options)

    @cached_property
    def extractor(self) -> Any:
        """The library's feature extractor, with the model's settings."""
        from transformers import ClapFeatureExtractor

        return ClapFeatureExtractor.from_pretrained(self._weights.path, local_files_only=True)

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self._weights.path, local_files_only=True)

    @cached_property
    def _room(self) -> int:
        """Tokens that the text tower reads: two places of RoBERTa's table are not for tokens."""
        config = self._weights.config().get("text_config") or {}
        return int(config.get("max_position_embeddings", 514)) - 2

    def cosine(self, samples_N: NDArray[np.float32], text: str) -> float:
        """Compare one window of sound, one channel at the model's rate, with a text: in [-1, 1]."""
        import torch

        device = torch_device(self._options)
        given = self.extractor(samples_N, sampling_rate=self.extractor.sampling_rate, return_tensors="pt")
        words = self._tokenizer(text, truncation=True, max_length=self._room, return_tensors="pt").to(device)
        with torch.inference_mode():
            heard = self._model.get_audio_features(
                input_features=given["input_features"].to(device, self._model.dtype),
                is_longer=given["is_longer"].to(device),
            )
            said = self._model.get_text_features(
                input_ids=words["input_ids"], attention_mask=words["attention_mask"]
            )
            heard_1D, said_1D = (getattr(made, "pooler_output", made).float() for made in (heard, said))
            return float(torch.nn.functional.cosine_similarity(heard_1D, said_1D)[0])


def heard_text(item: Item) -> str | None:
    """Say what an item should sound like: in the words of its ``expect``, or else of its prompt.

    None where neither says it, or silence is asked for.
    """
    try:
        wanted = read_expectation(item.expect).sound
    except NotApplicable:
        wanted = None
    if wanted == NO_SOUND:
        return None
    return item.prompt if wanted in (None, ANY_SOUND) else wanted


class _OfText(Encoder):
    """The encoder of one text, which is part of the identity."""

    name = CLAP
    hears = True

    def __init__(self, encoder: ClapEncoder, text: str | None) -> None:
        self._encoder, self._text = encoder, text

    def identity(self) -> Mapping[str, Json]:
        return {**self._encoder.identity(), "text": self._text}

    def open(self, info: ClipInfo) -> Stream:
        del info
        return _Listener(self._encoder, self._text)


class _Listener:
    def __init__(self, encoder: ClapEncoder, text: str | None) -> None:
        self._encoder, self._text = encoder, text
        self._resampler: Any = None
        self._waiting = np.zeros(0, np.float32)
        self._rows: list[tuple[float, float]] = []
        self._loudest = 0.0

    def push(self, window: Window) -> None:
        if self._text is None:
            return
        for chunk in window.sound:
            if chunk.problem:
                raise MediaError(chunk.problem)
            self._take(self._resampled(chunk.samples_CN, chunk.rate))

    def finish(self) -> Feature:
        if self._text is None:
            raise NotApplicable("neither the prompt nor its expectation says what should be heard")
        if self._resampler is None:
            raise NotApplicable("the clip has no sound")
        self._take(self._drained())
        if len(self._waiting) and (not self._rows or len(self._waiting) >= self._rate):
            self._compare(self._waiting)
        if self._loudest < _SILENT:
            raise NotApplicable("the clip's sound is silent")
        return np.array(self._rows, np.float32).reshape(-1, 2)

    @property
    def _rate(self) -> int:
        return int(self._encoder.extractor.sampling_rate)

    def _resampled(self, samples_CN: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        import av

        if self._resampler is None:
            self._resampler = av.AudioResampler(format="fltp", layout="mono", rate=self._rate)
        mono = np.ascontiguousarray(samples_CN.mean(axis=0, keepdims=True), np.float32)
        frame = av.AudioFrame.from_ndarray(mono, format="fltp", layout="mono")
        frame.sample_rate = rate
        return _joined(self._resampler.resample(frame))

    def _drained(self) -> NDArray[np.float32]:
        return _joined(self._resampler.resample(None))

    def _take(self, samples_N: NDArray[np.float32]) -> None:
        waiting = np.concatenate([self._waiting, samples_N])
        size = int(self._encoder.extractor.nb_max_samples)
        while len(waiting) >= size:
            self._compare(waiting[:size])
            waiting = waiting[size:]
        self._waiting = waiting

    def _compare(self, samples_N: NDArray[np.float32]) -> None:
        assert self._text is not None
        self._loudest = max(self._loudest, float(np.abs(samples_N).max()))
        self._rows.append((self._encoder.cosine(samples_N, self._text), len(samples_N) / self._rate))


def _joined(frames: Any) -> NDArray[np.float32]:
    parts = [np.asarray(frame.to_ndarray(), np.float32)[0] for frame in frames if frame is not None]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


@measure("alignment.clap", version=1, needs=(CLAP,), better="higher", bounds=(0.0, 100.0))
def sound_alignment(sample: Sample) -> Scored:
    """Agreement of the sound with what should be heard: 100 max(cos(sound, text), 0) by CLAP, over the clip.

    Windows of sound count by their seconds. The text is ``expect: {sound: ...}`` in words, or the prompt.

    Raises:
        NotApplicable: nothing is heard, or nothing says what should be.
    """
    cosine_W, seconds_W = sample.features[CLAP].astype(np.float64).T
    value = float(np.average(100.0 * np.clip(cosine_W, 0.0, 1.0), weights=seconds_W))
    return Scored(value, {"windows": len(cosine_W), "text": heard_text(sample.item)})


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    return ClapEncoder(source or "", options)


ENCODERS.add(
    CLAP,
    EncoderEntry(
        "CLAP: agreement of a clip's sound with what should be heard",
        _build,
        True,
        shipped=False,
        settings="a Hugging Face id or a folder of a CLAP model",
    ),
)
