from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from screentest.generators import Failure, Frames
from screentest.generators.reference import CHECKPOINTS, ReferenceGenerator, SamplerSettings
from screentest.generators.reference.world import NATIVE_CLIP
from screentest.harness.errors import MissingWeightsError, UsageError
from screentest.harness.plan import Item, make_item
from screentest.harness.suite import ClipSettings

FAST = SamplerSettings(steps=3)


def items(*prompts: str | None) -> list[Item]:
    return [make_item(prompt, seed, NATIVE_CLIP) for seed, prompt in enumerate(prompts)]


def frames(output: object) -> np.ndarray:
    assert isinstance(output, Frames)
    return output.frames_THWC.astype(int)


def rewrite(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_clips_have_the_size_of_the_suite_and_no_prompt_is_a_failure(tiny_checkpoint: Path) -> None:
    generator = ReferenceGenerator(str(tiny_checkpoint), settings=FAST)
    asked = items("a red ball falls", None, "unknown words only")
    assert generator.check(asked) == []
    first, second, third = generator.generate(asked)
    assert isinstance(second, Failure)
    for output in (first, third):
        assert isinstance(output, Frames)
        assert output.frames_THWC.shape == (16, 64, 64, 3)
        assert output.frames_THWC.dtype == np.uint8
        assert output.fps == 8
    assert generator.generate([]) == []


def test_a_clip_does_not_depend_on_who_shares_its_batch(tiny_checkpoint: Path) -> None:
    generator = ReferenceGenerator(str(tiny_checkpoint), settings=FAST)
    asked = items("a red ball falls", "a blue square rises", "a white triangle stays still")
    together = generator.generate(asked)
    alone = [generator.generate([item])[0] for item in reversed(asked)][::-1]
    for a, b in zip(together, alone, strict=True):
        assert np.abs(frames(a) - frames(b)).max() <= 1  # a rounding of uint8 at most
    assert np.abs(frames(together[0]) - frames(together[1])).max() > 10


def test_identity_lists_weights_and_settings_and_no_path(tiny_checkpoint: Path) -> None:
    generator = ReferenceGenerator(str(tiny_checkpoint), settings=FAST)
    identity = json.dumps(generator.identity())
    assert str(tiny_checkpoint.parent) not in identity
    assert identity == json.dumps(
        ReferenceGenerator(str(tiny_checkpoint), settings=FAST, device="cpu").identity()
    )
    other = ReferenceGenerator(str(tiny_checkpoint), settings=SamplerSettings(steps=4))
    assert identity != json.dumps(other.identity())


def test_identity_and_check_load_no_heavy_library(tiny_checkpoint: Path) -> None:
    code = (
        "import sys; from screentest.generators.reference import ReferenceGenerator;"
        f"g = ReferenceGenerator({str(tiny_checkpoint)!r}); g.identity(); g.check([]);"
        "sys.stdout.write(' '.join(m for m in ('torch', 'transformers', 'pymunk') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_other_sizes_are_refused_in_one_sentence(tiny_checkpoint: Path) -> None:
    generator = ReferenceGenerator(str(tiny_checkpoint))
    asked = make_item("a red ball", 0, ClipSettings(frames=32, height=64, width=96, fps=8))
    with pytest.raises(
        UsageError, match=r"16 frames of 64x64 at 8 fps only.*32 frames of 96x64 at 8 fps"
    ) as error:
        generator.check([asked])
    assert "\n" not in str(error.value)


def test_what_it_cannot_read_is_refused(tiny_checkpoint: Path) -> None:
    asked = make_item("a red ball", 0, NATIVE_CLIP, image="first.png")
    with pytest.raises(UsageError, match="reads text only"):
        ReferenceGenerator(str(tiny_checkpoint)).check([asked])


def test_names_that_do_not_exist_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown reference checkpoint 'lat'; did you mean 'late'"):
        ReferenceGenerator("lat")
    with pytest.raises(UsageError, match="unknown dtype"):
        ReferenceGenerator("late", dtype="float12")


def test_missing_weights_say_so(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match=r"no config\.json and no model\.safetensors"):
        ReferenceGenerator(str(tmp_path)).identity()


def test_another_format_version_is_refused(own_checkpoint: Path) -> None:
    rewrite(own_checkpoint / "config.json", format_version=99)
    generator = ReferenceGenerator(str(own_checkpoint))
    with pytest.raises(UsageError, match="format version 99, and this release reads version 1"):
        generator.check(items("a red ball"))
    with pytest.raises(UsageError, match="format version 99"):
        generator.generate(items("a red ball"))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\x00" * 64), "damaged"),
        (lambda folder: (folder / "config.json").write_text("{"), "not readable JSON"),
        (lambda folder: rewrite(folder / "config.json", kind="vae"), "not a dit checkpoint"),
        (lambda folder: rewrite(folder / "config.json", model={"width": 48}), "Field required"),
        (lambda folder: rewrite(folder / "config.json", vae_digest="0"), "another autoencoder"),
    ],
)
def test_a_damaged_checkpoint_is_one_sentence(own_checkpoint: Path, damage: object, says: str) -> None:
    assert callable(damage)
    damage(own_checkpoint)
    with pytest.raises(UsageError, match=says) as error:
        ReferenceGenerator(str(own_checkpoint), settings=FAST).generate(items("a red ball"))
    assert "\n" not in str(error.value)


def test_weights_of_another_size_are_refused(own_checkpoint: Path) -> None:
    config = own_checkpoint / "config.json"
    model = {**json.loads(config.read_text())["model"], "depth": 3}
    rewrite(config, model=model)
    with pytest.raises(UsageError, match=r"does not fit the config\.json"):
        ReferenceGenerator(str(own_checkpoint), settings=FAST).generate(items("a red ball"))


def test_the_shipped_checkpoints_know_each_other_apart() -> None:
    early, late = (ReferenceGenerator(name).identity() for name in CHECKPOINTS)
    assert early["vae"] == late["vae"]
    assert early["model"] != late["model"]


def test_the_late_checkpoint_shows_what_it_is_asked_for() -> None:
    from screentest.generators.reference.reader import read_clip

    colors = ("red", "green", "blue", "yellow")
    generator = ReferenceGenerator("late", settings=SamplerSettings(steps=10))
    asked = items(*(f"a {color} ball moves left" for color in colors))
    seen = [read_clip(frames(output).astype(np.uint8)) for output in generator.generate(asked)]
    assert [s.color for s in seen] == list(colors)
    assert sum(s.motion == "left" for s in seen) >= 3
