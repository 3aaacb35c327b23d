"""The scene as a model of MuJoCo: geometry for the eye, and geometry for contacts, of each body apart."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any, Final

import numpy as np

from ....harness.core.colors import COLORS
from ....harness.core.errors import UsageError
from ....harness.core.keys import seeded_rng
from .scene import Body, G, Scene
from .surfaces import paint

__all__ = ["BITTEN", "EXTRA", "GHOST", "STEP", "build", "mujoco"]

STEP: Final = 0.001
"""Seconds of one step of the mechanics."""
GHOST: Final = "ghost"
"""Name of a copy of the subject, outside of the picture, whose shadow falls into it."""
EXTRA: Final = "spare"
"""Name of the body that only a violation shows."""
_STIFF: Final = 20_000.0  # of a contact, 1/s^2: it lasts some 20 steps
_PIECES: Final = (6, 4)  # of a bar, across and up
BITTEN: Final = ((4, 3), (5, 3), (5, 2), (4, 2), (5, 1))
"""Pieces of a bar, across and up, that a bite takes."""
_TEXTURE: Final = 256
_GROUNDS: Final = ((128, 122, 112), (112, 118, 126), (140, 132, 120), (100, 112, 104))
_WALL: Final = 4.5  # metres behind the plane y = 0: the backdrop


def mujoco() -> ModuleType:
    """Import MuJoCo, which draws without a screen where there is none.

    Raises:
        UsageError: it is not installed.
    """
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl")  # read once, when the library is imported
    try:
        import mujoco as library
    except ImportError:
        raise UsageError(
            "the world 'stage' needs MuJoCo; install it with: pip install 'screentest[stage]'"
        ) from None
    return library


def build(scene: Scene, *, overlap: float = 0.0, height: int = 256, width: int = 256) -> Any:
    """Compile a scene to an ``MjModel``; body k of the scene has the name ``body k``.

    Args:
        scene: with its spare body, which is hidden.
        overlap: metres by which two bodies go into one another before they touch.
        height, width: of the largest picture.
    """
    library = mujoco()
    spec = library.MjSpec.from_string(_xml(scene, overlap, height, width))
    model = spec.compile()
    _paint(library, model, scene)
    return model


def _xml(scene: Scene, overlap: float, height: int, width: int) -> str:
    bodies = "".join(_body(f"body {k}", k, body, overlap) for k, body in enumerate(scene.bodies))
    if scene.extra is not None:
        bodies += _body(EXTRA, len(scene.bodies), scene.extra, 0.0, seen=False)
    if scene.violation is not None and scene.violation.law == "shadow":
        seen = _visual(scene.bodies[0], 'material="t0" rgba="1 1 1 0" contype="0" conaffinity="0" mass="0"')
        bodies = f'<body name="{GHOST}" mocap="true">{seen}</body>' + bodies  # the spare one stays last
    surfaces = "".join(_texture(f"t{k}") for k in range(len(scene.all_bodies)))
    shadows = "true" if scene.light.shadows else "false"
    return f"""
<mujoco>
  <compiler angle="radian" autolimits="true"/>
  <option timestep="{STEP}" gravity="0 0 {-G}" integrator="implicitfast" cone="elliptic"/>
  <visual>
    <quality shadowsize="256" offsamples="0" numslices="24" numstacks="14"/>
    <global offwidth="{width}" offheight="{height}"/>
    <headlight ambient=".35 .35 .35" diffuse=".15 .15 .15" specular="0 0 0"/>
    <map znear="0.01" zfar="60" shadowclip="1.2" shadowscale="0.8"/>
  </visual>
  <statistic extent="6" center="0 0 1"/>
  <asset>{_texture("floor", 3)}{_texture("backdrop", 2)}{surfaces}</asset>
  <worldbody>
    <light name="lamp" pos="0 0 8" dir="0 0 -1" directional="true" castshadow="{shadows}"
      diffuse=".6 .6 .6" specular=".1 .1 .1" ambient="0 0 0"/>
    <camera name="eye" pos="0 -6 1" fovy="{scene.camera.fovy}"/>
    <geom name="floor" type="plane" size="14 14 .1" material="floor" contype="2" conaffinity="1" condim="3"
      friction="1 0.005 0.0001"/>
    <geom name="backdrop" type="box" pos="0 {_WALL} 4" size="14 .05 6" material="backdrop"
      contype="0" conaffinity="0"/>
    {bodies}
  </worldbody>
</mujoco>"""


def _texture(name: str, repeat: int = 1) -> str:
    return (
        f'<texture name="{name}" type="2d" builtin="flat" rgb1=".5 .5 .5" width="{_TEXTURE}" '
        f'height="{_TEXTURE}"/><material name="{name}" texture="{name}" texrepeat="{repeat} {repeat}" '
        'specular=".15" shininess=".3"/>'
    )


def _body(name: str, number: int, body: Body, overlap: float, *, seen: bool = True) -> str:
    x, y, z = body.place
    joint, where = f'<freejoint name="joint {number}"/>', f"{x} {y} {z}"
    rod = ""
    if body.hung is not None:
        pivot = f"{body.hung[0] - x} 0 {body.hung[2] - z}"
        joint = f'<joint name="joint {number}" type="hinge" axis="0 1 0" pos="{pivot}"/>'
        rod = (
            f'<geom type="capsule" fromto="{pivot} 0 0 0" size="0.025" '
            f'rgba=".3 .3 .3 1" contype="0" conaffinity="0" mass="0.001"/>'
        )
    if body.fixed:
        joint = ""
    alpha = 1 if seen else 0
    look = f'material="t{number}" rgba="1 1 1 {alpha}" contype="0" conaffinity="0" mass="0"'
    visual = _visual(body, look)
    touching = "" if not seen or body.hung is not None else _contacts(body, overlap)
    euler = f'euler="0 {body.tilt} 0"' if body.tilt else ""
    weight = '<inertial pos="0 0 0" mass="1" diaginertia="{0} {0} {0}"/>'.format(_inertia(body))
    if body.fixed:
        weight = ""
    return f'<body name="{name}" pos="{where}" {euler}>{joint}{weight}{visual}{rod}{touching}</body>'


def _inertia(body: Body) -> float:
    """Moment of inertia of a mass of 1: of a ball 2/5 r^2, of a cube 2/3 of its half edge squared."""
    half = float(np.mean(np.square(body.half)))
    return (0.4 if body.shape == "ball" else 2 / 3) * half


def _visual(body: Body, look: str) -> str:
    a, b, c = body.half
    if body.shape == "ball":
        return f'<geom type="ellipsoid" size="{a} {b} {c}" {look}/>'
    if body.shape != "bar":
        return f'<geom type="box" size="{a} {b} {c}" {look}/>'
    across, up = _PIECES
    pieces: list[str] = []
    for i in range(across):
        for j in range(up):
            x, z = (2 * i + 1 - across) * a / across, (2 * j + 1 - up) * c / up
            pieces.append(f'<geom type="box" pos="{x} 0 {z}" size="{a / across} {b} {c / up}" {look}/>')
    return "".join(pieces)


def _contacts(body: Body, overlap: float) -> str:
    """Make two hidden geometries: one that the floor holds, and one that meets the other bodies."""
    a, b, c = body.half
    kind = "sphere" if body.shape == "ball" else "box"
    size = f"{a}" if kind == "sphere" else f"{a} {b} {c}"
    less = overlap / 2
    inner = f"{a - less}" if kind == "sphere" else f"{a - less} {b} {c}"
    damped = _damping(body.springy)
    hidden = 'group="4" rgba="0 0 0 0" mass="0"'
    rub = "3" if body.friction else "1"
    bounce = f'solref="{-_STIFF} {-damped}" solimp="0.98 0.99 0.001"'
    firm = 'solref="0.004 1" solimp="0.98 0.99 0.001"'
    level = bounce if body.shape == "ball" and body.springy and not body.velocity[0] else firm
    if body.springy and body.velocity[2]:
        level = bounce
    if body.shape == "ramp":
        return (
            f'<geom type="box" size="{size}" contype="2" conaffinity="1" friction="1 0.001 0.0001" {hidden}/>'
        )
    if body.fixed:
        return ""
    on = (
        f'<geom type="{kind}" size="{size}" contype="1" conaffinity="2" condim="{rub}" priority="1" '
        f'friction="{max(body.friction, 1e-5)} 0.001 0.0001" {level} {hidden}/>'
    )
    if body.shape == "bar":
        return on
    with_others = (
        f'<geom type="{kind}" size="{inner}" contype="4" conaffinity="4" condim="{rub}" '
        f'friction="{max(body.friction, 1e-5)} 0.001 0.0001" {bounce} {hidden}/>'
    )
    return on + with_others


def _damping(springy: float) -> float:
    """Find the damping of a spring whose bounce leaves a share e of the speed: ln e / sqrt(pi^2 + ln^2 e)."""
    log = float(np.log(max(springy, 0.02)))
    ratio = -log / float(np.sqrt(np.pi**2 + log**2))
    return 2 * ratio * float(np.sqrt(_STIFF))


def _paint(library: ModuleType, model: Any, scene: Scene) -> None:
    """Fill the textures of a model with the scene's surfaces."""
    rng = seeded_rng("stage surfaces", scene.seed)
    floor, backdrop = rng.permutation(len(_GROUNDS))[:2]
    _fill(library, model, "floor", paint(scene.floor, _shade(_GROUNDS[floor], rng), 0.08, rng, _TEXTURE))
    _fill(
        library,
        model,
        "backdrop",
        paint(scene.backdrop, _shade(_GROUNDS[backdrop], rng), 0.06, rng, _TEXTURE),
    )
    for k, body in enumerate(scene.all_bodies):
        rgb = COLORS[body.color]
        plain = np.empty((_TEXTURE, _TEXTURE, 3), np.uint8)
        plain[:] = rgb
        skin = plain if body.surface is None else paint(body.surface, rgb, 0.09, rng, _TEXTURE)
        _fill(library, model, f"t{k}", skin)


def _shade(rgb: tuple[int, int, int], rng: np.random.Generator) -> tuple[int, int, int]:
    r, g, b = (int(np.clip(v + rng.uniform(-14, 14), 0, 255)) for v in rgb)
    return r, g, b


def _fill(library: ModuleType, model: Any, name: str, pixels: np.ndarray[Any, Any]) -> None:
    number = library.mj_name2id(model, library.mjtObj.mjOBJ_TEXTURE, name)
    start = int(model.tex_adr[number])
    model.tex_data[start : start + pixels.size] = pixels.reshape(-1)
