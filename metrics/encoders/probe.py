"""Try an encoder before it is relied on: two unlike clips, and two unlike prompts.

Weights that are damaged, or a folder that lacks its tokenizer, load without a word and give every clip or
every prompt the same feature; a score made of that is a number without meaning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...harness.core.clip_info import ClipInfo, Window
from ...harness.core.errors import MediaError, ScreentestError, UsageError, describe

if TYPE_CHECKING:
    from .base import Encoder, Feature, Record, TextEncoder

__all__ = ["try_encoder", "try_pictures", "try_texts"]

_HEIGHT, _WIDTH, _FPS = 64, 96, 8.0
_TEXTS = ("a red ball falls on the floor", "two old dogs sleep near a fire")
"""Two prompts of as many words, so that a tokenizer that knows no word gives them the same tokens."""


def try_encoder(encoder: Encoder, frames: int = 16) -> None:
    """Let an encoder load what it needs, on a plain clip. What it makes of the clip is not looked at.

    Raises:
        ScreentestError: its weights are missing or damaged, or its settings are wrong.
    """
    try:
        _encode(encoder, _clips(frames)[0])
    except MediaError:
        pass
    except ScreentestError:
        raise
    except Exception:  # a clip that the encoder does not apply to; a real one gets its own reason
        pass


def try_pictures(encoder: Encoder, source: str, frames: int) -> None:
    """Hold an encoder to two clips without anything in common: its features are finite and differ.

    Args:
        encoder: gives matrices.
        source: of its weights, for the message.
        frames: so many has a clip.

    Raises:
        UsageError: the features are the same, are no finite numbers, or cannot be made.
    """
    try:
        made = [np.asarray(_encode(encoder, clip), np.float64) for clip in _clips(frames)]
    except ScreentestError:
        raise
    except Exception as error:
        raise UsageError(
            f"the encoder {encoder.name!r} cannot read a plain clip with the weights {source!r}: "
            f"{describe(error)}; give a complete folder of its kind of model"
        ) from error
    _refuse_alike(f"the encoder {encoder.name!r}, with the weights {source!r},", "clips", made)


def try_texts(encoder: TextEncoder, name: str, source: str) -> None:
    """Hold an encoder to two prompts without a word in common: their embeddings are finite and differ.

    Raises:
        UsageError: the embeddings are the same, are no finite numbers, or cannot be made.
    """
    try:
        made = [np.asarray(encoder.encode_text(text), np.float64) for text in _TEXTS]
    except ScreentestError:
        raise
    except Exception as error:
        raise UsageError(
            f"the encoder {name!r} cannot read a prompt with the weights {source!r}: {describe(error)}; its "
            "tokenizer (tokenizer.json, or vocab.json and merges.txt) may be missing"
        ) from error
    hint = "; its tokenizer (tokenizer.json, or vocab.json and merges.txt) may be missing"
    _refuse_alike(f"the encoder {name!r}, with the weights {source!r},", "prompts", made, hint)


def _refuse_alike(who: str, what: str, made: list[NDArray[np.float64]], hint: str = "") -> None:
    one, two = made
    if not (one.size and two.size and np.isfinite(one).all() and np.isfinite(two).all()):
        raise UsageError(f"{who} gives features that are no finite numbers; its weights are damaged")
    if one.shape == two.shape and np.allclose(one, two, rtol=1e-4, atol=1e-7):
        raise UsageError(
            f"{who} gives two unlike {what} the same feature, so no score of it means anything{hint}"
        )


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
