"""What pipelines give, as uint8 frames: arrays and tensors of 4 or 5 dimensions, lists of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...harness.core.counts import counted

__all__ = ["clips_of", "unsafe_of"]

_BEYOND = 0.01
"""How far a float may lie outside 0 to 1 by rounding in bfloat16."""


def clips_of(output: Any, count: int) -> list[NDArray[np.uint8]]:
    """Take the clips of a batch from a pipeline's output, each uint8 (T, H, W, 3).

    Args:
        output: with ``frames``, ``videos`` or ``images``, or a tuple that begins with the frames.
        count: number of clips that were asked for.

    Raises:
        ValueError: the output is not so many clips, or has values that are not numbers.
    """
    frames = next(
        (
            found
            for name in ("frames", "videos", "images")
            if (found := getattr(output, name, None)) is not None
        ),
        None,
    )
    if frames is None and isinstance(output, tuple) and output:
        frames = cast("tuple[Any, ...]", output)[0]
    if frames is None:
        raise ValueError(f"the pipeline gave a {type(output).__name__} without frames")
    clips = _split(frames, count)
    if len(clips) != count:
        raise ValueError(f"the pipeline gave {counted(len(clips), 'clip')} for {counted(count, 'prompt')}")
    return [_to_uint8(clip) for clip in clips]


def unsafe_of(output: Any, count: int) -> list[bool]:
    """Say for each clip whether the pipeline's safety checker flagged it."""
    flags = getattr(output, "nsfw_content_detected", None)
    if flags is None:
        return [False] * count
    if isinstance(flags, bool):
        return [flags] * count
    given = [bool(np.any(np.asarray(flag))) for flag in cast("Sequence[Any]", flags)]
    return given if len(given) == count else [any(given)] * count


def _split(frames: Any, count: int) -> list[Any]:
    """Split a batch into clips; one clip may come without the dimension of the batch."""
    if isinstance(frames, list | tuple):
        listed = cast("list[Any]", list(frames))
        if not listed:
            raise ValueError("the pipeline gave no frames")
        if isinstance(listed[0], list | tuple) or _dimensions(listed[0]) == 4:
            return listed
        return [listed]  # pictures of one clip
    found = _dimensions(frames)
    if found == 5:
        return list(frames)
    if found == 4 and count == 1:
        return [frames]
    raise ValueError(
        f"the pipeline gave frames of {counted(found, 'dimension')} for {counted(count, 'clip')}"
    )


def _dimensions(value: Any) -> int:
    return len(cast("Sequence[int]", getattr(value, "shape", ())))


def _to_array(clip: Any) -> NDArray[Any]:
    if isinstance(clip, list | tuple):
        return np.stack([_to_array(frame) for frame in cast("Sequence[Any]", clip)])
    if hasattr(clip, "detach"):
        return cast("NDArray[Any]", clip.detach().float().cpu().numpy())
    if hasattr(clip, "convert"):
        return np.asarray(clip.convert("RGB"))
    return np.asarray(clip)


def _to_uint8(clip: Any) -> NDArray[np.uint8]:
    frames = _to_array(clip)
    if frames.ndim != 4:
        raise ValueError(f"the pipeline gave a clip of shape {frames.shape}")
    if frames.shape[-1] != 3:
        first = next((axis for axis in (1, 0) if frames.shape[axis] == 3), None)  # TCHW, else CTHW
        if first is None:
            raise ValueError(f"the pipeline gave a clip of shape {frames.shape}, none of which is 3 colours")
        frames = np.moveaxis(frames, first, -1)
    if frames.dtype == np.uint8:
        return np.ascontiguousarray(frames)
    if not np.isfinite(frames).all():
        raise ValueError(
            "the pipeline gave values that are not numbers, as weights in float16 can; try --dtype bfloat16 "
            "or float32"
        )
    least, most = float(frames.min()), float(frames.max())
    if frames.dtype.kind != "f" or least < -_BEYOND or most > 1 + _BEYOND:
        raise ValueError(
            f"the pipeline gave values from {least:g} to {most:g} of type {frames.dtype}; a clip is uint8, "
            "or floats from 0 to 1"
        )
    return np.rint(np.clip(frames, 0.0, 1.0) * 255.0).astype(np.uint8)
