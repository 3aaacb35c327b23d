"""Try an encoder before it is relied on: two unlike clips, and two unlike prompts.

Weights that are damaged, or a folder that lacks its tokenizer, load without a word and give every clip or
every prompt the same feature; a score made of that is a number without meaning.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...harness.core.clip_info import ClipInfo, Window
from ...harness.core.errors import MediaError, ScreentestError, UsageError, describe
from .base import Encoder, Feature, PromptedEncoder, Record, TextEncoder

__all__ = ["check_encoder"]

_HEIGHT, _WIDTH, _FPS = 64, 96, 8.0
_TEXTS = ("a red ball falls on the floor", "two old dogs sleep near a fire")
"""Two prompts of as many words, so that a tokenizer that knows no word gives them the same tokens."""


def check_encoder(encoder: Encoder, *, texts: bool) -> None:
    """Let an encoder load its weights and try them, as its ``trial`` says.

    Args:
        encoder: a `TextEncoder` as well where prompts will be encoded.
        texts: whether prompts will be encoded.

    Raises:
        ScreentestError: weights or parts are missing or damaged, or the features mean nothing.
    """
    if isinstance(encoder, PromptedEncoder) and encoder.trial == "embeds":
        _try_pairs(encoder)
        return
    of_items = type(encoder).for_item is not Encoder.for_item  # there is no item to ask about yet
    if encoder.trial == "none" or of_items:
        return
    if encoder.trial == "loads":
        _load(encoder)
        return
    if texts and isinstance(encoder, TextEncoder):
        _try_texts(encoder, encoder)  # first, since a clip's feature may be of words
    _try_clips(encoder)


def _load(encoder: Encoder) -> None:
    """Let an encoder load what it needs; what it makes of the plain clip is not looked at."""
    try:
        _encode(encoder, _clips(16)[0])
    except MediaError:
        pass
    except ScreentestError:
        raise
    except Exception:  # a clip that the encoder does not apply to; a real one gets its own reason
        pass


def _try_clips(encoder: Encoder) -> None:
    _refuse_alike(encoder, "clips", [_read(encoder, encoder, clip) for clip in _clips(encoder.fewest_frames)])


def _try_pairs(encoder: PromptedEncoder) -> None:
    """Show two clips with one prompt, and one of them with another prompt."""
    one, two = _clips(encoder.fewest_frames)
    first, second = (encoder.for_prompt(text) for text in _TEXTS)
    made = _read(encoder, first, one)
    _refuse_alike(encoder, "prompts", [made, _read(encoder, second, one)], f"; {_TOKENIZER}")
    _refuse_alike(encoder, "clips", [made, _read(encoder, first, two)])


def _read(encoder: Encoder, reader: Encoder, frames_THWC: NDArray[np.uint8]) -> NDArray[np.float64]:
    try:
        return _numbers(_encode(reader, frames_THWC))
    except ScreentestError:
        raise
    except Exception as error:
        raise UsageError(
            f"the encoder {encoder.name!r} cannot read a plain clip with the weights "
            f"{encoder.weights_source!r}: {describe(error)}; give a complete folder of its kind of model"
        ) from error


_TOKENIZER = "its tokenizer (tokenizer.json, or vocab.json and merges.txt) may be missing"


def _try_texts(encoder: Encoder, reader: TextEncoder) -> None:
    try:
        made = [np.asarray(reader.encode_text(text), np.float64) for text in _TEXTS]
    except ScreentestError:
        raise
    except Exception as error:
        raise UsageError(
            f"the encoder {encoder.name!r} cannot read a prompt with the weights {encoder.weights_source!r}: "
            f"{describe(error)}; {_TOKENIZER}"
        ) from error
    _refuse_alike(encoder, "prompts", made, f"; {_TOKENIZER}")


def _refuse_alike(encoder: Encoder, what: str, made: list[NDArray[np.float64]], hint: str = "") -> None:
    who = f"the encoder {encoder.name!r}, with the weights {encoder.weights_source!r},"
    one, two = made
    if not (one.size and two.size and np.isfinite(one).all() and np.isfinite(two).all()):
        raise UsageError(f"{who} gives features that are no finite numbers; its weights are damaged")
    if one.shape == two.shape and np.allclose(one, two, rtol=1e-4, atol=1e-7):
        raise UsageError(f"{who} gives two unlike {what} the same feature, so its scores mean nothing{hint}")


def _numbers(feature: Feature | Record) -> NDArray[np.float64]:
    """Give the numbers of a feature: a matrix as it is, the arrays of a record one after the other."""
    if isinstance(feature, Record):
        return np.concatenate([np.ravel(array) for array in feature.arrays.values()]).astype(np.float64)
    return np.asarray(feature, np.float64)


def _encode(encoder: Encoder, frames_THWC: NDArray[np.uint8]) -> Feature | Record:
    count = len(frames_THWC)
    info = ClipInfo(_HEIGHT, _WIDTH, _FPS, count, count / _FPS, "none", "none")
    stream = encoder.open(info)
    stream.push(Window(frames_THWC, np.arange(count) / _FPS, 0))
    return stream.finish()


def _clips(frames: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw a red block that moves over grey, and blue stripes that drift over white."""
    block = np.full((frames, _HEIGHT, _WIDTH, 3), 90, np.uint8)
    stripes = np.full((frames, _HEIGHT, _WIDTH, 3), 240, np.uint8)
    for t in range(frames):
        x = 8 + 3 * t % (_WIDTH - 32)
        block[t, 20:40, x : x + 20] = (220, 40, 30)
        stripes[t, (np.arange(_HEIGHT) + t) % 12 < 5] = (30, 60, 200)
    return block, stripes
