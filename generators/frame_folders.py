"""Folders of numbered pictures, each of which is one clip: ``a cat runs-0/0001.png`` and so on."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..harness.core.errors import MediaError
from ..harness.core.files import HEAD, VIDEO_SUFFIXES, is_animated_webp
from ..harness.core.limits import check_frames, check_size
from ..harness.core.pictures import open_picture
from ..harness.core.rgb import over_white

__all__ = [
    "PICTURE_SUFFIXES",
    "check_frames_of",
    "find_frame_folders",
    "frames_among",
    "has_transparency",
    "read_frames",
]

PICTURE_SUFFIXES = frozenset((".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))

MAX_BYTES = 2 * 2**30
"""Largest size of such a clip in memory, which is read at once."""

_NUMBERED = re.compile(r"(?P<start>.*?)(?P<number>[0-9]{1,12})")


def find_frame_folders(folder: Path) -> dict[str, tuple[str, ...]]:
    """Find the folders in ``folder`` that hold the frames of a clip, see `frames_among`: name -> pictures.

    Hidden files and folders, and links to folders, are ignored. Names are relative to ``folder``; ``.``
    stands for the folder itself.
    """
    found: dict[str, tuple[str, ...]] = {}
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(root)
        frames = frames_among(
            [name for name in files if not name.startswith(".")],
            lambda names, here=here: any(_is_animated(here / name) for name in names),
        )
        if frames:
            found[here.relative_to(folder).as_posix()] = frames
    return found


def frames_among(names: Sequence[str], animated: Callable[[Sequence[str]], bool]) -> tuple[str, ...]:
    """Order the pictures of a folder that holds the frames of a clip; empty if it is none.

    Such a folder has at least two pictures and no video. All its pictures have one format, and their names
    are the same text (which may be empty) and a number.

    Args:
        names: of the folder's files.
        animated: says whether one of several WebP files is animated.
    """
    pictures = [name for name in names if Path(name).suffix.lower() in PICTURE_SUFFIXES]
    videos = {Path(name).suffix.lower() for name in names} & (VIDEO_SUFFIXES - PICTURE_SUFFIXES)
    matches = [_NUMBERED.fullmatch(Path(name).stem) for name in pictures]
    kinds = {
        (match["start"], Path(name).suffix.lower()) if match else None
        for name, match in zip(pictures, matches, strict=True)
    }
    if len(pictures) < 2 or videos or len(kinds) != 1 or None in kinds:
        return ()
    if pictures[0].lower().endswith(".webp") and animated(pictures):
        return ()
    return tuple(sorted(pictures, key=_number))


def _is_animated(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return is_animated_webp(file.read(HEAD))
    except OSError:
        return False


def _number(name: str) -> int:
    match = _NUMBERED.fullmatch(Path(name).stem)
    assert match is not None
    return int(match["number"])


def has_transparency(path: Path) -> bool:
    """Check whether a picture declares transparent parts; False if it cannot be read."""
    try:
        with open_picture(path) as image:
            return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    except MediaError:
        return False


def check_frames_of(folder: Path, names: Sequence[str]) -> NDArray[np.uint8]:
    """Check the numbers of the pictures of a folder, and their size by the first; return that one.

    Raises:
        MediaError: a number is missing or given twice, the pictures are too large or too many, or the first
            one cannot be read.
    """
    _check_numbers(folder, names)
    first_HWC = _read(folder / names[0])
    height, width = first_HWC.shape[:2]
    check_frames(str(folder), len(names), width, height)
    if len(names) * first_HWC.nbytes > MAX_BYTES:
        raise MediaError(
            f"{folder} has {len(names)} frames of {width}x{height} pixels, more than a folder of frames may "
            f"have ({MAX_BYTES // 2**30} GiB); make a video of them"
        )
    return first_HWC


def read_frames(folder: Path, names: Sequence[str]) -> NDArray[np.uint8]:
    """Read the numbered pictures of a folder, uint8 RGB (T, H, W, 3), with transparency over white.

    Raises:
        MediaError: as of `check_frames_of`; the pictures differ in size, have more than 8 bits a channel, or
            one of them cannot be read.
    """
    first = check_frames_of(folder, names)
    height, width = first.shape[:2]
    frames_THWC = np.empty((len(names), height, width, 3), np.uint8)
    for number, name in enumerate(names):
        frame_HWC = _read(folder / name)
        if frame_HWC.shape != first.shape:
            raise MediaError(
                f"{folder} changes its frame size from {width}x{height} to "
                f"{frame_HWC.shape[1]}x{frame_HWC.shape[0]} at {name}"
            )
        frames_THWC[number] = frame_HWC
    return frames_THWC


def _check_numbers(folder: Path, names: Sequence[str]) -> None:
    numbers = [_number(name) for name in names]
    twice = [number for number, count in Counter(numbers).items() if count > 1]
    if twice:
        raise MediaError(f"{folder} has frame {twice[0]} twice")
    for before, after in pairwise(numbers):
        if after != before + 1:
            many = after > before + 2
            gone = f"frames {before + 1} to {after - 1} are" if many else f"frame {before + 1} is"
            raise MediaError(f"{folder} is not whole: {gone} missing")


def _read(path: Path) -> NDArray[np.uint8]:
    from PIL import ImageOps

    with open_picture(path) as image:
        check_size(str(path), *image.size)
        if image.mode.startswith(("I", "F")):
            raise MediaError(f"{path} has more than 8 bits a channel; save it with 8")
        return over_white(np.asarray(ImageOps.exif_transpose(image).convert("RGBA"), np.uint8))[0]
