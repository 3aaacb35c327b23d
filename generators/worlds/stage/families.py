"""Draw a scene of a family: its bodies, camera, light and look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from ....harness.core.colors import GOAL_COLORS
from ....harness.core.errors import UsageError, unknown_name
from ....harness.core.items import ClipSettings
from .layouts import FAMILIES, Setting
from .puzzles import PUZZLES, Desk
from .scene import SURFACES, Body, Camera, Light, Look, Scene, duration

__all__ = ["COLORS", "CRF", "FAMILIES", "PUZZLES", "choices", "fits", "sample_scene"]

COLORS: Final = ("red", "green", "blue", "yellow", "purple", "white")
CRF: Final = ("none", "18", "23", "28", "35")
_SHORTEST: Final = 1.0  # seconds
_FEWEST: Final = 10  # frames
_VIEW: Final = (4.6, 5.4)
_ROOM: Final = {"orbit": (14.0, 26.0), "dolly": (1.2, 2.2)}
_AMOUNTS: Final = {"pan": (5.0, 10.0), "orbit": (6.0, 14.0), "dolly": (0.5, 1.2), "shake": (0.4, 1.0)}


def fits(family: str, clip: ClipSettings) -> bool:
    """Say whether a clip has time for a family's scenes."""
    return (
        (family in FAMILIES or family in PUZZLES) and duration(clip) >= _SHORTEST and clip.frames >= _FEWEST
    )


def choices(family: str) -> Mapping[str, Sequence[str]]:
    """Say what can be fixed of a family's scenes: colors, surfaces, and how it is recorded."""
    if family not in FAMILIES and family not in PUZZLES:
        raise unknown_name("family", family, (*FAMILIES, *PUZZLES))
    return {
        "color": GOAL_COLORS if family in PUZZLES else COLORS,
        "floor": SURFACES,
        "backdrop": SURFACES,
        "noise": ("0", "2", "4", "8"),
        "blur": ("1", "3", "5"),
        "crf": CRF,
        "shadows": ("yes", "no"),
    }


def sample_scene(
    rng: np.random.Generator,
    clip: ClipSettings,
    family: str | None = None,
    asked: Mapping[str, str] | None = None,
    *,
    palette: Sequence[str] = COLORS,
    surfaces: Sequence[str] = SURFACES,
) -> Scene:
    """Draw a scene of a family, or of any.

    Args:
        rng: of everything in it.
        clip: size, rate and length.
        family: one of `FAMILIES` or of `PUZZLES`; None for any of `FAMILIES`.
        asked: what is fixed; see `choices`.
        palette: colors that the first things take; further things have others.
        surfaces: textures of floor and backdrop.

    Raises:
        UsageError: no such family or choice, or a clip that is too short for it.
    """
    name = family if family is not None else list(FAMILIES)[int(rng.integers(len(FAMILIES)))]
    fixed = dict(asked or {})
    known = choices(name)
    for choice, value in fixed.items():
        if choice not in known:
            raise unknown_name("choice", choice, known)
        if value not in known[choice]:
            raise unknown_name(choice, value, known[choice])
    if not fits(name, clip):
        raise UsageError(
            f"a scene of the family {name!r} needs {_FEWEST} frames and {_SHORTEST:g} second; this clip has "
            f"{clip.frames} frames in {duration(clip):.2f} seconds"
        )
    if name in PUZZLES:
        return _puzzle(rng, clip, name, fixed, palette, surfaces)
    made = FAMILIES[name]
    camera = _camera(rng, name, made.camera)
    first = list(rng.permutation(list(palette)))
    if "color" in fixed:
        first = [fixed["color"], *(c for c in first if c != fixed["color"])]
    colors = (*first, *(c for c in COLORS if c not in first))
    wide = camera.view * clip.width / clip.height
    bodies, own = made.place(Setting(rng, duration(clip), wide, camera, tuple(map(str, colors))))
    facts = {"ideal": True, **made.facts, **own, **made.known}  # in this order in the files of a render
    look, light = _look(rng, fixed), _light(rng, made.light, fixed)
    floor, backdrop = (str(surfaces[int(rng.integers(len(surfaces)))]) for _ in range(2))
    scene = Scene(
        name,
        bodies,
        camera,
        light,
        look,
        fixed.get("floor", floor),
        fixed.get("backdrop", backdrop),
        int(rng.integers(2**31)),
        facts,
    )
    return replace(scene, spare=_spare(scene, rng, wide))


def _look(rng: np.random.Generator, fixed: Mapping[str, str]) -> Look:
    return Look(
        blur=int(fixed.get("blur", "1" if rng.random() < 0.7 else "3")),
        noise=float(fixed["noise"]) if "noise" in fixed else float(rng.choice([0.0, 1.5, 3.0])),
        crf=_crf(fixed.get("crf"), rng),
    )


def _light(rng: np.random.Generator, course: str, fixed: Mapping[str, str]) -> Light:
    azimuth, elevation = float(rng.uniform(-60, 60)), float(rng.uniform(45, 70))
    brightness = float(rng.uniform(0.55, 0.75))
    cast = course == "swings" or bool(rng.random() < 0.6)
    return Light(
        azimuth=azimuth,
        elevation=elevation,
        brightness=brightness,
        course=course,
        shadows=fixed["shadows"] == "yes" if "shadows" in fixed else cast,
    )


def _puzzle(
    rng: np.random.Generator,
    clip: ClipSettings,
    name: str,
    fixed: Mapping[str, str],
    palette: Sequence[str],
    surfaces: Sequence[str],
) -> Scene:
    """Draw a scene of a puzzle; it has no spare body."""
    first = [c for c in map(str, rng.permutation(list(palette))) if c in GOAL_COLORS]
    first = [fixed["color"], *first] if "color" in fixed else first
    others = map(str, rng.permutation(list(GOAL_COLORS)))
    colors = tuple(dict.fromkeys((*first, *others)))
    camera = _camera(rng, name, "still")
    made = PUZZLES[name](Desk(rng, camera, clip.width / clip.height, colors))
    floor, backdrop = (str(surfaces[int(rng.integers(len(surfaces)))]) for _ in range(2))
    return Scene(
        name,
        made.bodies,
        made.camera,
        _light(rng, "constant", fixed),
        _look(rng, fixed),
        fixed.get("floor", floor),
        fixed.get("backdrop", backdrop),
        int(rng.integers(2**31)),
        made.expect,
        drives=made.drives,
        marks=made.marks,
    )


def _crf(fixed: str | None, rng: np.random.Generator) -> int | None:
    drawn = CRF[int(rng.integers(4))]
    word = drawn if fixed is None else fixed
    return None if word == "none" else int(word)


def _camera(rng: np.random.Generator, family: str, move: str) -> Camera:
    view, fovy = float(rng.uniform(*_VIEW)), float(rng.uniform(32, 46))
    pitch = 0.0 if family in ("fall", "throw", "drag", "pendulum") else float(rng.uniform(4, 12))
    height = (
        0.42 * view
        if pitch == 0
        else 0.3 * view + view / 2 / np.tan(np.radians(fovy / 2)) * np.tan(np.radians(pitch))
    )
    amount = 0.0
    if move != "still":
        sign = 1 if move == "shake" or rng.random() < 0.5 else -1
        wide = _ROOM if family.startswith("room") else _AMOUNTS
        amount = (1 if move == "dolly" else sign) * float(rng.uniform(*wide[move]))
    return Camera(view, fovy, float(height), pitch, move, amount)


def _spare(scene: Scene, rng: np.random.Generator, wide: float) -> Body | None:
    """Place one more small thing well above the floor's things, where nothing passes in most families.

    There is none where the scene has every color already.
    """
    taken = {body.color for body in scene.bodies}
    free = [c for c in COLORS if c not in taken]
    if not free:
        return None
    r = float(rng.uniform(0.3, 0.4))
    color = free[int(rng.integers(len(free)))]
    subject = scene.bodies[0]
    side = -1 if subject.place[0] > 0 else 1
    x = side * float(rng.uniform(0.2, 0.36)) * wide
    return Body("ball", color, (r, r, r), (x, 1.4, float(rng.uniform(1.9, 2.4))), fixed=True)
