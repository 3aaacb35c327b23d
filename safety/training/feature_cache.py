"""Cache the features of training texts in one file, so that a second training does not encode them again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...harness.core.progress import track
from ...metrics.encoders.minilm import MINILM_SHA256
from ..prompts.minilm import FEATURES, VERSION

if TYPE_CHECKING:
    from ..prompts.minilm import SentenceEncoder

__all__ = ["cached_features"]

_BLOCK = 512
_EVERY_S = 30.0


def cached_features(
    encoder: SentenceEncoder, texts: Sequence[str], file: Path, *, width: int = FEATURES
) -> NDArray[np.float32]:
    """Encode ``texts`` (n, width), taking from ``file`` what it holds and adding the rest to it.

    The first ``width`` features are kept. The file grows now and then; a killed training loses half a minute.
    """
    keys = [_key(text) for text in texts]
    known, rows = _load(file, width)
    todo = sorted({k: t for k, t in zip(keys, texts, strict=True) if k not in known}.items(), key=_length)
    new = [rows]
    saved = time.monotonic()
    with track("encoding prompts", len(todo)) as ticker:
        for start in range(0, len(todo), _BLOCK):
            block = todo[start : start + _BLOCK]
            new.append(encoder.features([text for _, text in block])[:, :width])
            known |= {key: len(known) + i for i, (key, _) in enumerate(block)}
            last = start + _BLOCK >= len(todo)
            if last or time.monotonic() - saved > _EVERY_S:
                new = [np.concatenate(new)]
                _save(file, known, new[0])
                saved = time.monotonic()
            ticker.advance(len(block))
    return new[0][[known[key] for key in keys]]


def _length(pair: tuple[str, str]) -> int:
    return len(pair[1])


def _key(text: str) -> str:
    return hashlib.sha256(f"{MINILM_SHA256}/{VERSION}/{text}".encode()).hexdigest()


def _load(file: Path, width: int) -> tuple[dict[str, int], NDArray[np.float32]]:
    if not file.is_file():
        return {}, np.empty((0, width), np.float32)
    with np.load(file, allow_pickle=False) as held:
        return {str(key): i for i, key in enumerate(held["keys"])}, held["rows"]


def _save(file: Path, known: dict[str, int], rows: NDArray[np.float32]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(".part.npz")
    np.savez(beside, keys=np.array(list(known)), rows=rows)
    beside.replace(file)
