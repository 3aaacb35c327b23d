"""What a rendered clip of the stage shows, frame by frame, and how it is written beside the clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ....harness.core.items import ClipSettings
from .mechanics import Contact, Course, shadow_caster, simulate
from .puzzles import expected
from .scene import Body, Camera, G, Scene, Violation, duration

__all__ = ["StageTruth", "expectation", "projected", "truth_of"]

_F = NDArray[np.float64]
_OUTLINES: Final = {"ball": "ball", "box": "square"}
_MOMENT: Final = 1e-3  # seconds over which a velocity is projected


@dataclass(frozen=True)
class StageTruth:
    """The truth of a clip of N bodies (the spare one last) over T frames, at the middle of each exposure.

    Attributes:
        scene: what was simulated.
        caption: one wording of it.
        place_NT3, velocity_NT3: in metres, and metres a second.
        position_NT2: the centre (x, y) in the picture, in pixels; the centre of the top-left pixel is (0, 0).
        pixel_velocity_NT2: pixels a second, for a camera that stands still where it is.
        area_NT: of the whole body's outline in the picture, in pixels, whatever hides it.
        visible_NT: share of that which is seen; NaN where the pictures were not segmented.
        distance_NT: along the camera's axis, in metres.
        camera_T7: the camera's place, and its direction as a quaternion (w, x, y, z).
        light_T: brightness of the lamp.
        contacts: when bodies began to touch.
        first_fault: the first frame that the violation changes; None for a lawful clip.
        expect: what a faithful clip shows.
        frame_size: height and width in pixels.
    """

    scene: Scene
    caption: str
    place_NT3: _F
    velocity_NT3: _F
    position_NT2: _F
    pixel_velocity_NT2: _F
    area_NT: _F
    visible_NT: _F
    distance_NT: _F
    camera_T7: _F
    light_T: _F
    contacts: tuple[Contact, ...]
    first_fault: int | None
    expect: Mapping[str, Any]
    frame_size: tuple[int, int]

    def to_json(self) -> dict[str, Any]:
        """List everything as plain JSON values, rounded to a ten-thousandth."""
        scene, broken = self.scene, self.scene.violation
        arrays = {
            "place_m": self.place_NT3,
            "velocity_m_per_s": self.velocity_NT3,
            "position_px": self.position_NT2,
            "velocity_px_per_s": self.pixel_velocity_NT2,
            "area_px": self.area_NT,
            "distance_m": self.distance_NT,
            "camera": self.camera_T7,
            "light": self.light_T,
        }
        return {
            "caption": self.caption,
            "family": scene.family,
            "expect": dict(self.expect),
            "things": [asdict(body) for body in scene.bodies],
            "violation": None if broken is None else {**_violation(broken), "first_frame": self.first_fault},
            **{name: np.round(array, 4).tolist() for name, array in arrays.items()},
            "visible_share": [
                [None if np.isnan(v) else round(float(v), 4) for v in row] for row in self.visible_NT
            ],
            "contacts": [asdict(contact) for contact in self.contacts],
            "look": asdict(scene.look),
            "camera_move": scene.camera.move,
            "surfaces": {"floor": scene.floor, "backdrop": scene.backdrop},
            "look_seed": scene.seed,
        }


def _violation(broken: Violation) -> dict[str, Any]:
    """List a violation without the drives of a puzzle's things, which the places tell."""
    return {key: value for key, value in asdict(broken).items() if key != "drives"}


def expectation(scene: Scene, clip: ClipSettings) -> dict[str, Any]:
    """Say what a faithful clip shows, as the key ``expect`` of a prompt.

    A shape is stated where the outline in the picture stays as it is: of balls, and of boxes that do not
    turn. What falls has a gravity, which is that of the plane y = 0 in sides a second squared. Of a puzzle it
    says what is asked, and where the puzzle is in the picture.
    """
    if scene.marks:
        points, _ = projected(scene.camera, clip, 0.0, np.array(scene.marks))
        shares = (points + 0.5) / (clip.width, clip.height)
        return expected(scene.facts, [(float(x), float(y)) for x, y in shares])
    facts = dict(scene.facts)
    falls, tilts = facts.pop("falls", False), facts.pop("tilts", None)
    turns = bool(tilts) or scene.camera.move in ("orbit", "dolly")
    expect: dict[str, Any] = {"objects": [_object(body, turns=turns) for body in scene.bodies], **facts}
    if falls:
        side = float(np.sqrt(clip.height * clip.width))
        expect["gravity"] = round(G * clip.height / scene.camera.view / side, 6)
    return expect


def _object(body: Body, *, turns: bool) -> dict[str, str]:
    if body.shape == "wall":
        return {"kind": "wall"}
    if body.shape == "bar":
        return {"color": body.color}
    outline = _OUTLINES.get(body.shape)
    if outline is None or (turns and body.shape != "ball"):
        return {"color": body.color}
    return {"shape": outline, "color": body.color}


def truth_of(scene: Scene, clip: ClipSettings, words: str, masks_THW: NDArray[np.int16] | None) -> StageTruth:
    """Work out the truth of a clip; ``masks_THW`` are `draw.draw_masks`' of the same scene."""
    course = simulate(scene, clip)
    blur = scene.look.blur
    at = np.arange(clip.frames) * blur + blur // 2
    share_T = course.times_S[at] / max(duration(clip), 1e-9)
    count = len(course.place_NS3)
    place, velocity = course.place_NS3[:, at], course.velocity_NS3[:, at]
    position, moved, distance = (np.empty((count, clip.frames, k)) for k in (2, 2, 1))
    for t, share in enumerate(share_T):
        position[:, t], distance[:, t, 0] = projected(scene.camera, clip, float(share), place[:, t])
        later, _ = projected(scene.camera, clip, float(share), place[:, t] + _MOMENT * velocity[:, t])
        moved[:, t] = (later - position[:, t]) / _MOMENT
    area = _areas(scene, clip, course, at, share_T)
    visible = np.full((count, clip.frames), np.nan)
    if masks_THW is not None:
        for number in range(count):
            seen = (masks_THW == number).sum(axis=(1, 2))
            visible[number] = np.clip(seen / np.maximum(area[number], 1.0), 0.0, 1.0)
    visible[~course.shown_NS[:, at]] = 0.0
    return StageTruth(
        scene=scene,
        caption=words,
        place_NT3=place,
        velocity_NT3=velocity,
        position_NT2=position,
        pixel_velocity_NT2=moved,
        area_NT=area,
        visible_NT=visible,
        distance_NT=distance[:, :, 0],
        camera_T7=np.stack([_camera(scene.camera, float(share)) for share in share_T]),
        light_T=np.array([scene.light.brightness * scene.light.level(float(share)) for share in share_T]),
        contacts=course.contacts,
        first_fault=_first_fault(scene, clip, course, at),
        expect=expectation(scene, clip),
        frame_size=(clip.height, clip.width),
    )


def projected(camera: Camera, clip: ClipSettings, share: float, points_N3: _F) -> tuple[_F, _F]:
    """Project points in metres to pixels (N, 2), and give their distance along the camera's axis (N,)."""
    place, axes = camera.pose(share)
    seen = (points_N3 - place) @ axes  # right, up, back
    away = np.maximum(-seen[:, 2], 1e-6)
    scale = clip.height / 2 / float(np.tan(np.radians(camera.fovy / 2)))
    x = (clip.width - 1) / 2 + scale * seen[:, 0] / away
    y = (clip.height - 1) / 2 - scale * seen[:, 1] / away
    return np.stack([x, y], axis=1), away


def _areas(scene: Scene, clip: ClipSettings, course: Course, at: NDArray[np.int64], share_T: _F) -> _F:
    import cv2

    area = np.zeros((len(scene.all_bodies), len(at)))
    for number, body in enumerate(scene.all_bodies):
        points = _surface(body)
        for t, moment in enumerate(at):
            turned = _rotated(points * course.scale_NS3[number, moment], course.turn_NS4[number, moment])
            pixels, _ = projected(
                scene.camera, clip, float(share_T[t]), turned + course.place_NS3[number, moment]
            )
            hull = cv2.convexHull(pixels.astype(np.float32))
            area[number, t] = float(cv2.contourArea(hull))
    return area


def _surface(body: Body) -> _F:
    """Give points whose hull is the body's: corners of a box, or points all over a ball."""
    half = np.array(body.half)
    if body.shape != "ball":
        signs = np.array(np.meshgrid((-1, 1), (-1, 1), (-1, 1))).reshape(3, -1).T
        return signs * half
    k = np.arange(300) + 0.5
    polar, around = np.arccos(1 - 2 * k / 300), np.pi * (1 + 5**0.5) * k
    return half * np.stack(
        [np.cos(around) * np.sin(polar), np.sin(around) * np.sin(polar), np.cos(polar)], axis=1
    )


def _rotated(points_P3: _F, turn: _F) -> _F:
    w, v = turn[0], turn[1:]
    inner = np.asarray(np.cross(v, points_P3), np.float64) + w * points_P3
    return points_P3 + 2 * np.asarray(np.cross(v, inner), np.float64)


def _camera(camera: Camera, share: float) -> _F:
    from scipy.spatial.transform import Rotation

    place, axes = camera.pose(share)
    x, y, z, w = Rotation.from_matrix(axes).as_quat()
    return np.concatenate([place, [w, x, y, z]])


def _first_fault(scene: Scene, clip: ClipSettings, course: Course, at: NDArray[np.int64]) -> int | None:
    """Number the first frame in which anything is otherwise than in the lawful twin."""
    if scene.violation is None:
        return None
    if scene.violation.law == "warp":
        return max(1, round(scene.violation.time * clip.fps))
    if scene.violation.law == "shadow":
        lag = [
            np.abs(shadow_caster(course, s, scene.violation) - course.place_NS3[0, s]).max()
            if course.times_S[s] > scene.violation.time
            else 0.0
            for s in range(len(course.times_S))
        ]
        late = np.flatnonzero(np.array(lag) > 1e-3)
        return int(late[0]) // scene.look.blur if len(late) else None
    lawful = simulate(scene.lawful(), clip)
    pairs = (
        (course.place_NS3, lawful.place_NS3),
        (course.turn_NS4, lawful.turn_NS4),
        (course.scale_NS3, lawful.scale_NS3),
        (course.shown_NS.astype(float), lawful.shown_NS.astype(float)),
        (course.recolored_NS, lawful.recolored_NS),
        (course.bitten_NS, lawful.bitten_NS),
    )
    differs = np.zeros(len(course.times_S), bool)
    shown = course.shown_NS | lawful.shown_NS
    for one, two in pairs:
        away = np.abs(one - two).reshape(len(one), len(course.times_S), -1)
        differs |= (away.max(axis=2) * shown > 1e-3).any(axis=0)
    frames = np.flatnonzero(differs[: clip.frames * scene.look.blur].reshape(clip.frames, -1).any(axis=1))
    return int(frames[0]) if len(frames) else None
