"""Draw a scene by MuJoCo's renderer: blurred over the exposure, with noise, and compressed."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ....harness.core.colors import COLORS
from ....harness.core.errors import UsageError
from ....harness.core.items import ClipSettings
from ....harness.core.keys import seeded_rng
from .mechanics import Course, shadow_caster, simulate
from .model import BITTEN, EXTRA, GHOST, build, mujoco
from .scene import Light, Scene, duration
from .warps import warped

__all__ = ["Drawn", "can_draw", "draw_frames", "draw_masks", "draw_picture", "opened", "recorded"]

Frames = NDArray[np.uint8]
_FINER, _LARGEST = 2, 512
"""Pictures are drawn at twice the size and reduced by area, which smooths edges, up to so many pixels."""
NO_GL: Final = (
    "the world 'stage' cannot draw here: {why}; on Debian, 'apt-get install libegl1 libgl1-mesa-dri' brings "
    "what MuJoCo draws with where there is no screen (MUJOCO_GL=egl)"
)
_FAR_UP: Final = 6.0  # metres along the light from a thing to its ghost
_OTHER: Final = {"red": "green", "green": "purple", "blue": "yellow", "yellow": "blue", "purple": "green"}


class Drawn:
    """A scene whose moments can be drawn, one after the other."""

    def __init__(self, scene: Scene, clip: ClipSettings, renderer: Any, model: Any, course: Course) -> None:
        self._library = mujoco()
        self.scene, self.clip, self.model, self.course = scene, clip, model, course
        self._renderer, self._data = renderer, self._library.MjData(model)
        self._options = self._library.MjvOption()
        self._options.geomgroup[:] = (1, 1, 1, 1, 0, 0)
        self._sizes, self._rgba = model.geom_size.copy(), model.geom_rgba.copy()
        self._geoms = [self._visible(k) for k in range(len(course.place_NS3))]
        self._moment = 0
        self._head = np.array(model.vis.headlight.ambient)

    def _visible(self, number: int) -> list[int]:
        """List the geometries of a body that the eye sees."""
        name = f"body {number}" if number < len(self.scene.bodies) else EXTRA
        body = self._library.mj_name2id(self.model, self._library.mjtObj.mjOBJ_BODY, name)
        return [
            g
            for g in range(self.model.ngeom)
            if self.model.geom_bodyid[g] == body and self.model.geom_group[g] < 4
        ]

    def set(self, moment: int) -> None:
        """Put everything in its place at a moment."""
        course, model, data = self.course, self.model, self._data
        seconds = float(course.times_S[moment])
        share = seconds / max(duration(self.clip), 1e-9)
        for number, geoms in enumerate(self._geoms):
            body = int(model.geom_bodyid[geoms[0]])
            joint = int(model.body_jntadr[body])
            if joint >= 0 and model.jnt_type[joint] == self._library.mjtJoint.mjJNT_FREE:
                at = int(model.jnt_qposadr[joint])
                data.qpos[at : at + 3] = course.place_NS3[number, moment]
                data.qpos[at + 3 : at + 7] = course.turn_NS4[number, moment]
            elif joint >= 0:
                w, _, y, _ = course.turn_NS4[number, moment]
                data.qpos[int(model.jnt_qposadr[joint])] = 2 * np.arctan2(y, w)
            self._shape(number, moment)
        place, axes = self.scene.camera.pose(share)
        model.cam_pos[0] = place
        self._library.mju_mat2Quat(model.cam_quat[0], np.ascontiguousarray(axes).reshape(-1))
        self._light(share)
        self._library.mj_forward(model, data)
        self._moment = moment

    def _with_shadow_left(self, whole: Frames) -> Frames:
        """Draw the floor and the backdrop with the shadow of a ghost instead of the subject's.

        The ghost is far up along the light, outside of the picture. Things stay as they are in the picture
        ``whole``.
        """
        moment, broken, course, model = self._moment, self.scene.violation, self.course, self.model
        if broken is None or broken.law != "shadow" or course.times_S[moment] < broken.time + 1e-9:
            return whole
        things = self._segments() >= 0
        body = int(self._library.mj_name2id(model, self._library.mjtObj.mjOBJ_BODY, GHOST))
        ghost = [g for g in range(model.ngeom) if model.geom_bodyid[g] == body]
        for geom, own in zip(ghost, self._geoms[0], strict=True):
            model.geom_rgba[geom], model.geom_size[geom] = model.geom_rgba[own], model.geom_size[own]
            model.geom_rgba[own, 3] = 0.0
        share = float(course.times_S[moment]) / max(duration(self.clip), 1e-9)
        number = int(model.body_mocapid[body])
        way = shines(self.scene.light, share)
        self._data.mocap_pos[number] = shadow_caster(course, moment, broken) - _FAR_UP * way
        self._data.mocap_quat[number] = course.turn_NS4[0, moment]
        self._library.mj_forward(model, self._data)
        other = self._rendered()
        model.geom_rgba[ghost, 3] = 0.0
        return np.where(things[:, :, None], whole, other)

    def _shape(self, number: int, moment: int) -> None:
        course, model = self.course, self.model
        shown = course.shown_NS[number, moment]
        recolored = float(course.recolored_NS[number, moment])
        for k, geom in enumerate(self._geoms[number]):
            model.geom_size[geom] = self._sizes[geom] * course.scale_NS3[number, moment]
            rgba = self._rgba[geom].copy()
            if recolored:
                rgba[:3] = self._tint(number, recolored)
            rgba[3] = 1.0 if shown and not self._bitten(number, moment, k) else 0.0
            model.geom_rgba[geom] = rgba

    def _bitten(self, number: int, moment: int, piece: int) -> bool:
        if number >= len(self.scene.bodies) or self.scene.bodies[number].shape != "bar":
            return False
        taken = BITTEN[: round(float(self.course.bitten_NS[number, moment]) * len(BITTEN))]
        return divmod(piece, 4) in taken

    def _tint(self, number: int, weight: float) -> NDArray[np.float64]:
        """Find the factors of the texture's color that turn it into another color by a weight."""
        color = self.scene.bodies[number].color
        own, other = (np.array(COLORS[c], np.float64) for c in (color, _OTHER.get(color, "red")))
        return (own + weight * (other - own)) / np.maximum(own, 1.0)

    def _light(self, share: float) -> None:
        light, model = self.scene.light, self.model
        level, way = light.level(share), shines(light, share)
        model.light_dir[0], model.light_pos[0] = way, np.array([0.0, 0.0, 1.0]) - 8.0 * way
        model.light_diffuse[0] = light.brightness * level
        model.vis.headlight.ambient[:] = self._head * level

    def picture(self) -> Frames:
        """Draw what is set, uint8 RGB (H, W, 3)."""
        import cv2

        large = self._with_shadow_left(self._rendered())
        size = (self.clip.width, self.clip.height)
        if large.shape[:2] == size[::-1]:
            return large.copy()
        return np.asarray(cv2.resize(large, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _rendered(self) -> Frames:
        self._renderer.update_scene(self._data, "eye", self._options)
        return np.array(self._renderer.render(), np.uint8)

    def mask(self) -> NDArray[np.int16]:
        """Number the body that each pixel shows, (H, W): -1 for floor and backdrop."""
        return self._thinned(self._segments())

    def _segments(self) -> NDArray[np.int16]:
        self._renderer.enable_segmentation_rendering()
        self._renderer.update_scene(self._data, "eye", self._options)
        seen = np.asarray(self._renderer.render())[:, :, 0].copy()
        self._renderer.disable_segmentation_rendering()
        table = np.full(self.model.ngeom + 1, -1, np.int16)
        for number, geoms in enumerate(self._geoms):
            table[geoms] = number
        return table[np.where(seen < 0, self.model.ngeom, seen)]

    def depth(self) -> NDArray[np.float32]:
        """Measure the distance of each pixel along the camera's axis, in metres, (H, W)."""
        self._renderer.enable_depth_rendering()
        self._renderer.update_scene(self._data, "eye", self._options)
        seen = np.asarray(self._renderer.render(), np.float32).copy()
        self._renderer.disable_depth_rendering()
        return self._thinned(seen)

    def _thinned(self, large: NDArray[Any]) -> NDArray[Any]:
        """Take one value a pixel of the clip."""
        step = len(large) // self.clip.height
        return large[step - 1 :: step, step - 1 :: step]


def shines(light: Light, share: float) -> NDArray[np.float64]:
    """Give the direction in which a lamp shines at a share of the clip, a unit vector."""
    turned = 50 * (share - 0.5) if light.course == "swings" else 0.0
    a, e = np.radians(light.azimuth + turned), np.radians(light.elevation)
    return np.array([-np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), -np.sin(e)])


@contextmanager
def opened(scene: Scene, clip: ClipSettings) -> Generator[Drawn]:
    """Open a scene for drawing.

    Raises:
        UsageError: MuJoCo is not installed, or nothing can be drawn here.
    """
    course = simulate(scene, clip)
    finer = _FINER if max(clip.height, clip.width) <= _LARGEST else 1
    model = build(scene, height=finer * clip.height, width=finer * clip.width)
    renderer = _renderer(model, finer * clip.height, finer * clip.width)
    try:
        yield Drawn(scene, clip, renderer, model, course)
    finally:
        renderer.close()


def _renderer(model: Any, height: int, width: int) -> Any:
    library = mujoco()
    try:
        return library.Renderer(model, height, width)
    except Exception as error:  # whatever the many ways of having no GL raise
        raise UsageError(NO_GL.format(why=f"there is no GL ({type(error).__name__})")) from None


def can_draw() -> str | None:
    """Say why nothing can be drawn here, in one sentence; None where it can."""
    try:
        library = mujoco()
        library.Renderer(library.MjModel.from_xml_string("<mujoco/>"), 16, 16).close()
    except UsageError as error:
        return str(error)
    except Exception as error:
        return NO_GL.format(why=f"there is no GL ({type(error).__name__})")
    return None


def draw_frames(scene: Scene, clip: ClipSettings) -> Frames:
    """Draw the frames of a scene, uint8 RGB (T, H, W, 3), as its look records them."""
    with opened(scene, clip) as drawn:
        frames = _pictures(drawn)
    return recorded(frames, scene, clip)


def draw_picture(scene: Scene, clip: ClipSettings) -> Frames:
    """Draw the first frame of a scene, uint8 RGB (H, W, 3), without noise or compression."""
    with opened(scene, clip) as drawn:
        drawn.set(0)
        return drawn.picture()


def draw_masks(scene: Scene, clip: ClipSettings) -> tuple[NDArray[np.int16], NDArray[np.float32], Frames]:
    """Draw segmentation (T, H, W), depth in metres (T, H, W), and the frames."""
    with opened(scene, clip) as drawn:
        blur = scene.look.blur
        masks, depths = [], []
        for t in range(clip.frames):
            drawn.set(t * blur + blur // 2)
            masks.append(drawn.mask())
            depths.append(drawn.depth())
        frames = _pictures(drawn)
    return np.stack(masks), np.stack(depths), recorded(frames, scene, clip)


def _pictures(drawn: Drawn) -> Frames:
    blur, clip = drawn.scene.look.blur, drawn.clip
    frames = np.empty((clip.frames, clip.height, clip.width, 3), np.uint8)
    for t in range(clip.frames):
        total = np.zeros((clip.height, clip.width, 3), np.float64)
        for k in range(blur):
            drawn.set(t * blur + k)
            total += drawn.picture()
        frames[t] = np.rint(total / blur)
    return frames


def recorded(frames_THWC: Frames, scene: Scene, clip: ClipSettings) -> Frames:
    """Add the sensor's noise, and compress, as the look of a scene says; a twin has the same noise."""
    look, broken = scene.look, scene.violation
    if broken is not None and broken.law == "warp":
        first = max(1, round(broken.time * clip.fps))
        frames_THWC = warped(frames_THWC, broken.severity, first, scene.seed)
    if look.noise:
        rng = seeded_rng("stage noise", scene.seed)
        noisy = frames_THWC + rng.normal(0, look.noise, frames_THWC.shape)
        frames_THWC = np.rint(noisy).clip(0, 255).astype(np.uint8)
    if look.crf is None or clip.height % 2 or clip.width % 2:
        return frames_THWC
    from ....harness.core.codec import encode_mp4
    from ....harness.core.media import open_clip

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        rate = Fraction(clip.fps).limit_denominator(1000)
        encode_mp4(path, list(frames_THWC), rate, "yuv420p", {"crf": str(look.crf)})
        return np.concatenate([window.frames_THWC for window in open_clip(path).windows()])
