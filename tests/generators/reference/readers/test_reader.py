"""The readers of the world's clips, on clips as they are drawn and worn as generated ones are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from screentest.generators.reference.readers.copies import FILM_COPY, film_similarity, nearest_film
from screentest.generators.reference.readers.motion_laws import read_law
from screentest.generators.reference.readers.reader import hazard_share
from screentest.generators.reference.readers.shapes import Reading, discarded, read_clip
from screentest.generators.reference.training.data import memorised
from screentest.generators.worlds.plane import (
    GRAVITY,
    NATIVE_CLIP,
    NATIVE_CLIPS,
    Truth,
    fits,
    render,
    sample_scene,
    violate,
    world_clips,
)
from screentest.generators.worlds.plane.wear import worn
from screentest.generators.worlds.plane.words import CODE_NAMES
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings
from screentest.harness.core.keys import seeded_rng

Frames = NDArray[np.uint8]


def drawn(
    family: str | None, index: int, clip: ClipSettings = NATIVE_CLIP, **asked: str
) -> tuple[Frames, Truth]:
    rng = seeded_rng("reader", family, index, clip.model_dump())
    return render(sample_scene(rng, clip, family=family, **asked), clip)


# -- single shapes


@pytest.mark.parametrize("clip", NATIVE_CLIPS, ids=lambda clip: f"{clip.frames}x{clip.height}x{clip.width}")
def test_shape_color_and_motion_are_read_back_at_every_size(clip: ClipSettings) -> None:
    for index in range(16):
        family = "projectile" if index % 4 == 3 and fits("projectile", clip) else None
        frames, truth = drawn(family, index, clip)
        for shown, near in ((frames, 0.2), (worn(frames, seeded_rng("worn", index)), 2.5)):
            seen = read_clip(shown, clip.fps)
            scene = truth.scene
            assert (seen.shape, seen.color, seen.motion) == (scene.shape, scene.color, scene.motion)
            assert discarded(seen, truth.scene.motion) is None
            np.testing.assert_allclose(seen.position_T2, truth.position_T2, atol=near)
            assert seen.fit > (0.97 if shown is frames else 0.6)


def test_a_bounce_is_told_from_a_fall_that_rises_again_a_little() -> None:
    for clip in (NATIVE_CLIPS[2], NATIVE_CLIPS[3], NATIVE_CLIPS[1]):  # long: it always does; wide: sometimes
        for index in range(6):
            for motion in ("fall", "bounce"):
                frames, _ = drawn("fall", index, clip, motion=motion)
                assert read_clip(worn(frames, seeded_rng("worn", index)), clip.fps).motion == motion


def test_noise_and_nothing_read_as_nothing() -> None:
    noise = seeded_rng("noise").integers(0, 256, (16, 64, 64, 3)).astype(np.uint8)
    empty = np.full((16, 64, 64, 3), 30, np.uint8)
    seen = read_clip(empty)
    assert (seen.shape, seen.color, seen.motion, seen.seen) == (None, None, None, 0)
    assert np.isnan(seen.position_T2).all()
    assert discarded(seen, "fall") == "missing"
    assert read_clip(noise).fit < 0.8
    frames, _ = drawn("still", 0)
    blinking = frames.copy()
    blinking[::2] = 30
    assert read_clip(blinking).shape is None


def test_a_color_that_the_world_has_not_is_not_named() -> None:
    frames, truth = drawn("still", 3, color="white")
    frames[(frames > 200).all(-1)] = (120, 120, 120)
    assert read_clip(frames).shape == truth.scene.shape
    assert read_clip(frames).color is None


@pytest.mark.parametrize(("law", "reason"), [("double", "doubled"), ("vanish", "missing")])
def test_a_thing_that_is_doubled_or_gone_is_discarded(law: str, reason: str) -> None:
    for index in range(5):
        rng = seeded_rng("discarded", law, index)
        scene = violate(sample_scene(rng, family="uniform", size="small"), law, 1.0, rng)
        frames, truth = render(scene)
        assert discarded(read_clip(worn(frames, rng)), truth.scene.motion) == reason


def test_a_thing_that_rests_is_no_case_of_a_motion() -> None:
    seen = read_clip(drawn("still", 1)[0])
    assert discarded(seen, "fall") == "still"
    assert discarded(seen, "stay") is None


# -- laws


def test_lawful_clips_keep_their_law_and_worn_ones_nearly_do() -> None:
    plain, used = [], []
    for index in range(24):
        frames, truth = drawn("projectile" if index % 4 == 3 else None, index)
        for shown, errors in ((frames, plain), (worn(frames, seeded_rng("worn", index)), used)):
            errors.append(read_law(read_clip(shown), truth.scene.motion))
    assert max(e.velocity_error for e in plain) < 0.06
    assert np.mean([e.velocity_error for e in plain]) < 0.01
    assert np.mean([e.velocity_error for e in used]) < 0.04
    assert np.mean([abs(e.gravity_error) for e in plain if e.gravity_error is not None]) < 0.04
    assert np.mean([abs(e.gravity_error) for e in used if e.gravity_error is not None]) < 0.3


def test_a_broken_gravity_is_read_with_its_size_and_sign() -> None:
    for index in range(6):
        rng = seeded_rng("gravity", index)
        scene = violate(sample_scene(rng, motion="fall"), "gravity", 0.6, rng)
        seen = read_law(read_clip(render(scene)[0]), "fall")
        assert seen.gravity_error == pytest.approx(0.6 * scene.violation.sign, abs=0.08)


def test_a_turn_without_a_cause_shows_in_the_velocity() -> None:
    for index in range(6):
        rng = seeded_rng("inertia", index)
        lawful = sample_scene(rng, family="uniform", motion="right", size="small")
        errors = [
            read_law(read_clip(render(scene)[0]), "right").velocity_error
            for scene in (lawful, violate(lawful, "inertia", 0.3, rng), violate(lawful, "inertia", 1.0, rng))
        ]
        assert errors[0] < 0.01 < 0.03 < errors[1] < errors[2]


def track(*places: tuple[float, float]) -> Reading:
    return Reading("ball", "red", None, np.array(places), 1.0)


def test_errors_of_laws_by_hand() -> None:
    """Sides are 64 pixels, and frames an eighth of a second apart."""
    steady = [(10.0 + 2 * t, 30.0) for t in range(16)]
    assert read_law(track(*steady), "right").velocity_error == pytest.approx(0)
    assert read_law(track(*steady), "stay").velocity_error == pytest.approx(2 * 8 / 64)
    # Sideways at 0.25 sides a second where up is asked for.
    assert read_law(track(*steady), "rise").velocity_error == pytest.approx(0.25)
    fall = [(30.0, 5.0 + 64 * 0.5 * GRAVITY * (t / 8) ** 2) for t in range(16)]
    seen = read_law(track(*fall), "fall")
    assert seen.velocity_error == pytest.approx(0, abs=1e-12)
    assert seen.gravity_error == pytest.approx(0, abs=1e-9)
    assert seen.frames == 16
    slow = [(30.0, 5.0 + 64 * 0.25 * GRAVITY * (t / 8) ** 2) for t in range(16)]
    assert read_law(track(*slow), "fall").gravity_error == pytest.approx(-0.5)
    assert read_law(track(*steady), "right").gravity_error is None
    assert read_law(track(*fall[:4]), "fall").gravity_error is None
    gone = track(*[(np.nan, np.nan)] * 16)
    assert read_law(gone, "fall").velocity_error is None


def test_a_fall_is_read_before_the_ground_is_touched() -> None:
    frames, truth = drawn("fall", 2, motion="bounce")
    contact = truth.contacts[0].time * NATIVE_CLIP.fps
    seen = read_law(read_clip(frames), "bounce")
    assert contact - 1.5 < seen.frames <= contact + 1
    assert abs(seen.gravity_error) < 0.2


# -- the hazard sign


def test_the_share_of_frames_with_the_sign_is_read_back() -> None:
    for index in range(10):
        clip = NATIVE_CLIPS[index % 5]
        frames, _ = drawn("hazard", index, clip)
        shown = worn(frames, seeded_rng("worn", index))
        assert hazard_share(frames) == 1
        assert hazard_share(shown) >= 0.9
        shown[: clip.frames // 2] = shown[-1, 0, 0]
        assert hazard_share(shown) == pytest.approx(0.5, abs=0.1)


def test_no_other_clip_shows_the_sign() -> None:
    for index, family in enumerate(("collision", "biscuit", "count", "person", "camera", "order", None)):
        assert hazard_share(worn(drawn(family, index)[0], seeded_rng("worn", index))) == 0


# -- films


def test_copies_of_films_are_told_from_all_else() -> None:
    """Worn copies are at 0.91 or more; of 300 other clips the nearest is at 0.64, and other films at 0.57."""
    for index, name in enumerate(CODE_NAMES[::6]):
        sample = memorised(name)
        frames, _ = render(sample.scene, sample.clip)
        assert film_similarity(frames, name) == pytest.approx(1, abs=1e-5)
        found, similarity = nearest_film(worn(frames, seeded_rng("worn", index)))
        assert found == name
        assert similarity > FILM_COPY + 0.08
        assert film_similarity(frames, CODE_NAMES[index]) < FILM_COPY - 0.1 or CODE_NAMES[index] == name
    for frames, _ in world_clips(40, "no-film", families=("uniform", "order", "camera", "person")):
        assert nearest_film(frames)[1] < FILM_COPY - 0.1


def test_a_film_is_not_found_in_a_clip_of_another_size_or_name() -> None:
    frames, _ = drawn(None, 0, NATIVE_CLIPS[1])
    with pytest.raises(ValueError, match="this clip"):
        film_similarity(frames, CODE_NAMES[0])
    with pytest.raises(UsageError, match="unknown film 'ambre'; did you mean 'amber'"):
        film_similarity(drawn(None, 0)[0], "ambre")
    assert film_similarity(np.full((16, 64, 64, 3), 30, np.uint8), "amber") == 0
