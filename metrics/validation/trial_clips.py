"""Clips of the reference world for trials of the probes, and looks that they can be given."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...generators.worlds.plane import Scene, Thing, expectation, render, simulate
from ...generators.worlds.plane.scene import frame_size
from ...generators.worlds.plane.words import COLORS, GRAY
from ...harness.core.items import ClipSettings
from ...harness.core.keys import Json, seeded_rng

__all__ = [
    "DEGRADED",
    "LOOKS",
    "RECONSTRUCTED",
    "Reconstruct",
    "SceneClip",
    "beside",
    "dress",
    "recolored",
    "resized_things",
    "stays_inside",
]

Frames = NDArray[np.uint8]
_F = NDArray[np.float64]
Reconstruct: TypeAlias = Callable[[Frames], Frames]
"""An autoencoder: a clip, uint8 RGB (T, H, W, 3), coded and decoded."""
RECONSTRUCTED: Final = "reconstructed"
"""The look that the autoencoder gives."""
_CLEAR: Final = 75.0  # levels of RGB between any thing and a ground that is put behind it
_MARGIN: Final = 0.05  # sides between a thing that is added and the others, as the world's own relations have


@dataclass(frozen=True)
class SceneClip:
    """What a clip shows, before it is drawn.

    Attributes:
        scene: what happens.
        clip: size, rate and length.
        expect: what the clip should show.
        instead: another scene that is shown from frame ``cut[0]`` to ``cut[1]``, the last excluded.
    """

    scene: Scene
    clip: ClipSettings
    expect: Mapping[str, Any]
    instead: Scene | None = None
    cut: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, scene: Scene, clip: ClipSettings) -> SceneClip:
        """Show a scene as it is, and expect just that, were it lawful."""
        return cls(scene, clip, expectation(scene.lawful()))

    def with_more(self, thing: Thing) -> SceneClip:
        """Put one more thing into the film, and expect it too."""
        crowded = replace(self.scene, things=(*self.scene.things, thing))
        instead = self.instead
        if instead is not None:
            instead = replace(instead, things=(*instead.things, thing))
        objects = [*self.expect["objects"], *expectation(replace(crowded, things=(thing,)))["objects"]]
        return replace(self, scene=crowded, instead=instead, expect={**self.expect, "objects": objects})

    def draw(self, background: tuple[int, int, int] | None = None) -> Frames:
        """Draw the frames, uint8 RGB (T, H, W, 3), on the scene's own ground or another one."""
        frames = _drawn(self.scene, self.clip, background)
        if self.instead is not None:
            start, stop = self.cut
            frames[start:stop] = _drawn(self.instead, self.clip, background)[start:stop]
        return frames


def _drawn(scene: Scene, clip: ClipSettings, background: tuple[int, int, int] | None) -> Frames:
    if background is not None:
        scene = replace(scene, background=background)
    return render(scene, clip, words="")[0]


def plain(film: SceneClip, rng: np.random.Generator) -> Frames:
    """Leave the film as the world draws it: a dark ground of one color."""
    del rng
    return film.draw()


def ground(film: SceneClip, rng: np.random.Generator) -> Frames:
    """Put another ground behind: of another color, shaded, darker to the edges, or textured.

    The share of each pixel that things cover comes from drawing the film on black and on white.
    """
    black, white = (film.draw((v, v, v)).astype(np.float64) for v in (0, 255))
    through = (white - black) / 255
    return np.rint(black + through * _ground(film, rng)).clip(0, 255).astype(np.uint8)


def _ground(film: SceneClip, rng: np.random.Generator) -> _F:
    """Draw a ground (H, W, 3) of a color that no thing of the film has."""
    height, width = film.clip.height, film.clip.width
    x, y = np.linspace(-1, 1, width)[None, :, None], np.linspace(-1, 1, height)[:, None, None]
    kinds = ("color", "gradient", "vignette", "texture")
    kind = kinds[int(rng.integers(3 if film.scene.dots else 4))]  # before a texture, a camera cannot move
    field = np.zeros((height, width, 1))
    if kind == "gradient":
        angle = rng.uniform(0, 2 * np.pi)
        field = rng.uniform(10, 30) * (np.cos(angle) * x + np.sin(angle) * y)
    elif kind == "vignette":
        field = -rng.uniform(10, 30) * (x * x + y * y - 0.7)
    elif kind == "texture":
        import cv2

        rough = rng.normal(0, 1, (height, width)).astype(np.float32)
        fine = np.asarray(cv2.GaussianBlur(rough, (0, 0), 1.0))
        field = (fine * (rng.uniform(3, 6) / fine.std()))[:, :, None]
    return (_shade(film, rng, float(np.abs(field).max())) + field).clip(0, 255)


def _shade(film: SceneClip, rng: np.random.Generator, reach: float) -> _F:
    """Draw a color (3,) from which every thing's stays clear, though the ground be shaded by ``reach``."""
    paints = np.array([_paint(thing) for thing in film.scene.things])
    best, clearest = np.zeros(3), -1.0
    for _ in range(200):
        shade = rng.uniform(28 + reach, 215) + rng.uniform(-18, 18, 3)
        away = min(float(np.linalg.norm(paints - (shade + k * reach), axis=1).min()) for k in (-1, 0, 1))
        if away > clearest:
            best, clearest = shade, away
        if away > _CLEAR:
            break
    return best


def _paint(thing: Thing) -> tuple[int, int, int]:
    kinds = {"biscuit": (205, 160, 100), "hazard": (255, 40, 140), "person": (150, 110, 90)}
    return COLORS.get(thing.color) or kinds.get(thing.kind, GRAY)


def noise(film: SceneClip, rng: np.random.Generator) -> Frames:
    """Add Gaussian noise of 4 to 10 levels to every pixel."""
    frames = film.draw()
    return np.rint(frames + rng.normal(0, rng.uniform(4, 10), frames.shape)).clip(0, 255).astype(np.uint8)


def crf28(film: SceneClip, rng: np.random.Generator) -> Frames:
    """Code the film by H.264 at crf 28, with halved color (yuv420p), and decode it."""
    del rng
    return coded(film.draw(), film.clip.fps, 28)


def coded(frames_THWC: Frames, fps: float, crf: int) -> Frames:
    """Code frames, uint8 RGB (T, H, W, 3) of even size, by libx264 at a constant rate factor, and decode."""
    from ...harness.core.codec import encode_mp4
    from ...harness.core.media import open_clip

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        rate = Fraction(fps).limit_denominator(1000)
        encode_mp4(path, list(frames_THWC), rate, "yuv420p", {"crf": str(crf)})
        return np.concatenate([window.frames_THWC for window in open_clip(path).windows()])


def resized(film: SceneClip, rng: np.random.Generator) -> Frames:
    """Show the film at 3/4, 3/2 or twice its size, by area or bilinear."""
    import cv2

    factor = (0.75, 1.5, 2.0)[int(rng.integers(3))]
    size = (round(film.clip.width * factor), round(film.clip.height * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.stack([np.asarray(cv2.resize(f, size, interpolation=how), np.uint8) for f in film.draw()])


LOOKS: Final[dict[str, Callable[[SceneClip, np.random.Generator], Frames]]] = {
    "plain": plain,
    "ground": ground,
    "noise": noise,
    "crf28": crf28,
    "resized": resized,
}
"""Looks that a film can be given without any weights."""
DEGRADED: Final = ("ground", "noise", "crf28", "resized")
"""Looks that say nothing of laws, and under which thresholds are made too."""


def dress(
    film: SceneClip, look: str, rng: np.random.Generator, reconstruct: Reconstruct | None = None
) -> Frames:
    """Draw a film, uint8 RGB (T, H, W, 3), in one of `LOOKS` or ``reconstructed``.

    Raises:
        ValueError: the look is ``reconstructed``, and no autoencoder was given that leaves it.
    """
    if look != RECONSTRUCTED:
        return LOOKS[look](film, rng)
    if reconstruct is None:
        raise ValueError(f"the look {look!r} needs an autoencoder")
    return reconstruct(film.draw())


def recolored(scene: Scene, palette: Sequence[str], rng: np.random.Generator) -> Scene:
    """Give a scene's shapes colors of a palette: those of one color stay of one color, others of others."""
    colors = list(dict.fromkeys(thing.color for thing in scene.things if thing.kind == "shape"))
    if len(colors) > len(palette):
        raise ValueError(f"{len(colors)} colors cannot be told apart by a palette of {len(palette)}")
    order = rng.permutation(len(palette))
    new = {color: palette[int(order[k])] for k, color in enumerate(colors)}
    return replace(scene, things=tuple(replace(t, color=new.get(t.color, t.color)) for t in scene.things))


def resized_things(scene: Scene, factor: float) -> Scene:
    """Make the things of a scene larger or smaller where they are."""
    return replace(scene, things=tuple(replace(t, radius=t.radius * factor) for t in scene.things))


def stays_inside(scene: Scene, clip: ClipSettings) -> bool:
    """Tell whether every thing is in the frame at its first frame, and solid things apart from each other."""
    width, height = frame_size(clip)
    for thing in scene.things:
        if thing.kind == "wall":
            continue
        left, up, right, down = thing.reach
        if min(thing.x - left, thing.y - up, width - thing.x - right, height - thing.y - down) < 0:
            return False
    return _apart(scene)


def _apart(scene: Scene) -> bool:
    things = [thing for thing in scene.things if thing.solid]
    for k, one in enumerate(things):
        for two in things[k + 1 :]:
            gap_x = abs(one.x - two.x) - max(one.reach[0], one.reach[2]) - max(two.reach[0], two.reach[2])
            gap_y = abs(one.y - two.y) - max(one.reach[1], one.reach[3]) - max(two.reach[1], two.reach[3])
            if max(gap_x, gap_y) < 0.01:
                return False
    return True


def beside(scene: Scene, clip: ClipSettings, seed: Json, palette: Sequence[str]) -> Thing | None:
    """Find room for one more small shape that nothing ever touches; None where there is none.

    It has a color of the palette that no thing of the scene has, or one that is left of the world's.
    """
    rng = seeded_rng("beside", seed)
    taken = {thing.color for thing in scene.things}
    free = [c for c in palette if c not in taken] or [c for c in COLORS if c not in taken]
    shape = ("ball", "square", "triangle")[int(rng.integers(3))]
    radius = float(rng.uniform(0.08, 0.1))
    thing = Thing("shape", shape, free[int(rng.integers(len(free)))], "small", radius, 0.0, 0.0, solid=False)
    left, up, right, down = thing.reach
    (width, height), course = frame_size(clip), simulate(scene, clip)
    half = np.array([[max(t.reach[0], t.reach[2]), max(t.reach[1], t.reach[3])] for t in scene.things])
    for _ in range(60):
        x = rng.uniform(left + _MARGIN, width - right - _MARGIN)
        y = rng.uniform(up + _MARGIN, height - down - _MARGIN)
        gap = np.abs(course.position_NT2 - (x, y)) - half[:, None] - (max(left, right), max(up, down))
        if float(gap.max(axis=2).min()) > _MARGIN:
            return replace(thing, x=float(x), y=float(y))
    return None
