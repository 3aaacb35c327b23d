"""What happens: the mechanics of MuJoCo, and the places where a violation moves its state by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ....harness.core.items import ClipSettings
from .drives import turned_quaternion
from .model import STEP, build, mujoco
from .scene import Scene, Violation, duration

__all__ = ["Contact", "Course", "moments", "shadow_caster", "simulate"]

_F = NDArray[np.float64]
_OPEN: Final = 0.5  # of a frame's time: how long the shutter is open
_JUMP: Final = 2.0  # metres that a whole teleport jumps
_LEAD: Final = 0.75  # seconds by which a whole violation of causality is too early
_ENERGY: Final = 0.6
_MELTS: Final = 0.4  # seconds in which two become one
_PARTS: Final = 1.6  # metres a second, at which the parts of a thing go away from each other
_GROWN: Final = 0.7  # logarithm of a whole change of size, and half of that of one of shape


@dataclass(frozen=True)
class Contact:
    """Two bodies that touch: seconds, and their numbers; the floor is None."""

    time: float
    one: int
    two: int | None


@dataclass(frozen=True)
class Course:
    """N bodies (the spare one last) at S moments: ``blur`` of each frame.

    Attributes:
        times_S: seconds.
        place_NS3, turn_NS4, velocity_NS3: of each body; quaternions are (w, x, y, z).
        scale_NS3: factors of the extents along the body's own axes.
        shown_NS: whether it is to be seen.
        recolored_NS: how far its color has turned into another, 0 to 1.
        bitten_NS: share of a bite that is missing.
        contacts: in their order, each when it begins.
    """

    times_S: _F
    place_NS3: _F
    turn_NS4: _F
    velocity_NS3: _F
    scale_NS3: _F
    shown_NS: NDArray[np.bool_]
    recolored_NS: _F
    bitten_NS: _F
    contacts: tuple[Contact, ...]


def moments(scene: Scene, clip: ClipSettings) -> _F:
    """List the moments that are drawn: of each frame as many as the look blurs together."""
    start = np.arange(clip.frames) / clip.fps
    within = np.arange(scene.look.blur) * (_OPEN / clip.fps / scene.look.blur)
    return (start[:, None] + within[None]).reshape(-1)


def simulate(scene: Scene, clip: ClipSettings) -> Course:
    """Run the mechanics of a scene over a clip, with its violation; a puzzle's things follow their drives."""
    times = moments(scene, clip)
    if scene.drives:
        return _driven(scene, times, duration(clip))
    broken = scene.violation
    lead = 0.0
    if broken is not None and broken.law == "causality":
        lead = _LEAD * broken.severity
    run = _Run(scene, np.concatenate([times, [times[-1] + lead]]))
    run.go()
    course = run.course(len(times), times)
    return course if broken is None else _moved_by_hand(course, scene, broken, run, lead)


class _Run:
    """One run of the mechanics."""

    def __init__(self, scene: Scene, times_S: _F) -> None:
        library = mujoco()
        self.scene, self.broken = scene, scene.violation
        overlap = 0.0
        if self.broken is not None and self.broken.law == "solidity":
            overlap = self.broken.severity * min(body.half[0] for body in scene.bodies[:2])
        self.model: Any = build(scene, overlap=overlap, height=64, width=64)
        self.data: Any = library.MjData(self.model)
        self._library = library
        self.steps = int(np.ceil(times_S[-1] / STEP)) + 1
        self.count = count = len(scene.all_bodies)
        self.place = np.empty((self.steps, count, 3))
        self.turn = np.empty((self.steps, count, 4))
        self.velocity = np.zeros((self.steps, count, 3))
        self.contacts: list[Contact] = []
        self._numbers = {self._body(k): k for k in range(len(scene.bodies))}
        self._free = self._joints()
        self._begin()

    def _body(self, number: int) -> int:
        kind = self._library.mjtObj.mjOBJ_BODY
        return int(self._library.mj_name2id(self.model, kind, f"body {number}"))

    def _joints(self) -> dict[int, int]:
        """Find the first velocity of each free body."""
        found: dict[int, int] = {}
        for number, body in enumerate(self.scene.bodies):
            if not body.fixed and body.hung is None:
                found[number] = int(self.model.body_dofadr[self._body(number)])
        return found

    def _begin(self) -> None:
        for number, at in self._free.items():
            body = self.scene.bodies[number]
            self.data.qvel[at : at + 3] = body.velocity
            self.data.qvel[at + 3 : at + 6] = body.spin
            self.model.dof_damping[at : at + 3] = body.drag

    def go(self) -> None:
        """Step through the clip."""
        library, model, data = self._library, self.model, self.data
        before = self._touching()
        approach: dict[tuple[int, int | None], _F] = {}
        done = False
        for step in range(self.steps):
            library.mj_kinematics(model, data)
            self._record(step)
            done = done or self._by_hand(step * STEP)
            speeds = data.qvel.copy()
            library.mj_step(model, data)
            if data.ncon == 0 and not before:
                continue
            now = self._touching()
            for pair in now - before:
                approach[pair] = speeds
                self.contacts.append(Contact(round(step * STEP, 6), *pair))
            for pair in before - now:
                if pair in approach:
                    self._parted(pair, approach.pop(pair))
            before = now

    def _touching(self) -> set[tuple[int, int | None]]:
        found: set[tuple[int, int | None]] = set()
        for k in range(self.data.ncon):
            contact = self.data.contact[k]
            owners = [self._numbers.get(int(self.model.geom_bodyid[g])) for g in contact.geom]
            known = sorted(number for number in owners if number is not None)
            if known:
                found.add((known[0], known[1] if len(known) > 1 else None))
        return found

    def _record(self, step: int) -> None:
        for number in range(self.count):
            at = self._body(number) if number < len(self.scene.bodies) else self.model.nbody - 1
            self.place[step, number] = self.data.xpos[at]
            self.turn[step, number] = self.data.xquat[at]
            if number in self._free:
                dof = self._free[number]
                self.velocity[step, number] = self.data.qvel[dof : dof + 3]

    def _by_hand(self, time: float) -> bool:
        """Change the state where the violation begins; return whether that is done."""
        broken = self.broken
        if broken is None or broken.law not in ("gravity", "inertia") or time + 1e-9 < broken.time:
            return False
        if broken.law == "gravity":
            self.model.opt.gravity[2] *= 1 + broken.sign * broken.severity
        else:
            at = self._free[0]
            resting = np.allclose(self.scene.bodies[0].velocity, 0)
            if resting:
                self.data.qvel[at] = broken.sign * broken.severity * 1.5
            else:
                self.data.qvel[at] *= 1 + broken.sign * broken.severity
        return True

    def _parted(self, pair: tuple[int, int | None], before: _F) -> None:
        """Change the velocities of two that have just parted, where the violation says so."""
        broken, data = self.broken, self.data
        if broken is None or broken.law not in ("energy", "momentum"):
            return
        one, two = pair
        if one not in self._free or (two is not None and two not in self._free):
            return
        at = self._free[one]
        if two is None:
            if broken.law == "energy" and before[at + 2] < -0.5:
                data.qvel[at + 2] = (1 + _ENERGY * broken.severity) * abs(before[at + 2])
            return
        on = self._free[two]
        if broken.law == "momentum":
            factor = 1 + broken.sign * broken.severity
            data.qvel[at : at + 3] *= factor
            data.qvel[on : on + 3] *= factor
        else:
            closing = before[at] - before[on]
            middle = 0.5 * (before[at] + before[on])  # of two equal masses
            parting = (1 + _ENERGY * broken.severity) * closing
            data.qvel[at], data.qvel[on] = middle - 0.5 * parting, middle + 0.5 * parting

    def course(self, count: int, times_S: _F) -> Course:
        """Read the moments that are drawn."""
        at = np.rint(times_S / STEP).astype(int)[:count]
        bodies, shown = self.count, np.ones((self.count, count), bool)
        if self.scene.extra is not None:
            shown[-1] = False
        bitten = np.zeros((bodies, count))
        for number, body in enumerate(self.scene.bodies):
            if body.bite is not None:
                bitten[number] = times_S >= body.bite - 1e-9
        return Course(
            times_S=times_S,
            place_NS3=self.place[at].transpose(1, 0, 2).copy(),
            turn_NS4=self.turn[at].transpose(1, 0, 2).copy(),
            velocity_NS3=self.velocity[at].transpose(1, 0, 2).copy(),
            scale_NS3=np.ones((bodies, count, 3)),
            shown_NS=shown,
            recolored_NS=np.zeros((bodies, count)),
            bitten_NS=bitten,
            contacts=tuple(c for c in self.contacts if c.time <= times_S[-1]),
        )


def _driven(scene: Scene, times_S: _F, seconds: float) -> Course:
    """Follow the drives of a puzzle's things; everything else stands."""
    drives = scene.drives if scene.violation is None else scene.violation.drives
    count, steps = len(scene.all_bodies), len(times_S)
    place = np.repeat(np.array([b.place for b in scene.all_bodies])[:, None], steps, axis=1)
    turn = np.stack([turned_quaternion(np.full(steps, body.tilt)) for body in scene.all_bodies])
    shown = np.ones((count, steps), bool)
    shares = times_S / max(seconds, 1e-9)
    for number, drive in enumerate(drives):
        place[number], angle = drive.at(shares)
        turn[number], shown[number] = turned_quaternion(angle), drive.shown(shares)
    gaps = np.diff(times_S) if steps > 1 else np.ones(0)
    speed = np.diff(place, axis=1) / gaps[None, :, None]
    return Course(
        times_S=times_S,
        place_NS3=place,
        turn_NS4=turn,
        velocity_NS3=np.concatenate([speed, speed[:, -1:]], axis=1) if steps > 1 else np.zeros_like(place),
        scale_NS3=np.ones((count, steps, 3)),
        shown_NS=shown,
        recolored_NS=np.zeros((count, steps)),
        bitten_NS=np.zeros((count, steps)),
        contacts=(),
    )


def _moved_by_hand(course: Course, scene: Scene, broken: Violation, run: _Run, lead: float) -> Course:
    """Apply the violations that are changes of the state alone, and leave the mechanics as they are."""
    times = course.times_S
    after = times >= broken.time - 1e-9
    s, law = broken.severity, broken.law
    if law == "teleport":
        course.place_NS3[0, after, 0] += broken.sign * s * _JUMP
    elif law == "color":
        course.recolored_NS[0, after] = s
    elif law == "size":
        course.scale_NS3[0, after] = np.exp(broken.sign * s * _GROWN)
        _keep_on_floor(course, scene, after)
    elif law == "shape":
        wide = np.exp(broken.sign * s * _GROWN / 2)
        course.scale_NS3[0, after] = (wide, 1.0, 1 / wide)
        _keep_on_floor(course, scene, after)
    elif law in ("vanish", "uninvited"):
        left = times[-1] - broken.time
        during = after & (times < broken.time + max(s * left, 1e-3) + (1e-6 if s < 1 else 1.0))
        if law == "vanish":
            course.shown_NS[0, during] = False
        else:
            course.shown_NS[-1, during] = True
    elif law == "merge":
        _merge(course, run, s)
    elif law == "split":
        _split(course, scene, broken, after)
    elif law == "heal":
        course.bitten_NS[0, after] = 1 - s
    elif law == "causality":
        struck = min((c.time for c in run.contacts if (c.one, c.two) == (0, 1)), default=np.inf)
        early = times + lead >= struck
        ahead = np.minimum(np.rint((times[early] + lead) / STEP).astype(int), run.steps - 1)
        course.place_NS3[1, early] = run.place[ahead, 1]
        course.turn_NS4[1, early] = run.turn[ahead, 1]
        course.velocity_NS3[1, early] = run.velocity[ahead, 1]
    return course


def _merge(course: Course, run: _Run, severity: float) -> None:
    """Let the first two bodies go on as one from where they meet; their common motion stays as it was."""
    met = min((c.time for c in run.contacts if (c.one, c.two) == (0, 1)), default=np.inf)
    after = course.times_S >= met
    if not after.any():
        return
    share = severity * np.minimum((course.times_S[after] - met) / _MELTS, 1.0)
    place, at = course.place_NS3, round(met / STEP)
    apart = run.place[at, 1] - run.place[at, 0]
    middle = place[:2, after].mean(axis=0)
    middle[:, 2] = run.place[at, :2, 2].mean()
    for number, side in ((0, -0.5), (1, 0.5)):
        place[number, after] = middle + side * (1 - share)[:, None] * apart
        course.turn_NS4[number, after] = run.turn[at, number]
    for number, scale in ((0, np.cbrt(1 + share)), (1, np.cbrt(np.maximum(1 - share, 0.0)))):
        course.scale_NS3[number, after] = scale[:, None]
        place[number, after, 2] *= scale
    course.shown_NS[1, after] &= share < 0.999


def _split(course: Course, scene: Scene, broken: Violation, after: NDArray[np.bool_]) -> None:
    """Let the subject become two, whose common centre goes on as it was; the spare body is the other."""
    less = 0.5 * broken.severity
    apart = broken.sign * _PARTS * (course.times_S[after] - broken.time)
    course.shown_NS[-1, after] = True
    course.turn_NS4[-1] = course.turn_NS4[0]
    whole = course.place_NS3[0, after].copy()
    for number, way, volume in ((0, less, 1 - less), (-1, less - 1, less)):
        course.place_NS3[number, after] = whole
        course.place_NS3[number, after, 0] += way * apart
        course.scale_NS3[number, after] = np.cbrt(volume)
        _keep_on_floor(course, scene, after, number)


def shadow_caster(course: Course, moment: int, broken: Violation) -> _F:
    """Place what casts the subject's shadow at a moment, where a violation keeps the shadow back."""
    place = course.place_NS3[0]
    begin = int(np.searchsorted(course.times_S, broken.time - 1e-9))
    return place[begin] + (1 - broken.severity) * (place[moment] - place[begin])


def _keep_on_floor(course: Course, scene: Scene, after: NDArray[np.bool_], number: int = 0) -> None:
    """Lift what grew, or lower what shrank, so that what stood on the floor stands on it."""
    body = scene.bodies[0]
    if abs(body.place[2] - body.half[2]) < 0.02:
        course.place_NS3[number, after, 2] += body.half[2] * (course.scale_NS3[number, after, 2] - 1)
