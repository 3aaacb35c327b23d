"""Folders of clips for detectors of generated video: rendered ones, and those of several kinds of generators.

    OUT/real/<family>/<family>-00012.mp4         rendered by the world: "real" here
    OUT/generated/<generator>/<family>-00012.mp4 made for the caption of the rendered clip of that name
    OUT/unseen/<maker>/<family>-00012.mp4        made by makers that are kept for a last trial

Besides checkpoints, samplers and the refined second stage of the reference generator there are simple
makers that are no diffusion transformer and start from a rendered clip: the autoencoder alone, a copier
that bends and grains frames, and one that blends every second frame from its neighbours. Where a maker
changes nothing (a blend of clips in which nothing moves), there is no clip. All clips are stored alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ....harness.core.errors import UsageError
from ....harness.core.items import ClipSettings, Item, make_item
from ....harness.core.keys import seeded_rng
from ....harness.core.media import write_clip
from ....harness.core.progress import track
from ...base import Frames
from ...worlds.plane import NATIVE_CLIP, caption, render, sample_scene
from ..generator import ReferenceGenerator
from ..model.reconstruction import Reconstruction
from ..options import make_reference

__all__ = [
    "GENERATORS",
    "MAKERS",
    "UNSEEN",
    "blend",
    "flow",
    "grain",
    "smear",
    "upscale",
    "write_detection_clips",
]

FAMILIES: Final = (
    "uniform", "fall", "still", "projectile", "collision", "occluder", "block", "relation", "count", "order",
)  # fmt: skip
GENERATORS: Final[Mapping[str, str]] = {
    "early": "early",
    "base": "base",
    "safe": "safe",
    "few-steps": "base?steps=8",
    "heun": "base?solver=heun,steps=13,guidance=1",
    "cascade": "base?cascade=on",
}
"""Folder -> what follows ``reference:``."""

_FIRST_SEED: Final = 2_000_000
Clip = NDArray[np.uint8]
"""RGB, (T, H, W, 3)."""


def grain(clip: Clip, rng: np.random.Generator) -> Clip:
    """Bend every frame smoothly, by up to about a pixel and anew each time, and add grain of 2 levels."""
    import cv2

    height, width = clip.shape[1:3]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    made: list[Clip] = []
    for frame in clip:
        coarse = rng.normal(0.0, 0.6, (2, 4, 4)).astype(np.float32)
        shift_y, shift_x = (cv2.resize(one, (width, height), interpolation=cv2.INTER_CUBIC) for one in coarse)
        bent = cv2.remap(frame, x + shift_x, y + shift_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        noisy = bent + rng.normal(0.0, 2.0, bent.shape)
        made.append(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    return np.stack(made)


def blend(clip: Clip, rng: np.random.Generator) -> Clip:
    """Replace every second frame by the mean of its neighbours, as a plain frame interpolation does."""
    del rng
    made = clip.copy()
    inner = made[1:-1:2]
    before, after = clip[0:-2:2][: len(inner)].astype(np.uint16), clip[2::2][: len(inner)].astype(np.uint16)
    made[1:-1:2] = ((before + after + 1) // 2).astype(np.uint8)
    return made


MAKERS: Final[Mapping[str, Callable[[Clip, np.random.Generator], Clip]]] = {"grain": grain, "blend": blend}
"""Makers from a rendered clip; ``autoencoder`` is another one."""


def flow(clip: Clip, rng: np.random.Generator) -> Clip:
    """Replace every second frame by one that is moved along the optical flow between its neighbours."""
    import cv2

    del rng
    made = clip.copy()
    height, width = clip.shape[1:3]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    for t in range(1, len(clip) - 1, 2):
        before, after = (cv2.cvtColor(clip[t + step], cv2.COLOR_RGB2GRAY) for step in (-1, 1))
        empty = np.zeros((height, width, 2), np.float32)
        moved = cv2.calcOpticalFlowFarneback(before, after, empty, 0.5, 3, 9, 3, 5, 1.1, 0) / 2
        there, back = (
            cv2.remap(
                clip[t + step],
                x + step * moved[..., 0],
                y + step * moved[..., 1],
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT,
            )
            for step in (-1, 1)
        )
        made[t] = ((there.astype(np.uint16) + back + 1) // 2).astype(np.uint8)
    return made


def upscale(clip: Clip, rng: np.random.Generator) -> Clip:
    """Halve each frame, and double it again by cubic interpolation."""
    import cv2

    del rng
    height, width = clip.shape[1:3]
    small = [cv2.resize(f, (width // 2, height // 2), interpolation=cv2.INTER_AREA) for f in clip]
    large = [cv2.resize(f, (width, height), interpolation=cv2.INTER_CUBIC) for f in small]
    return np.stack(large).astype(np.uint8)


def smear(clip: Clip, rng: np.random.Generator) -> Clip:
    """Mix a third of the frame before, as it was made, into each frame, as a recursive filter does."""
    del rng
    made = clip.astype(np.float32)
    for t in range(1, len(made)):
        made[t] = made[t] * 2 / 3 + made[t - 1] / 3
    return np.clip(np.rint(made), 0, 255).astype(np.uint8)


UNSEEN: Final[Mapping[str, Callable[[Clip, np.random.Generator], Clip]]] = {
    "flow": flow,
    "upscale": upscale,
    "smear": smear,
}
"""Makers on whose clips nothing is fit; they were written after the numbers of the detectors were chosen."""


def write_detection_clips(out: Path, *, real: int = 240, generated: int = 40, batch: int = 8) -> list[str]:
    """Write the folders, resuming where an earlier call stopped; return their names relative to ``out``.

    Args:
        out: the folder.
        real: rendered clips.
        generated: clips of each generator at most, for the captions of the first of the rendered ones.
        batch: clips that are generated together.

    Raises:
        UsageError: fewer rendered clips than generated ones are asked for, or a number is not positive.
    """
    if not 0 < generated <= real or batch < 1:
        raise UsageError(f"{generated} generated clips need as many rendered ones at least, not {real}")
    scenes = list(_scenes(real))
    for stem, _, frames in scenes:
        _write(out / "real" / stem.rsplit("-", 1)[0] / f"{stem}.mp4", frames, NATIVE_CLIP.fps)
    chosen = scenes[:generated]
    total = generated * (len(GENERATORS) + len(MAKERS) + 1 + len(UNSEEN))
    with track("clips", total) as done:
        for name, spec in GENERATORS.items():
            folder = out / "generated" / name
            todo = [(stem, words) for stem, words, _ in chosen if not (folder / f"{stem}.mp4").is_file()]
            done.advance(generated - len(todo))
            generator = make_reference(spec, "cpu", "float32")
            for start in range(0, len(todo), batch):
                part = todo[start : start + batch]
                for (stem, _), clip in zip(part, _generate(generator, part), strict=True):
                    _write(folder / f"{stem}.mp4", clip.frames_THWC, clip.fps)
                done.advance(len(part))
        autoencoder = Reconstruction()
        makers = {**MAKERS, "autoencoder": lambda clip, _: autoencoder(clip)}
        folders = {"generated": makers, "unseen": UNSEEN}
        for folder, name in ((folder, name) for folder, of in folders.items() for name in of):
            for stem, _, frames in chosen:
                made = folders[folder][name](frames, seeded_rng("detection", name, stem))
                if not np.array_equal(made, frames):  # a copy of a rendered clip is no generated one
                    _write(out / folder / name / f"{stem}.mp4", made, NATIVE_CLIP.fps)
                done.advance()
    made = [f"generated/{name}" for name in (*GENERATORS, *MAKERS, "autoencoder")]
    return ["real", *made, *(f"unseen/{name}" for name in UNSEEN)]


def _scenes(n: int) -> Iterator[tuple[str, str, Clip]]:
    for index in range(n):
        family = FAMILIES[index % len(FAMILIES)]
        rng = seeded_rng("detection", family, index)
        scene = sample_scene(rng, NATIVE_CLIP, family=family)
        words = caption(scene, rng)
        yield f"{family}-{index:05d}", words, render(scene, NATIVE_CLIP, words=words)[0]


def _generate(generator: ReferenceGenerator, asked: Sequence[tuple[str, str]]) -> list[Frames]:
    native = NATIVE_CLIP
    if generator.cascade:
        native = ClipSettings(
            frames=native.frames, height=2 * native.height, width=2 * native.width, fps=native.fps
        )
    items: list[Item] = [
        make_item(words, _FIRST_SEED + int(stem.rsplit("-", 1)[1]), native) for stem, words in asked
    ]
    clips = generator.generate(items)
    found = [clip for clip in clips if isinstance(clip, Frames)]
    if len(found) != len(items):
        raise UsageError("the reference generator refused a caption of its own world")
    return found


def _write(path: Path, frames: Clip, fps: float) -> None:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(path, frames, fps)
