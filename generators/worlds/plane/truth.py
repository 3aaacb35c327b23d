"""What a rendered clip shows, frame by frame, and how it is written beside the clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .mechanics import Contact
from .scene import GRAVITY, Scene, Thing
from .words import says_size, says_speed

__all__ = ["Truth", "expectation", "facts_of_family"]

_UNSAID: Final = ("collision", "block", "occluder")
"""Families whose captions say what happens, and not to which side."""
_FALLS: Final = ("fall", "bounce", "throw-left", "throw-right")


@dataclass(frozen=True)
class Truth:
    """The truth of a clip of N things and T frames, in pixels and seconds.

    The centre of the top-left pixel is (0, 0). Where a subject is doubled, the copy is the last of the N.

    Attributes:
        scene: what was simulated; its ``violation`` says which law was broken, how much and from when on.
        caption: one wording of it.
        position_NT2: centroids (x, y) as the camera sees them.
        velocity_NT2: velocities (x, y) in pixels a second, in the world, without the camera's own motion.
        radius_NT: radii as the camera sees them.
        visible_NT: what share of the thing's area is seen: not behind a wall, not outside of the frame.
        contacts: times in seconds, and which things met.
        camera_T3: the view's corner (x, y) in pixels, and its zoom.
        first_fault: the first frame that shows the broken law, or None.
    """

    scene: Scene
    caption: str
    position_NT2: NDArray[np.float64]
    velocity_NT2: NDArray[np.float64]
    radius_NT: NDArray[np.float64]
    visible_NT: NDArray[np.float64]
    contacts: tuple[Contact, ...]
    camera_T3: NDArray[np.float64]
    first_fault: int | None

    @property
    def position_T2(self) -> NDArray[np.float64]:
        """Centroid (x, y) of the subject."""
        return self.position_NT2[0]

    @property
    def velocity_T2(self) -> NDArray[np.float64]:
        """Velocity (x, y) of the subject."""
        return self.velocity_NT2[0]

    @property
    def radius(self) -> float:
        """Radius of the subject at the first frame."""
        return float(self.radius_NT[0, 0])

    def to_json(self) -> dict[str, Any]:
        """List everything as plain JSON values; pixels are rounded to a ten-thousandth."""
        scene = self.scene
        broken = scene.violation
        return {
            "caption": self.caption,
            "family": scene.family,
            "expect": expectation(scene, self.caption),
            "things": [asdict(thing) for thing in scene.things],
            "violation": None if broken is None else {**asdict(broken), "first_frame": self.first_fault},
            "position_px": np.round(self.position_NT2, 4).tolist(),
            "velocity_px_per_s": np.round(self.velocity_NT2, 4).tolist(),
            "radius_px": np.round(self.radius_NT, 4).tolist(),
            "visible_share": np.round(self.visible_NT, 4).tolist(),
            "contacts": [asdict(contact) for contact in self.contacts],
            "camera": np.round(self.camera_T3, 4).tolist(),
        }


def expectation(scene: Scene, words: str | None = None) -> dict[str, Any]:
    """Say what a faithful clip shows, as the key ``expect`` of a suite's prompt.

    With the caption's ``words``, sizes and speeds are left out that it does not say.
    """
    facts = scene.facts
    objects: list[dict[str, Any]] = [_object(thing, words) for thing in scene.things]
    if scene.family == "count":
        objects = [{**objects[0], "count": len(objects)}]
    expect: dict[str, Any] = {"objects": objects}
    if facts.get("motion") and objects:
        expect["motion"] = facts["motion"]
    if objects:
        expect = facts_of_family(scene.family, expect)
    if "speed" in facts and (words is None or says_speed(words)):
        expect["speed"] = facts["speed"]
    if "relation" in facts:
        expect["relation"] = {"subject": 0, "is": facts["relation"], "of": 1}
    if "camera" in facts:
        expect["camera"] = facts["camera"]
    if "second" in facts:
        expect["order"] = [{"object": 0, "motion": facts["motion"]}, {"object": 1, "motion": facts["second"]}]
    return expect


def facts_of_family(family: str, expect: Mapping[str, Any]) -> dict[str, Any]:
    """Add the facts that hold in every scene of a family to what is expected; what is stated stays.

    What the captions of a family do not say of the motion is known, and not asked for: its direction.
    """
    stated = dict(expect)
    if family in _UNSAID and stated.get("motion") in ("left", "right"):
        stated["direction"] = stated.pop("motion")
    known: dict[str, Any] = {"ideal": True}
    if stated.get("motion") in _FALLS:
        known["gravity"] = GRAVITY
    if family in ("collision", "block"):
        known |= {"collides": [0, 1], "at_rest": [1]}
    elif family == "occluder":
        known["passes_behind"] = [0, 1]
    elif family == "biscuit":
        known["bitten"] = 0
    return {**known, **stated}


def _object(thing: Thing, words: str | None) -> dict[str, str]:
    if thing.kind == "shape":
        named = {"shape": thing.shape, "color": thing.color}
        return {**named, "size": thing.size} if words is None or says_size(words, thing) else named
    if thing.kind == "person":
        return {"kind": "person", "occupation": thing.occupation}
    return {"kind": thing.kind}
