"""What was derived from the last clips, kept by their content: what several encoders need is derived once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, Final, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["content_key", "recently"]

T = TypeVar("T")
_KEPT: Final = 64  # results, of some kilobytes each
_results: OrderedDict[tuple[str, str], Any] = OrderedDict()
_lock: Final = Lock()


def content_key(frames_THWC: NDArray[np.uint8]) -> str:
    """Name frames by their size and their levels."""
    digest = hashlib.blake2b(repr(frames_THWC.shape).encode(), digest_size=16)
    for frame in frames_THWC:
        digest.update(np.ascontiguousarray(frame).data)
    return digest.hexdigest()


def recently(key: tuple[str, str], derive: Callable[[], T]) -> T:
    """Give what was derived under a key not long ago, or derive it; nobody may change it.

    Args:
        key: what it is, and `content_key` of all that it depends on.
        derive: gives it, some kilobytes of arrays.
    """
    with _lock:
        if key in _results:
            _results.move_to_end(key)
            return cast("T", _results[key])
    made = derive()
    with _lock:
        _results[key] = made
        while len(_results) > _KEPT:
            _results.popitem(last=False)
    return made
