"""Scenes of the reference world for trials: recolored, resized, with one more thing, or with a law broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ....harness.core.items import ClipSettings
from ....harness.core.keys import Json, seeded_rng
from ..trials import Color, TrialRequest
from .draw import render
from .families import sample_scene
from .mechanics import simulate
from .scene import Scene, Thing, frame_size
from .truth import expectation
from .words import COLORS, GRAY

__all__ = ["SceneClip", "beside", "lawful_scenes", "recolored", "resized_things", "stays_inside"]

Frames = NDArray[np.uint8]
_MARGIN: Final = 0.05  # sides between a thing that is added and the others, as the world's own relations have
_TRIES: Final = 12


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
        """Put one more thing into the clip, and expect it too."""
        crowded = replace(self.scene, things=(*self.scene.things, thing))
        instead = self.instead
        if instead is not None:
            instead = replace(instead, things=(*instead.things, thing))
        objects = [*self.expect["objects"], *expectation(replace(crowded, things=(thing,)))["objects"]]
        return replace(self, scene=crowded, instead=instead, expect={**self.expect, "objects": objects})

    @property
    def paints(self) -> Sequence[Color]:
        """Colors of its things."""
        return [_paint(thing) for thing in self.scene.things]

    @property
    def takes_texture(self) -> bool:
        """Whether the camera stands still, so that a texture may be laid behind."""
        return not self.scene.dots

    def draw(self, background: Color | None = None) -> Frames:
        """Draw the frames, uint8 RGB (T, H, W, 3), on the scene's own ground or another one."""
        frames = _drawn(self.scene, self.clip, background)
        if self.instead is not None:
            start, stop = self.cut
            frames[start:stop] = _drawn(self.instead, self.clip, background)[start:stop]
        return frames


def _drawn(scene: Scene, clip: ClipSettings, background: Color | None) -> Frames:
    if background is not None:
        scene = replace(scene, background=background)
    return render(scene, clip, words="")[0]


def _paint(thing: Thing) -> tuple[int, int, int]:
    kinds = {"biscuit": (205, 160, 100), "hazard": (255, 40, 140), "person": (150, 110, 90)}
    return COLORS.get(thing.color) or kinds.get(thing.kind, GRAY)


def lawful_scenes(request: TrialRequest) -> Iterator[tuple[Scene, Thing | None] | None]:
    """Draw lawful scenes, and what more is in them, until one has the room that is asked for."""
    asked = {"motion": ("fall", "bounce")[request.index % 2]} if request.family == "fall" else {}
    for attempt in range(_TRIES):
        rng = seeded_rng("probe trial", *request.name, attempt)
        scene = recolored(
            sample_scene(rng, request.clip, family=request.family, **asked), request.palette, rng
        )
        low, high = request.sizes
        factor = low if low == high else float(rng.uniform(low, high))
        scene = resized_things(scene, factor)
        if factor > 1 and not stays_inside(scene, request.clip):
            yield None
        elif request.extra:
            more = beside(scene, request.clip, [*request.name, attempt], request.palette)
            yield None if more is None else (scene, more)
        else:
            yield scene, None


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
