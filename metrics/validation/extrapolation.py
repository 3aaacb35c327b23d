"""Beginnings to go on from, in and out of what the reference generator was trained on: law, or examples?

A model that learned how things move continues what it never saw as well as what it saw; one that learned
examples does not (Kang et al. 2024, "How far is video generation from world model: a physical law
perspective"). Each prompt starts from the first half of a true clip, whose second half is the answer:

- ``in``: speeds, sizes and things that come together as in training;
- ``speed``: slower or faster than any in training;
- ``size``: smaller or larger than any in training;
- ``combination``: speeds and sizes as in training, and things that never came together there: a biscuit that
  moves, two things that move at once, a big thing that is thrown.

The measure ``physics.velocity_error`` holds what is generated against the answer, set by set.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...generators.worlds.plane import (
    NATIVE_CLIP,
    Scene,
    Thing,
    Truth,
    caption,
    expectation,
    render,
    sample_scene,
)
from ...generators.worlds.plane.scene import frame_size
from ...harness.core.errors import UsageError
from ...harness.core.files import write_atomic
from ...harness.core.keys import seeded_rng
from ...harness.core.media import write_clip
from ...harness.core.progress import track
from .trial_clips import Reconstruct, resized_things, stays_inside

__all__ = ["GIVEN", "SETS", "write_sets"]

_Rng = np.random.Generator
GIVEN: Final = NATIVE_CLIP.frames // 2
"""Frames of each clip that are given."""
_SPEEDS: Final = {"slow": (0.05, 0.09), "fast": (0.45, 0.55)}
"""Sides a second that are in no training clip: there they are from 0.13 to 0.35."""
_FACTORS: Final = {"small": (0.6, 0.75), "big": (1.2, 1.35)}
"""Times the smallest, or the largest, radii of training."""
_MARGIN: Final = 0.02  # sides from the frame's edge
_TRIES: Final = 50


def _within(rng: _Rng, index: int) -> tuple[Scene, str]:
    family, motion = (("uniform", "left"), ("fall", "fall"), ("uniform", "right"), ("projectile", ""))[
        index % 4
    ]
    scene = sample_scene(rng, NATIVE_CLIP, family=family, **({"motion": motion} if motion else {}))
    return scene, caption(scene, rng)


def _of_speed(rng: _Rng, index: int) -> tuple[Scene, str]:
    pace = ("slow", "fast")[index % 2]
    scene = _sideways(rng, index // 2)
    speed = float(rng.uniform(*_SPEEDS[pace])) * (1 if scene.motion == "right" else -1)
    thing = scene.subject
    if pace == "fast":  # from the edge, so that it stays in the frame for long
        width = frame_size(NATIVE_CLIP)[0]
        edge = thing.reach[0] + _MARGIN
        thing = replace(thing, x=edge if speed > 0 else width - edge)
    scene = replace(scene, things=(replace(thing, vx=speed),), facts={**scene.facts, "speed": pace})
    return scene, caption(scene, rng)


def _of_size(rng: _Rng, index: int) -> tuple[Scene, str] | None:
    size = ("small", "big")[index % 2]
    scene = _sideways(rng, index // 2, size=size)
    scene = resized_things(scene, float(rng.uniform(*_FACTORS[size])))
    return (scene, caption(scene, rng)) if stays_inside(scene, NATIVE_CLIP) else None


def _combined(rng: _Rng, index: int) -> tuple[Scene, str] | None:
    if index % 3 == 0:  # a biscuit that moves
        scene = _sideways(rng, index // 3)
        one = scene.subject
        biscuit = Thing("biscuit", "ball", "", "big", float(rng.uniform(0.18, 0.2)), one.x, one.y, one.vx)
        scene = replace(scene, things=(biscuit,))
        words = f"a biscuit moves {scene.motion}"
    elif index % 3 == 1:  # two things that move at once
        scene = _sideways(rng, index // 3, size="small")
        other = _sideways(rng, index // 3 + 1, size="small").subject
        one = replace(scene.subject, y=float(rng.uniform(0.2, 0.32)))
        scene = replace(scene, things=(one, replace(other, y=float(rng.uniform(0.68, 0.8)))))
        if one.color == other.color:
            return None
        words = caption(replace(scene, things=(one,)), rng)
    else:  # a big thing that is thrown
        scene = sample_scene(rng, NATIVE_CLIP, family="projectile")
        scene = resized_things(scene, 1.4)
        words = caption(scene, rng)
    return (scene, words) if stays_inside(scene, NATIVE_CLIP) else None


def _sideways(rng: _Rng, index: int, **asked: str) -> Scene:
    return sample_scene(rng, NATIVE_CLIP, family="uniform", motion=("left", "right")[index % 2], **asked)


SETS: Final[dict[str, Callable[[_Rng, int], tuple[Scene, str] | None]]] = {
    "in": _within,
    "speed": _of_speed,
    "size": _of_size,
    "combination": _combined,
}
"""Sets by name: how the scene number so and so is drawn, with the words for it; None draws again."""


def write_sets(out: Path, n: int, reconstruct: Reconstruct, seed: int = 0) -> Path:
    """Write ``n`` beginnings of each set, with the answers, and the suites that ask and that measure floors.

    ``out``/suite.yaml asks a generator to go on from ``out``/starts; ``out``/true and ``out``/reconstructed
    hold the whole clips, drawn and as the reference autoencoder leaves them, which ``out``/floor.yaml
    measures as ``folder:``: the error of the measure itself, and of a perfect generator in that latent space.

    Returns:
        The path of the suite.

    Raises:
        UsageError: ``out`` holds something already.
        MissingWeightsError: the autoencoder does not come with this installation.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already; name a folder that is not there yet")
    prompts: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    with track("clips", n * len(SETS)) as ticker:
        for number, (name, index, scene, words) in enumerate(_scenes(n, seed)):
            frames, truth = render(scene, NATIVE_CLIP, words=words)
            file = f"{name}-{index:04d}.mp4"
            expect = {**expectation(scene), "ways": _ways(truth)}
            for folder, shown in (
                ("true", frames),
                ("reconstructed", reconstruct(frames)),
                ("starts", frames[:GIVEN]),
            ):
                (out / folder).mkdir(parents=True, exist_ok=True)
                write_clip(out / folder / file, shown, NATIVE_CLIP.fps)
            start = str((out / "starts" / file).resolve())
            prompts.append({"text": words, "video": start, "tags": [name], "expect": expect})
            rows.append({"file": file, "prompt": words, "seed": number, "tags": [name], "expect": expect})
            ticker.advance()
    manifest = "".join(json.dumps(row) + "\n" for row in rows)
    for folder in ("true", "reconstructed"):
        write_atomic(out / folder / "manifest.jsonl", manifest)
    head: dict[str, Any] = {
        "version": 1,
        "clip": NATIVE_CLIP.model_dump(),
        "measures": ["physics.velocity_error", "physics.discarded", "failure.rate"],
        "encoders": {"tracks": "world"},
    }
    _write_yaml(out / "floor.yaml", {"name": "extrapolation-floor", **head, "prompts_from_generator": True})
    return _write_yaml(out / "suite.yaml", {"name": "extrapolation", **head, "seeds": 2, "prompts": prompts})


def _scenes(n: int, seed: int) -> Iterator[tuple[str, int, Scene, str]]:
    for name, draw in SETS.items():
        for index in range(n):
            for attempt in range(_TRIES):
                drawn = draw(seeded_rng("extrapolation", seed, name, index, attempt), index)
                if drawn is not None:
                    yield name, index, *drawn
                    break
            else:
                raise RuntimeError(f"no scene {index} of the set {name} fits into the frame")


def _ways(truth: Truth) -> list[dict[str, Any]]:
    """List where each thing is, in sides, up to its first touch; None from then on."""
    side = float(np.sqrt(NATIVE_CLIP.height * NATIVE_CLIP.width))
    ways: list[dict[str, Any]] = []
    for n, position_T2 in enumerate(truth.position_NT2):
        touched = min((c.time for c in truth.contacts if n in (c.one, c.two)), default=np.inf)
        places: list[Any] = [
            place if t / NATIVE_CLIP.fps <= touched else None
            for t, place in enumerate((position_T2 / side).round(5).tolist())
        ]
        ways.append({"object": n, "first": GIVEN, "places": places})
    return ways


def _write_yaml(path: Path, fields: dict[str, Any]) -> Path:
    import yaml

    write_atomic(path, yaml.safe_dump(fields, sort_keys=False, default_flow_style=None, width=120))
    return path
