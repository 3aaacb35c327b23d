"""Extrapolation sets: starting clips in and out of the reference generator's training distribution.

A model that learned the laws of motion continues unseen scenes as well as seen ones; a model that learned
examples does not (Kang et al. 2024, "How far is video generation from world model: a physical law
perspective"). Each prompt starts from the first half of a true clip, whose second half is the true
continuation:

- ``in``: speeds, sizes and combinations as in training;
- ``speed``: slower or faster than any in training;
- ``size``: smaller or larger than any in training;
- ``combination``: speeds and sizes as in training, but combinations that never occurred there: a moving
biscuit,
  two objects that move at once, a big object that is thrown.

The measure ``physics.velocity_error`` compares the generated clips with the true continuations, set by set.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ...generators.worlds.registry import World, find_world
from ...harness.core.errors import UsageError
from ...harness.core.files import write_atomic
from ...harness.core.keys import seeded_rng
from ...harness.core.media import write_clip
from ...harness.core.progress import track
from .looks import Reconstruct

__all__ = ["write_sets"]

_GIVEN: Final = 2  # of how many parts of a clip the first is given
_TRIES: Final = 50


def write_sets(out: Path, n: int, reconstruct: Reconstruct, seed: int = 0) -> Path:
    """Write ``n`` starting clips of each set, the true continuations, and two suites.

    ``out``/suite.yaml asks a generator to continue the clips in ``out``/starts. ``out``/true and
    ``out``/reconstructed have the whole clips, as drawn and after the reference autoencoder.
    ``out``/floor.yaml measures them as ``folder:``: the error of the measure itself, and of a perfect
    generator in that latent space.

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
    world = find_world("reference")
    clip = world.native_clips[0]
    given = clip.frames // _GIVEN
    with track("clips", n * len(world.extrapolation_sets)) as ticker:
        for number, (name, index, scene, words) in enumerate(_scenes(world, n, seed)):
            frames, truth = world.render(scene, clip, words)
            file = f"{name}-{index:04d}.mp4"
            ways = [{**path, "first": given} for path in world.known_paths(truth)]
            expect = {**world.scene_clip(scene, clip).expect, "ways": ways}
            for folder, shown in (
                ("true", frames),
                ("reconstructed", reconstruct(frames)),
                ("starts", frames[:given]),
            ):
                (out / folder).mkdir(parents=True, exist_ok=True)
                write_clip(out / folder / file, shown, clip.fps)
            start = str((out / "starts" / file).resolve())
            prompts.append({"text": words, "video": start, "tags": [name], "expect": expect})
            rows.append({"file": file, "prompt": words, "seed": number, "tags": [name], "expect": expect})
            ticker.advance()
    manifest = "".join(json.dumps(row) + "\n" for row in rows)
    for folder in ("true", "reconstructed"):
        write_atomic(out / folder / "manifest.jsonl", manifest)
    head: dict[str, Any] = {
        "version": 1,
        "clip": clip.model_dump(),
        "measures": ["physics.velocity_error", "physics.discarded", "failure.rate"],
        "encoders": {"tracks": "world"},
    }
    _write_yaml(out / "floor.yaml", {"name": "extrapolation-floor", **head, "prompts_from_generator": True})
    return _write_yaml(out / "suite.yaml", {"name": "extrapolation", **head, "seeds": 2, "prompts": prompts})


def _scenes(world: World, n: int, seed: int) -> Iterator[tuple[str, int, Any, str]]:
    for name in world.extrapolation_sets:
        for index in range(n):
            for attempt in range(_TRIES):
                rng = seeded_rng("extrapolation", seed, name, index, attempt)
                drawn = world.extrapolation_scene(name, rng, index)
                if drawn is not None:
                    yield name, index, *drawn
                    break
            else:
                raise RuntimeError(f"no scene {index} of the set {name} fits into the frame")


def _write_yaml(path: Path, fields: dict[str, Any]) -> Path:
    import yaml

    write_atomic(path, yaml.safe_dump(fields, sort_keys=False, default_flow_style=None, width=120))
    return path
