"""Conditioning frames: read, check and encode the image or videos that a clip starts from.

An image joins the model's sequence as a frame before the first, and the first latent frame is fitted to
it. Of videos, whole latent frames (4 pictures each) are given, and stay as they are:

- ``extend``: the last half of the clip's length, taken from the video's end, comes first; the rest is new;
- ``extend-back``: as much from the video's beginning comes last;
- ``connect``: the last 4 pictures of one video come first, the first 4 of another last;
- ``edit``: the whole clip, carried back towards noise by its strength, and changed where the prompt says so.

Of 16 frames at 8 a second, extending gives 8 frames, one second, and half a second at each end connects. What
is given comes out as the autoencoder codes it. Nothing is cropped, resized or resampled: what does not fit is
refused.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.counts import counted
from ...harness.core.errors import MediaError, UsageError
from ...harness.core.media import Window, decode, open_clip
from ...harness.core.pictures import open_picture
from .model.reconstruction import reconstruct
from .model.sampler import Given

if TYPE_CHECKING:
    from torch import Tensor

    from ...harness.core.items import ClipSettings, Item
    from .model.vae import VAE

__all__ = [
    "LATENT_FRAMES",
    "LEAST_PSNR",
    "START_PSNR",
    "StartFrames",
    "encode_start",
    "first_picture_psnr",
    "read_start",
    "refuse_unlike",
]

LATENT_FRAMES: Final = 4
"""Pictures that the autoencoder codes as one latent frame."""
_ORIENTATION: Final = 0x0112  # the EXIF tag


@dataclass(frozen=True)
class StartFrames:
    """The conditioning frames of an item, in pixels.

    Attributes:
        image_HWC: uint8 RGB of the image, or None.
        first_THWC, last_THWC: uint8 RGB of the clip's first and last pictures, as far as they are given; a
            whole clip is all of it in ``first_THWC``.
        strength: 1 where what is given stays; less for a clip that is edited.
    """

    image_HWC: NDArray[np.uint8] | None = None
    first_THWC: NDArray[np.uint8] | None = None
    last_THWC: NDArray[np.uint8] | None = None
    strength: float | None = None


def read_start(item: Item) -> StartFrames | None:
    """Read the image or videos that an item starts from; None if it starts from text alone.

    Raises:
        UsageError: a file is missing, unreadable, or does not fit the clip; the sentence says what would.
    """
    clip = item.clip
    if item.image is not None:
        return StartFrames(image_HWC=_read_image(Path(item.image), clip))
    if item.video is None:
        return None
    video = Path(item.video)
    if item.use == "edit":
        whole = _read_video(video, clip, clip.frames, "end", exactly=True)
        return StartFrames(first_THWC=whole, strength=item.strength)
    half = clip.frames // LATENT_FRAMES // 2 * LATENT_FRAMES
    if item.use == "extend-back":
        return StartFrames(last_THWC=_read_video(video, clip, _some(half, item), "start"))
    if item.video_to is None:
        return StartFrames(first_THWC=_read_video(video, clip, _some(half, item), "end"))
    between = clip.frames - 2 * LATENT_FRAMES
    _some(between, item)
    return StartFrames(
        first_THWC=_read_video(video, clip, LATENT_FRAMES, "end"),
        last_THWC=_read_video(Path(item.video_to), clip, LATENT_FRAMES, "start"),
    )


LEAST_PSNR: Final = 26.0
"""Fidelity of the autoencoder, in dB, below which a picture or video cannot be started from. It codes 60
scenes of the reference world at 27 to 38 dB, and a bright gradient at 21."""
START_PSNR: Final = 33.0
"""Fidelity, in dB, of a clip's first picture to the image that it starts from; below it, the clip fails."""


def first_picture_psnr(frames_THWC: NDArray[np.uint8], picture: Tensor) -> float:
    """Compute the peak signal-to-noise ratio, in dB, of a clip's first picture to an image.

    ``picture`` is (3, H, W) in [-1, 1].
    """
    image_HWC = (picture.permute(1, 2, 0).cpu().numpy().astype(np.float64) + 1.0) * 127.5
    return _psnr(image_HWC, frames_THWC[0])


def _psnr(one: NDArray[Any], other: NDArray[Any]) -> float:
    error = float(np.mean((np.asarray(one, np.float64) - other) ** 2))
    return 10 * math.log10(255**2 / max(error, 1e-12))


def refuse_unlike(vae: VAE, pictures: StartFrames, item: Item, least: float) -> None:
    """Refuse an image or a video that the autoencoder cannot code, which would come back as something else.

    Raises:
        UsageError: the peak signal-to-noise ratio of its reconstruction is below ``least`` dB.
    """
    if pictures.image_HWC is not None:
        given = [(item.image, np.repeat(pictures.image_HWC[None], LATENT_FRAMES, axis=0))]
    else:
        ends = (item.video, pictures.first_THWC), (item.video_to or item.video, pictures.last_THWC)
        given = [(path, frames_THWC) for path, frames_THWC in ends if frames_THWC is not None]
    for path, frames_THWC in given:
        found = _psnr(frames_THWC, reconstruct(vae, frames_THWC))
        if found < least:
            raise UsageError(
                f"{path} is unlike the reference world: the autoencoder keeps it at {found:.1f} dB, and "
                f"{least:g} are needed; start from a picture or video of the reference world "
                "('screentest world render')"
            )


def encode_start(vae: VAE, pictures: StartFrames | None, frames: int) -> Given:
    """Code what a clip of so many ``frames`` starts from, as the sampler takes it."""
    import torch

    if pictures is None:
        return Given()
    if pictures.image_HWC is not None:
        held = np.repeat(pictures.image_HWC[None], LATENT_FRAMES, axis=0)
        return Given(still=_encode(vae, held), picture=_unit(vae, held)[0, :, 0])
    if pictures.strength is not None:
        assert pictures.first_THWC is not None
        return Given(latents=_encode(vae, pictures.first_THWC), strength=pictures.strength)
    # A latent frame looks at its neighbours in time. Where the clip goes on beyond what is given, the last
    # picture is held: that codes it far closer to how it is coded within a whole clip than an end would.
    parts: list[tuple[slice, Tensor]] = []
    if pictures.first_THWC is not None:
        held = np.concatenate([pictures.first_THWC, *[pictures.first_THWC[-1:]] * LATENT_FRAMES])
        count = len(pictures.first_THWC) // LATENT_FRAMES
        parts.append((slice(0, count), _encode(vae, held)[:, :-1]))
    if pictures.last_THWC is not None:
        held = np.concatenate([*[pictures.last_THWC[:1]] * LATENT_FRAMES, pictures.last_THWC])
        count = len(pictures.last_THWC) // LATENT_FRAMES
        total = frames // LATENT_FRAMES
        parts.append((slice(total - count, total), _encode(vae, held)[:, 1:]))
    like = parts[0][1]
    latents = like.new_zeros(like.shape[0], frames // LATENT_FRAMES, *like.shape[2:])
    known = torch.zeros(latents.shape[1], dtype=torch.bool)
    for where, part in parts:
        latents[:, where] = part
        known[where] = True
    return Given(latents=latents, known=known)


def _encode(vae: VAE, frames_THWC: NDArray[np.uint8]) -> Tensor:
    """Code pictures as normalised latents (C, T/4, H/8, W/8)."""
    import torch

    with torch.inference_mode():
        return vae.normalise(vae.encode(_unit(vae, frames_THWC)).mean)[0]


def _unit(vae: VAE, frames_THWC: NDArray[np.uint8]) -> Tensor:
    """Bring pictures to [-1, 1], (1, 3, T, H, W), where the autoencoder is."""
    import torch

    from .model.vae import to_unit

    device = next(vae.parameters()).device
    return to_unit(torch.from_numpy(np.ascontiguousarray(frames_THWC))[None].to(device))


def _some(frames: int, item: Item) -> int:
    if frames <= 0:
        least = 3 * LATENT_FRAMES if item.use == "connect" else 2 * LATENT_FRAMES
        raise UsageError(
            f"a clip of {counted(item.clip.frames, 'frame')} is too short to {item.use} {item.video}; "
            "ask for at least "
            f"{least} frames"
        )
    return frames


class _StartPart:
    """Keeps the first or the last pictures of a video while it is decoded."""

    def __init__(self, count: int, where: str) -> None:
        self.count, self.where = count, where
        self.frames: deque[NDArray[np.uint8]] = deque(maxlen=count)

    def push(self, window: Window) -> None:
        if self.where == "end":
            self.frames.extend(window.frames_THWC[-self.count :])
        else:
            self.frames.extend(window.frames_THWC[: self.count - len(self.frames)])


def _read_video(
    path: Path, clip: ClipSettings, count: int, where: str, *, exactly: bool = False
) -> NDArray[np.uint8]:
    """Read ``count`` pictures from the ``start`` or ``end`` of a video that is like the clip."""
    wanted = f"{clip.width}x{clip.height} at {clip.fps:g} fps"
    part = _StartPart(count, where)
    try:
        source = open_clip(path)
        _refuse_size(path, (source.info.height, source.info.width), clip, "video")
        info = decode(source, [part])
    except MediaError as error:
        raise UsageError(f"the video to start from cannot be read: {error}") from None
    if info.variable_rate or abs(info.fps - clip.fps) > 0.01 * clip.fps:
        rate = "a varying number of" if info.variable_rate else f"{info.fps:g}"
        raise UsageError(
            f"the video {path} has {rate} frames a second, and the clip that starts from it {clip.fps:g}; "
            f"give a video of {wanted}"
        )
    frames = info.frames or 0
    if frames < count or (exactly and frames != count):
        raise UsageError(
            f"the video {path} has {frames} frames, and {'' if exactly else 'at least '}{count} of them are "
            f"wanted; give a video of {wanted} and that length"
        )
    return np.stack(list(part.frames))


def _read_image(path: Path, clip: ClipSettings) -> NDArray[np.uint8]:
    """Read a still image, upright, its alpha dropped."""
    from PIL import ImageOps

    try:
        with open_picture(path) as image:
            if getattr(image, "n_frames", 1) > 1:
                raise MediaError(f"{path} holds several pictures; give one alone")
            if image.mode.startswith(("I", "F")):
                raise MediaError(f"{path} is not one of 8 bits a channel; save it so")
            turned = image.getexif().get(_ORIENTATION, 1) >= 5  # rows and columns swap
            height, width = image.size if turned else image.size[::-1]
            _refuse_size(path, (height, width), clip, "image")  # before it is decoded, however large it is
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"), np.uint8).copy()
    except MediaError as error:
        raise UsageError(f"the image to start from cannot be used: {error}") from None


def _refuse_size(path: Path, size: tuple[int, int], clip: ClipSettings, what: str) -> None:
    if size != (clip.height, clip.width):
        raise UsageError(
            f"the {what} {path} is {size[1]}x{size[0]}, and the clip that starts from it "
            f"{clip.width}x{clip.height}; crop and scale it to {clip.width}x{clip.height} first"
        )
