"""What every client of an endpoint needs: how long to wait, and a body that ends."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping

__all__ = ["read_body", "retry_after"]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read how many seconds an endpoint asks to be left alone; None where it says nothing that is a time.

    ``retry-after-ms`` goes before ``retry-after``, which is read in seconds only, not as a date.

    Example:
        >>> retry_after({"retry-after": "2"})
        2.0
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            wait = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if math.isfinite(wait) and wait >= 0:
            return wait
    return None


def read_body(parts: Iterable[bytes], *, longest: int, deadline: float) -> bytes | None:
    """Read a body to its end, which a server that drips or never stops does not reach.

    Args:
        parts: the body as it comes.
        longest: bytes; None is returned for a longer body.
        deadline: by `time.monotonic`.

    Raises:
        TimeoutError: the deadline is over.
    """
    whole = bytearray()
    for part in parts:
        whole += part
        if len(whole) > longest:
            return None
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(whole)
