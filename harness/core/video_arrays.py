"""Videos as Python programs hold them: arrays, tensors, images, outputs of pipelines, paths of files.

    uint8            levels from 0 to 255
    floats           from 0 to 1, or from another range that is named, such as (-1, 1)
    four axes        one video: TCHW, THWC or CTHW
    five axes        a batch of videos: BTCHW, BTHWC or BCTHW
    a list           of videos (arrays, paths, lists of images), or of the images of one video

The layout is named, or it is the only one in which 3 colour channels are possible. A shape that has several,
such as (16, 3, 64, 3), is refused, and so is everything whose values could mean two things.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, cast, get_args

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError, unknown_name
from .rgb import over_white

__all__ = ["Layout", "ValueRange", "Video", "read_video", "read_videos"]

Layout: TypeAlias = Literal["TCHW", "THWC", "CTHW", "BTCHW", "BTHWC", "BCTHW"]
ValueRange: TypeAlias = tuple[float, float]
Size: TypeAlias = tuple[int, int, int]
Video: TypeAlias = "NDArray[np.uint8] | Path"
"""A video in memory, uint8 RGB (T, H, W, 3), or a file."""

_LAYOUTS: Final = ("TCHW", "THWC", "CTHW")
_LEVELS: Final = 255
_SLACK: Final = 0.5 / _LEVELS
"""How far floats may pass the ends of their range, as a share of it: what rounding to 8 bits takes back."""


def read_videos(
    videos: Any, *, layout: Layout | None = None, value_range: ValueRange | None = None
) -> list[Video]:
    """Read one or several videos as uint8 RGB (T, H, W, 3), or as paths of files.

    Args:
        videos: an array or tensor of one video or a batch; a path; images of one video; a list of any of
            these; or the output of a pipeline that has ``frames``.
        layout: the order of the axes of arrays.
        value_range: what black and white are in arrays of floats; (0, 1) if not named.

    Raises:
        UsageError: there is no video, or what is given could be read in two ways; it says what to name.

    Example:
        >>> import numpy as np
        >>> read_videos(np.zeros((2, 16, 3, 64, 48), np.uint8))[0].shape
        (16, 64, 48, 3)
    """
    _check_names(layout, value_range)
    given = getattr(videos, "frames", videos) if not isinstance(videos, str | Path) else videos
    if isinstance(given, list | tuple):
        members = list(cast("Sequence[Any]", given))
        if not members:
            raise UsageError("there is no video in an empty list; give one video at least")
        if _is_frame(members[0]):
            return [read_video(members, layout=layout, value_range=value_range, what="the list")]
        return [
            read_video(one, layout=layout, value_range=value_range, what=f"video {number}")
            for number, one in enumerate(members)
        ]
    array = None if isinstance(given, str | Path) else _array(given, "videos")
    if array is not None and array.ndim == 5:
        if len(array) == 0:
            raise UsageError(f"there is no video in an array of shape {array.shape}; give one at least")
        one = _one_layout(layout) or _only_layout(array.shape[1:], "videos", batch=True)
        return [_rgb(clip, one, value_range, f"video {number}") for number, clip in enumerate(array)]
    return [read_video(given if array is None else array, layout=layout, value_range=value_range)]


def read_video(
    video: Any,
    *,
    layout: Layout | None = None,
    value_range: ValueRange | None = None,
    size: Size | None = None,
    what: str = "the video",
) -> Video:
    """Read one video; a batch of one is one video, too. See `read_videos`.

    Args:
        size: frames, height and width that it was asked to have: where a shape has several layouts, the one
            of this size is taken.
        what: what messages call it.

    Raises:
        UsageError: it is none or several, or could be read in two ways.
    """
    _check_names(layout, value_range)
    if isinstance(video, str | Path):
        return _file(Path(video), what)
    video = getattr(video, "frames", video)
    if isinstance(video, list | tuple):
        frames = list(cast("Sequence[Any]", video))
        if len(frames) == 1 and not _is_frame(frames[0]):
            return read_video(frames[0], layout=layout, value_range=value_range, size=size, what=what)
        array = _stacked(frames, what)
        if _is_image(frames[0]):
            return _rgb(array, "THWC", None, what)
    else:
        array = _array(video, what)
        if array.ndim == 5 and len(array) == 1:
            array = array[0]
        elif layout is not None and layout.startswith("B") and array.ndim == 4:
            raise UsageError(
                f"{what} has shape {array.shape}, and layout={layout!r} is of a batch with five axes; "
                f"name layout={layout[1:]!r} for one video"
            )
    if array.ndim != 4:
        raise UsageError(f"{what} has shape {array.shape}; {_axes(array.ndim)}")
    return _rgb(array, _one_layout(layout) or _only_layout(array.shape, what, size=size), value_range, what)


def _axes(count: int) -> str:
    more = "; a grey video needs its channel three times" if count == 3 else ""
    return f"a video has 4 axes, such as (T, C, H, W), and a batch 5, with C = 3{more}"


def _check_names(layout: object, value_range: object) -> None:
    if layout is not None and layout not in get_args(Layout):
        raise unknown_name("layout", str(layout), get_args(Layout))
    if value_range is None:
        return
    ends = cast("Sequence[Any]", value_range) if isinstance(value_range, list | tuple) else ()
    numbers = all(isinstance(end, int | float) and np.isfinite(end) for end in ends)
    if len(ends) != 2 or not numbers or ends[0] >= ends[1]:
        raise UsageError(f"value_range is {value_range!r} and should be (black, white), such as (-1, 1)")


def _one_layout(layout: Layout | None) -> str | None:
    return None if layout is None else layout.removeprefix("B")


def _file(path: Path, what: str) -> Path:
    path = path.expanduser()
    if path.is_dir():
        raise UsageError(f"{what}, {path}, is a folder; list its files, or run a suite on 'folder:{path}'")
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    return path


def _is_image(value: object) -> bool:
    """Check for an image of Pillow, which need not be imported for it."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def _is_frame(value: object) -> bool:
    return _is_image(value) or len(getattr(value, "shape", ())) in (2, 3)


def _stacked(frames: list[Any], what: str) -> NDArray[Any]:
    """Stack the images of one video: Pillow's, or arrays of one shape."""
    if not frames:
        raise UsageError(f"{what} has no frame; give one image at least")
    if not all(_is_frame(frame) for frame in frames):
        other = next(frame for frame in frames if not _is_frame(frame))
        raise UsageError(f"{what} mixes images with a {type(other).__name__}; {_axes(4)}")
    images = [_image(frame) if _is_image(frame) else _array(frame, what) for frame in frames]
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        sizes = " and ".join(str(shape) for shape in sorted(shapes)[:3])
        raise UsageError(f"the images of {what} differ in shape ({sizes}); the frames of a video have one")
    return np.stack(images)


def _image(image: Any) -> NDArray[np.uint8]:
    """Read an image of Pillow as uint8 RGB; what is transparent is composed over white, as in files."""
    if "A" in image.getbands() or "transparency" in image.info:
        return over_white(np.asarray(image.convert("RGBA"), np.uint8))[0]
    return np.asarray(image.convert("RGB"), np.uint8)


def _array(value: Any, what: str) -> NDArray[Any]:
    """Take an array or tensor, on any device, as an array of NumPy."""
    if callable(getattr(value, "detach", None)):
        tensor = value.detach().cpu()
        if str(tensor.dtype) == "torch.bfloat16":  # NumPy has no such type
            tensor = tensor.float()
        return np.asarray(tensor)
    if isinstance(value, np.ndarray) or hasattr(value, "__array__"):
        return np.asarray(value)
    raise UsageError(
        f"{what} is a {type(value).__name__}; give an array, a tensor, images, the path of a file, "
        "or lists of these"
    )


def _only_layout(shape: tuple[int, ...], what: str, *, batch: bool = False, size: Size | None = None) -> str:
    """Find the one layout of a video of this shape that has 3 channels, or of those the one of this size."""
    possible = [layout for layout in _LAYOUTS if shape[layout.index("C")] == 3]
    fitting = [layout for layout in possible if tuple(shape[layout.index(a)] for a in "THW") == size]
    if len(fitting) == 1:
        return fitting[0]
    if len(possible) == 1:
        return possible[0]
    names = [f"B{layout}" if batch else layout for layout in possible or _LAYOUTS]
    told = f"{what} of shape {shape}" if not batch else f"a video of shape {shape} in the batch"
    if possible:
        raise UsageError(f"{told} can be {' or '.join(names)}; name which, as layout={names[0]!r}")
    raise UsageError(
        f"{told} has 3 colour channels in no layout ({', '.join(names)}); a grey video needs its channel "
        "three times, and one with transparency is to be composed first"
    )


def _rgb(array: NDArray[Any], layout: str, value_range: ValueRange | None, what: str) -> NDArray[np.uint8]:
    """Bring one video of a known layout to uint8 (T, H, W, 3)."""
    if array.shape[layout.index("C")] != 3:
        raise UsageError(f"{what} of shape {array.shape} has not 3 colour channels in the layout {layout}")
    if 0 in array.shape:
        raise UsageError(f"{what} of shape {array.shape} has no frame or no pixel")
    video = array.transpose([layout.index(axis) for axis in "THWC"])
    return np.ascontiguousarray(_levels(video, value_range, what))


def _levels(video: NDArray[Any], value_range: ValueRange | None, what: str) -> NDArray[np.uint8]:
    if video.dtype == np.uint8:
        if value_range not in (None, (0, _LEVELS)):
            raise UsageError(f"{what} is uint8, which is from 0 to 255; leave out value_range={value_range}")
        return video
    if not np.issubdtype(video.dtype, np.floating):
        raise UsageError(
            f"{what} has values of type {video.dtype}; give uint8 from 0 to 255, or floats from 0 to 1"
        )
    values = video if video.dtype == np.float64 else video.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UsageError(f"{what} has values that are NaN or infinite, so it shows nothing")
    black, white = value_range or (0.0, 1.0)
    slack = _SLACK * (white - black)
    if low < black - slack or high > white + slack:
        raise UsageError(f"{what} has values from {low:.4g} to {high:.4g}; {_ranges(low, high, value_range)}")
    shares = (values - values.dtype.type(black)) / values.dtype.type(white - black)
    return np.rint(np.clip(shares, 0.0, 1.0) * _LEVELS).astype(np.uint8)


def _ranges(low: float, high: float, named: ValueRange | None) -> str:
    """Say what to do about values outside of their range."""
    if named is not None:
        return f"value_range={named} does not hold them; clamp them, or name their range"
    if low >= 0 and 1.5 < high <= _LEVELS:
        return "floats are from 0 to 1; give uint8, or name value_range=(0, 255)"
    if -1.01 <= low < 0 and high <= 1.01:
        return "floats are from 0 to 1; name value_range=(-1, 1) if that is their range, or clamp them"
    return "floats are from 0 to 1; clamp them, or name their range with value_range=(black, white)"
