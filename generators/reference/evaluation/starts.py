"""Evaluate clips that start from a picture or a video: how well that is kept, and whether an edit is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation

from ....harness.core.items import Item, make_item
from ....harness.core.keys import seeded_rng
from ....harness.core.media import write_clip
from ...base import Frames, Generator, Output
from ...worlds.plane import COLORS, FAMILIES, NATIVE_CLIP, Scene, caption, render, sample_scene
from ..readers.reader import read_clip
from .estimates import Estimate, mean, share
from .parts import psnr

__all__ = ["color_edits", "image_starts"]

_EDITED = ("uniform", "fall", "still", "projectile")
_RIM = 3  # pixels around a thing that are left out of the background
_CONTRAST = 12  # of a thing against the ground, in any channel
_EXACT = 99.0  # dB, which stands for pictures without any difference


def color_edits(generator: Generator, n: int = 60) -> dict[str, Estimate]:
    """Edit clips of single shapes by a caption with another color, at the default strength.

    Returns:
        ``color`` and ``shape``: shares of the edits that show the new color, and the shape as it was;
        ``background_db``: mean PSNR to the clip before, outside its thing with a rim of 3 pixels, of all
        frames; ``background_kept``: share of edits with 33 dB or more of it.
    """
    asked: list[tuple[Item, Scene, str, NDArray[np.uint8]]] = []
    with TemporaryDirectory() as folder:
        for index in range(n):
            rng = seeded_rng("edit-test", index)
            scene = sample_scene(rng, family=_EDITED[index % len(_EDITED)])
            others = [color for color in COLORS if color != scene.color]
            color, words = others[int(rng.integers(len(others)))], caption(scene, rng)
            frames, _ = render(scene, NATIVE_CLIP, words=words)
            path = Path(folder) / f"{index}.mp4"
            write_clip(path, frames, NATIVE_CLIP.fps)
            # The id, and so the noise, is that of the file's name: the folder is another each time.
            named = make_item(
                words.replace(scene.color, color), index, NATIVE_CLIP, video=path.name, use="edit"
            )
            asked.append((replace(named, video=str(path)), scene, color, frames))
        outputs = _outputs(generator, [item for item, *_ in asked])
    colors: list[bool] = []
    shapes: list[bool] = []
    kept: list[float] = []
    for output, (_, scene, color, before) in zip(outputs, asked, strict=True):
        after = output.frames_THWC if isinstance(output, Frames) else np.zeros_like(before)
        read = read_clip(after)
        colors.append(read.color == color)
        shapes.append(read.shape == scene.shape)
        ground = ~_thing(before, scene)
        kept.append(min(_EXACT, psnr(before[ground], after[ground])))
    return {
        "color": share(colors),
        "shape": share(shapes),
        "background_db": mean(kept, "edit background"),
        "background_kept": share([db >= 33 for db in kept]),
    }


def image_starts(generator: Generator, n: int = 52) -> dict[str, Estimate]:
    """Start clips from the first pictures of scenes of all families but the hazard.

    Returns:
        ``made``: share that did not fail; ``first_db``: mean PSNR of their first picture to the image.
    """
    families = [name for name in FAMILIES if name != "hazard"]
    asked: list[tuple[Item, NDArray[np.uint8]]] = []
    with TemporaryDirectory() as folder:
        for index in range(n):
            rng = seeded_rng("image-start-test", index)
            scene = sample_scene(rng, family=families[index % len(families)])
            words = caption(scene, rng)
            frames, _ = render(scene, NATIVE_CLIP, words=words)
            path = Path(folder) / f"{index}.png"
            Image.fromarray(frames[0]).save(path)
            named = make_item(words, index, NATIVE_CLIP, image=path.name)
            asked.append((replace(named, image=str(path)), frames[0]))
        outputs = _outputs(generator, [item for item, _ in asked])
    made = [
        min(_EXACT, psnr(image, output.frames_THWC[0]))
        for output, (_, image) in zip(outputs, asked, strict=True)
        if isinstance(output, Frames)
    ]
    found = {"made": share([isinstance(output, Frames) for output in outputs])}
    return {**found, "first_db": mean(made, "image start")} if made else found


def _thing(frames_THWC: NDArray[np.uint8], scene: Scene) -> NDArray[np.bool_]:
    """Mark a scene's thing, with a rim, in each frame (T, H, W)."""
    apart = np.abs(frames_THWC.astype(np.int16) - np.array(scene.background, np.int16)).max(-1)
    return np.stack([np.asarray(binary_dilation(mask, iterations=_RIM), bool) for mask in apart > _CONTRAST])


def _outputs(generator: Generator, items: Sequence[Item]) -> list[Output]:
    made: list[Output] = []
    for start in range(0, len(items), generator.batch_size):
        made += generator.generate(list(items[start : start + generator.batch_size]))
    return made
