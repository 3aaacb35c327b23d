from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from screentest.generators.worlds.plane import (
    BREAKABLE,
    FAMILIES,
    GRAVITY,
    LAWS,
    NATIVE_CLIP,
    NATIVE_CLIPS,
    Scene,
    Truth,
    breakable,
    coverage,
    fits,
    render,
    sample_scene,
    violate,
)
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings
from screentest.harness.core.keys import seeded_rng

PAIRS = [(family, law) for family, laws in BREAKABLE.items() for law in laws]
SEVERITIES = (0.25, 0.5, 1.0)
TIMES = np.arange(NATIVE_CLIP.frames) / NATIVE_CLIP.fps


def lawful(family: str, law: str, seed: int, clip: ClipSettings = NATIVE_CLIP) -> Scene:
    asked = {"motion": "bounce"} if (family, law) == ("fall", "energy") else {}
    return sample_scene(seeded_rng("violations", family, seed), clip, family=family, **asked)


def broken(scene: Scene, law: str, severity: float, seed: int, clip: ClipSettings = NATIVE_CLIP) -> Scene:
    return violate(scene, law, severity, seeded_rng("violate", law, seed), clip)


@pytest.mark.parametrize(("family", "law"), PAIRS)
def test_a_violation_differs_from_its_twin_from_the_first_fault_on_and_by_its_severity(
    family: str, law: str
) -> None:
    for seed in range(3):
        scene = lawful(family, law, seed)
        twin, _ = render(scene)
        amounts: list[float] = []
        for severity in SEVERITIES:
            faulty = broken(scene, law, severity, seed)
            assert faulty.lawful() == scene
            frames, truth = render(faulty)
            apart = np.abs(frames.astype(int) - twin).sum((1, 2, 3))
            assert apart.any()
            assert truth.first_fault == int(np.argmax(apart > 0))
            assert truth.first_fault > 0
            amounts.append(amount(law, truth, apart))
        assert amounts[0] < amounts[1] < amounts[2], (law, amounts)


def amount(law: str, truth: Truth, apart: np.ndarray) -> float:
    """How much of a law is broken: by the truth where it tells, else by the pixels."""
    _, twin = render(truth.scene.lawful())
    if law in ("vanish", "double"):
        return float((truth.visible_NT[0 if law == "vanish" else -1] != 0).sum()) * (
            1 if law == "double" else -1
        )
    if law == "causality":
        return -float(np.argmax(truth.velocity_NT2[1, :, 0] != 0))
    if law == "solidity":
        return -float(np.abs(truth.position_NT2[0, :, 0] - truth.position_NT2[1, :, 0]).min())
    if law == "teleport":
        return float(np.linalg.norm(truth.position_T2 - twin.position_T2, axis=1).max())
    if law == "energy":
        return float(np.abs(truth.velocity_NT2).max())
    return float(apart.max())


@pytest.mark.parametrize("law", LAWS)
def test_every_law_can_be_broken_at_every_size(law: str) -> None:
    for clip in NATIVE_CLIPS:
        families = [name for name, laws in BREAKABLE.items() if law in laws and fits(name, clip)]
        assert families or clip.frames == 8 or clip.height > clip.width
        for family in families:
            scene = lawful(family, law, 5, clip)
            frames, truth = render(broken(scene, law, 1.0, 5, clip), clip)
            twin, _ = render(scene, clip)
            assert truth.first_fault is not None
            assert (frames[: truth.first_fault] == twin[: truth.first_fault]).all()
            assert (frames[truth.first_fault] != twin[truth.first_fault]).any()


def faults(law: str, family: str, severity: float, seeds: int = 4) -> list[tuple[Truth, Truth]]:
    pairs: list[tuple[Truth, Truth]] = []
    for seed in range(seeds):
        scene = lawful(family, law, seed)
        pairs.append((render(broken(scene, law, severity, seed))[1], render(scene)[1]))
    return pairs


@pytest.mark.parametrize("severity", SEVERITIES)
def test_gravity_is_off_by_the_severity(severity: float) -> None:
    for truth, _ in faults("gravity", "fall", severity):
        flying = min([contact.time for contact in truth.contacts], default=9) > TIMES
        bends = np.diff(truth.position_T2[flying, 1], 2) * NATIVE_CLIP.fps**2 / 64
        np.testing.assert_allclose(bends, GRAVITY * (1 + truth.scene.violation.sign * severity), atol=1e-9)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_velocity_turns_by_its_part_of_a_right_angle(severity: float) -> None:
    for truth, twin in faults("inertia", "uniform", severity):
        turned, straight = truth.velocity_T2[truth.first_fault], twin.velocity_T2[truth.first_fault]
        assert np.linalg.norm(turned) == pytest.approx(np.linalg.norm(straight))
        angle = np.arccos(turned @ straight / np.linalg.norm(turned) / np.linalg.norm(straight))
        assert angle == pytest.approx(severity * np.pi / 2)
    for truth, _ in faults("inertia", "still", severity):
        assert np.abs(truth.velocity_T2[truth.first_fault]) == pytest.approx([0.3 * severity * 64, 0])


@pytest.mark.parametrize("severity", SEVERITIES)
def test_contacts_give_energy(severity: float) -> None:
    for truth, _ in faults("energy", "collision", severity):
        contact = next(c.time for c in truth.contacts if (c.one, c.two) == (0, 1))
        frame = int(np.argmax(contact + 2 / 128 < TIMES))
        one, two = truth.velocity_NT2[:, frame, 0]
        assert (two - one) / truth.velocity_NT2[0, 0, 0] == pytest.approx(1 + 0.6 * severity, rel=1e-3)
    for truth, _ in faults("energy", "fall", severity):
        y, vy = truth.position_T2[:, 1] / 64, truth.velocity_T2[:, 1] / 64
        before, after = int(np.argmax(vy < 0)) - 1, int(np.argmax(vy < 0))
        gained = (vy[after] ** 2 - 2 * GRAVITY * y[after]) - (vy[before] ** 2 - 2 * GRAVITY * y[before])
        floor = 1 - truth.scene.subject.reach[3]
        came = vy[before] ** 2 + 2 * GRAVITY * (floor - (y[before] + 0.5 / 64))
        assert gained == pytest.approx(came * ((1 + 0.6 * severity) ** 2 - 1), rel=0.1)


@pytest.mark.parametrize(
    ("family", "severity"), [*itertools.product(("uniform", "person", "hazard"), SEVERITIES)]
)
def test_what_is_gone_or_doubled_is_so_for_its_share_of_the_frames_left(family: str, severity: float) -> None:
    for law, number in (("vanish", 0), ("double", -1)):
        for truth, _ in faults(law, family, severity):
            first = truth.first_fault
            there = truth.visible_NT[number] > 0
            assert len(truth.visible_NT) == (1 if law == "vanish" else 2)
            last = first + round(severity * (16 - first))
            assert (there[first:last] == (law == "double")).all()
            assert (there[last:] == (law == "vanish")).all()
            assert (there[:first] == (law == "vanish")).all()


def test_a_copy_is_beside_the_subject_and_in_the_frame() -> None:
    for family in ("uniform", "fall", "still", "projectile", "relation", "count", "biscuit"):
        for truth, _ in faults("double", family, 1.0):
            one, two = truth.position_NT2[0], truth.position_NT2[-1]
            apart = np.linalg.norm(one - two, axis=1)
            np.testing.assert_allclose(apart, apart[0])
            assert apart[0] > 2 * truth.radius
            assert truth.visible_NT[-1, truth.first_fault :].min() > 0.5


def test_a_copy_of_what_passes_behind_a_wall_passes_behind_it() -> None:
    for truth, _ in faults("double", "occluder", 1.0):
        assert truth.visible_NT[-1].min() < 0.3 or np.ptp(truth.position_NT2[-1, :, 0]) == 0


@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_jump_is_of_its_length_and_stays(severity: float) -> None:
    for family in ("uniform", "still", "hazard"):
        for truth, twin in faults("teleport", family, severity):
            jump = np.linalg.norm(truth.position_T2 - twin.position_T2, axis=1)
            np.testing.assert_allclose(jump[truth.first_fault :], 0.4 * severity * 64)
            assert (jump[: truth.first_fault] == 0).all()
            np.testing.assert_array_equal(truth.velocity_NT2, twin.velocity_NT2)


@pytest.mark.parametrize(("family", "severity"), [*itertools.product(("collision", "block"), SEVERITIES)])
def test_things_overlap_by_the_severity(family: str, severity: float) -> None:
    for truth, twin in faults("solidity", family, severity):
        one, two = truth.scene.things
        course = np.abs(truth.position_NT2[0, :, 0] - truth.position_NT2[1, :, 0]) / 64
        step = abs(one.vx) / NATIVE_CLIP.fps
        depth = one.reach[2] + two.reach[2] - course.min()
        deepest = severity * min(one.radius, two.radius)
        assert deepest - step < depth < deepest + 0.005
        np.testing.assert_allclose(truth.velocity_NT2[:, -1], twin.velocity_NT2[:, -1], atol=1e-6)


@pytest.mark.parametrize(("family", "severity"), [*itertools.product(("collision", "block"), SEVERITIES)])
def test_what_is_struck_sets_off_too_early(family: str, severity: float) -> None:
    for truth, twin in faults("causality", family, severity):
        starts = [next(t for t in range(16) if clip.velocity_NT2[1, t].any()) for clip in (truth, twin)]
        early = (starts[1] - starts[0]) / NATIVE_CLIP.fps
        assert early == pytest.approx(0.75 * severity, abs=1.01 / NATIVE_CLIP.fps)
        np.testing.assert_array_equal(truth.position_NT2[0], twin.position_NT2[0])
        np.testing.assert_allclose(truth.velocity_NT2[1, starts[0]], twin.velocity_NT2[1, starts[1]])


@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_color_drifts_to_the_next_by_its_weight(severity: float) -> None:
    scene = sample_scene(seeded_rng("color"), family="still", color="red")  # next: green
    faulty = broken(scene, "color", severity, 0)
    frames, truth = render(faulty)
    x, y = np.rint(truth.position_T2[0]).astype(int)
    red, green = np.array((226, 54, 48)), np.array((62, 190, 78))
    np.testing.assert_allclose(frames[-1, y, x], red + severity * (green - red), atol=0.51)
    assert (frames[0, y, x] == red).all()
    assert (truth.position_NT2[0] == truth.position_NT2[0, 0]).all()


def test_an_outline_drifts_to_the_next_by_its_weight() -> None:
    scene = sample_scene(seeded_rng("shape"), family="still", shape="ball", color="red")  # next: square
    red, ground = np.array((226, 54, 48)), np.array(scene.background)
    for severity in SEVERITIES:
        frames, truth = render(broken(scene, "shape", severity, 0))
        offsets = [np.indices((64, 64), float)[axis] - truth.position_T2[0, 1 - axis] for axis in (1, 0)]
        ball, square = (coverage(shape, *offsets, truth.radius)[..., None] for shape in ("ball", "square"))
        cover = (1 - severity) * ball + severity * square
        np.testing.assert_allclose(frames[-1], ground + cover * (red - ground), atol=0.51)
        np.testing.assert_allclose(frames[0], ground + ball * (red - ground), atol=0.51)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_bite_closes_by_its_share(severity: float) -> None:
    for seed in range(3):
        scene = lawful("biscuit", "heal", seed)
        frames, truth = render(broken(scene, "heal", severity, seed))
        there = (np.abs(frames.astype(int) - scene.background).max(-1) > 25).sum((1, 2))
        bitten = int(np.argmax(scene.subject.bite <= TIMES))
        assert there[bitten] < there[0]
        assert truth.first_fault > bitten
        assert there[-1] > there[bitten]
        assert (there[-1] == there[0]) == (severity == 1.0)


@pytest.mark.parametrize(("family", "law"), PAIRS)
def test_nothing_else_changes(family: str, law: str) -> None:
    """The ground, the other things, the caption and the world's randomness are the twin's."""
    scene = lawful(family, law, 7)
    frames, truth = render(broken(scene, law, 0.7, 7))
    twin, same = render(scene)
    assert truth.caption == same.caption
    touched = {0, len(truth.position_NT2) - 1} if law == "double" else {0}
    if law in ("energy", "solidity", "causality"):
        touched = {0, 1}
    others = [n for n in range(len(same.position_NT2)) if n not in touched]
    np.testing.assert_array_equal(truth.position_NT2[others], same.position_NT2[others])
    ys, xs = np.indices(twin.shape[1:3])
    near = np.zeros(twin.shape[:3], bool)
    for clip in (truth, same):
        for number in touched & set(range(len(clip.position_NT2))):
            x, y = clip.position_NT2[number].T[..., None, None]
            reach = 1.4 * clip.radius_NT[number][:, None, None] + 1
            near |= (abs(xs - x) < reach) & (abs(ys - y) < reach)
    assert (frames[~near] == twin[~near]).all()


def test_the_draws_of_a_violation_do_not_depend_on_its_severity() -> None:
    for family, law in PAIRS:
        scene = lawful(family, law, 1)
        states: list[object] = []
        for severity in SEVERITIES:
            rng = seeded_rng("state")
            faulty = violate(scene, law, severity, rng)
            states.append((rng.bit_generator.state, faulty.violation.at, faulty.violation.sign))
        assert states[0] == states[1] == states[2]


def test_behind_the_wall_a_thing_changes_unseen_and_what_is_gone_does_not_come_out() -> None:
    for law in ("vanish", "teleport", "shape", "color"):
        for seed in range(4):
            scene = lawful("occluder", law, seed)
            frame = round(broken(scene, law, 1.0, seed).violation.at * NATIVE_CLIP.fps)
            visible = render(scene)[1].visible_NT[0]
            if law == "vanish":
                assert visible[frame] > 0
                frame -= 1
            assert visible[frame] == pytest.approx(visible.min(), abs=0.1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s, r: violate(s, "gravty", 0.5, r), "unknown law 'gravty'; did you mean 'gravity'"),
        (
            lambda s, r: violate(s, "heal", 0.5, r),
            r"family 'fall' \(fall\) cannot break the law 'heal' .* gravity",
        ),
        (lambda s, r: violate(s, "energy", 0.5, r), r"'energy' visibly; it can break gravity, vanish"),
        (lambda s, r: violate(s, "gravity", 0.0, r), r"severity 0 is outside \(0, 1\]"),
        (lambda s, r: violate(s, "gravity", 1.01, r), r"severity 1.01 is outside \(0, 1\]"),
        (lambda s, r: violate(s, "gravity", float("nan"), r), "severity nan is outside"),
        (
            lambda s, r: violate(s, "gravity", 0.5, r, ClipSettings(frames=3, height=64, width=64, fps=2)),
            "a clip of 3 frames is too short to break a law in; 4 are needed",
        ),
    ],
)
def test_what_cannot_be_broken(change: Callable[[Scene, np.random.Generator], Scene], sentence: str) -> None:
    scene = sample_scene(seeded_rng(1), family="fall", motion="fall")
    with pytest.raises(UsageError, match=sentence):
        change(scene, seeded_rng(2))


def test_families_without_a_law_to_break_say_so() -> None:
    for family in set(FAMILIES) - set(BREAKABLE):
        scene = sample_scene(seeded_rng(1), family=family)
        assert breakable(scene) == ()
        with pytest.raises(UsageError, match="it can break none"):
            violate(scene, "vanish", 0.5, seeded_rng(2))
    assert "energy" not in breakable(sample_scene(seeded_rng(1), family="fall", motion="fall"))
    assert "energy" in breakable(sample_scene(seeded_rng(1), family="fall", motion="bounce"))
