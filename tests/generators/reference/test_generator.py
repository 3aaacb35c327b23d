from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from screentest.generators import Failure, Frames
from screentest.generators.reference import ReferenceGenerator, SamplerSettings
from screentest.generators.reference.generator import Doubling
from screentest.generators.reference.starts import START_PSNR
from screentest.harness.core.errors import MissingWeightsError, UsageError
from screentest.harness.core.items import ClipSettings, Item, make_item
from screentest.harness.core.media import write_clip

from .conftest import NATIVE, WIDE, write_text

FAST = SamplerSettings(steps=3)


@pytest.fixture(autouse=True)
def any_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tiny autoencoders, which keep no picture, start from one."""
    monkeypatch.setattr(ReferenceGenerator, "least_psnr", 0.0)
    monkeypatch.setattr(ReferenceGenerator, "start_psnr", 0.0)


def items(*prompts: str | None, clip: ClipSettings = NATIVE, **more: Any) -> list[Item]:
    return [make_item(prompt, seed, clip, **more) for seed, prompt in enumerate(prompts)]


def frames(output: object) -> np.ndarray:
    assert isinstance(output, Frames)
    return output.frames_THWC.astype(int)


def rewrite(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_clips_have_the_size_of_the_suite_and_no_prompt_is_a_failure(tiny_checkpoint: Path) -> None:
    generator = ReferenceGenerator(str(tiny_checkpoint), settings=FAST)
    asked = [*items("a red ball falls", None, "unknown words only", " "), *items("a ball", clip=WIDE)]
    outputs = generator.generate(asked)
    for number, (output, clip) in enumerate(zip(outputs, [NATIVE] * 4 + [WIDE], strict=True)):
        if number in (1, 3):
            assert isinstance(output, Failure)
            continue
        assert isinstance(output, Frames)
        assert output.frames_THWC.shape == (16, clip.height, clip.width, 3)
        assert output.frames_THWC.dtype == np.uint8
        assert output.fps == 8
    assert generator.check([asked[0], asked[4]]) == []
    assert generator.generate([]) == []


def test_a_clip_does_not_depend_on_who_shares_its_batch(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Of other sizes, other prompts, other starts."""
    Image.fromarray(np.full((64, 64, 3), 200, np.uint8)).save(tmp_path / "a.png")
    write_clip(tmp_path / "a.mp4", np.full((16, 48, 80, 3), 90, np.uint8), 8)
    generator = ReferenceGenerator(str(tiny_checkpoint), settings=FAST)
    asked = [
        *items("a red ball falls", "a blue square rises", "the big green ball moves left"),
        *items("a ball", image=str(tmp_path / "a.png")),
        *items("a ball", "a red ball", clip=WIDE),
        *items("a ball", clip=WIDE, video=str(tmp_path / "a.mp4"), use="edit"),
    ]
    assert generator.check(asked) == []
    together = generator.generate(asked)
    alone = [generator.generate([item])[0] for item in reversed(asked)][::-1]
    for a, b in zip(together, alone, strict=True):
        assert np.abs(frames(a) - frames(b)).max() <= 1  # a rounding of uint8 at most
    assert np.abs(frames(together[0]) - frames(together[1])).max() > 10
    assert np.abs(frames(together[4]) - frames(together[6])).max() > 10


def test_what_is_given_is_in_the_clip(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """The first half of an extension is the autoencoder's own rendering of the video's end."""
    from screentest.generators.reference.model.parts import find_part
    from screentest.generators.reference.model.vae import load_vae, to_pixels
    from screentest.generators.reference.starts import encode_start, read_start

    rng = np.random.default_rng(0)
    video = rng.integers(0, 255, (1, 4, 4, 3), np.uint8).repeat(16, 1).repeat(16, 2).repeat(24, 0)
    write_clip(tmp_path / "a.mp4", video, 8)
    generator = ReferenceGenerator(str(tiny_checkpoint), settings=FAST)
    (item,) = items("a red ball falls", video=str(tmp_path / "a.mp4"))
    (made,) = generator.generate([item])
    vae = load_vae(find_part(generator.folder, "vae"))
    given = encode_start(vae, read_start(item), 16)
    assert given.latents is not None
    held = given.latents[:, [0, 1, 1, 1]]
    decoded = to_pixels(vae.decode(vae.denormalise(held[None])))[0].detach().numpy()
    # The first latent frame's pictures, far from what was made.
    assert np.abs(frames(made)[:4] - decoded[:4]).max() <= 1
    assert np.abs(frames(made)[8:] - decoded[8:]).max() > 10
    (other,) = items("a red ball falls")
    assert np.abs(frames(generator.generate([other])[0])[:4] - decoded[:4]).max() > 10


def test_a_clip_that_does_not_start_from_its_image_is_a_failure(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    asked = [*items("a red ball falls", image=str(tmp_path / "a.png")), *items("a red ball falls")]
    generator = ReferenceGenerator(str(tiny_checkpoint), settings=FAST)
    assert all(isinstance(output, Frames) for output in generator.generate(asked))
    monkeypatch.setattr(ReferenceGenerator, "start_psnr", START_PSNR)
    one, other = generator.generate(asked)
    assert isinstance(one, Failure)
    assert re.search(r"does not start from .*a\.png: .* at \d+\.\d dB, and 33 are needed", one.reason)
    assert isinstance(other, Frames)


def test_identity_lists_weights_and_settings_and_no_path(tiny_checkpoint: Path) -> None:
    generator = ReferenceGenerator(str(tiny_checkpoint), settings=FAST)
    identity = json.dumps(generator.identity())
    assert {"model", "vae", "text", "sampler", "dtype"} <= set(generator.identity())
    assert str(tiny_checkpoint.parent) not in identity
    assert identity == json.dumps(
        ReferenceGenerator(str(tiny_checkpoint), settings=FAST, device="cpu").identity()
    )
    for other in (SamplerSettings(steps=4), SamplerSettings(steps=3, solver="heun")):
        assert identity != json.dumps(ReferenceGenerator(str(tiny_checkpoint), settings=other).identity())


def test_renoise_gives_each_item_its_own_clip_whoever_shares_its_batch(tiny_checkpoint: Path) -> None:
    generator = ReferenceGenerator(str(tiny_checkpoint), settings=SamplerSettings(solver="renoise", steps=3))
    asked = [*items("a red ball falls", "a red ball falls"), *items("a ball", clip=WIDE)]
    together = generator.generate(asked)
    for item, output in zip(reversed(asked), reversed(together), strict=True):
        (alone,) = generator.generate([item])
        assert np.abs(frames(alone) - frames(output)).max() <= 1
    assert np.abs(frames(together[0]) - frames(together[1])).max() > 10


def test_identity_and_check_load_no_heavy_library(tiny_checkpoint: Path) -> None:
    code = (
        "import sys; from screentest.generators.reference import ReferenceGenerator;"
        f"g = ReferenceGenerator({str(tiny_checkpoint)!r}); g.identity(); g.check([]);"
        "sys.stdout.write(' '.join(m for m in ('torch', 'transformers', 'pymunk', 'av') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("change", [{"frames": 32}, {"height": 96, "width": 96}, {"width": 80}, {"fps": 12}])
def test_other_sizes_lengths_and_rates_are_refused_in_one_sentence(
    tiny_checkpoint: Path, change: dict[str, int]
) -> None:
    generator = ReferenceGenerator(str(tiny_checkpoint))
    (asked,) = items("a red ball", clip=NATIVE.model_copy(update=change))
    known = "16 frames of 64x64 at 8 fps, 16 frames of 80x48 at 8 fps only"
    with pytest.raises(UsageError, match=rf"{known}, and the suite asks for \d+ frames of .*fps;") as error:
        generator.check([asked])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("prompt", [None, " "])
def test_an_empty_prompt_is_refused(tiny_checkpoint: Path, prompt: str | None) -> None:
    with pytest.raises(
        UsageError, match=r"needs a prompt, and one of .* is blank \(item [0-9a-f]{12}\); write"
    ):
        ReferenceGenerator(str(tiny_checkpoint)).check(items("a ball", prompt))


def test_what_it_starts_from_is_read_before_anything_is_generated(tiny_checkpoint: Path) -> None:
    with pytest.raises(UsageError, match=r"first\.png is missing"):
        ReferenceGenerator(str(tiny_checkpoint)).check(items("a ball", image="first.png"))


def test_names_that_do_not_exist_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown reference checkpoint 'bas'; did you mean 'base'"):
        ReferenceGenerator("bas")
    with pytest.raises(UsageError, match="unknown dtype"):
        ReferenceGenerator("base", dtype="float12")


def test_missing_weights_say_so(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match=r"no config\.json and no model\.safetensors"):
        ReferenceGenerator(str(tmp_path)).identity()


@pytest.mark.parametrize("part", ["vae", "text"])
def test_a_part_of_another_training_is_refused(own_checkpoint: Path, part: str) -> None:
    rewrite(own_checkpoint / "config.json", **{f"{part}_digest": "0" * 64})
    with pytest.raises(UsageError, match=r"was trained with another .* put its own .* in .*base/" + part):
        ReferenceGenerator(str(own_checkpoint)).check(items("a ball"))


def test_parts_inside_the_checkpoint_come_first(own_checkpoint: Path, tmp_path: Path) -> None:
    before = ReferenceGenerator(str(own_checkpoint)).identity()
    write_text(own_checkpoint / "text")
    text = own_checkpoint / "text" / "config.json"
    text.write_text(text.read_text() + "\n")
    after = ReferenceGenerator(str(own_checkpoint)).identity()
    assert before["text"] != after["text"]
    assert before["vae"] == after["vae"]


@pytest.mark.parametrize("version", [1, 99])
def test_another_format_version_is_refused(own_checkpoint: Path, version: int) -> None:
    rewrite(own_checkpoint / "config.json", format_version=version)
    generator = ReferenceGenerator(str(own_checkpoint))
    for work in (generator.check, generator.generate):
        with pytest.raises(UsageError, match=f"format version {version}, and this release reads version 2"):
            work(items("a red ball"))


def flip_a_bit(path: Path) -> None:
    held = bytearray(path.read_bytes())
    held[-1000] ^= 1
    path.write_bytes(held)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\x00" * 64), "damaged"),
        (lambda folder: flip_a_bit(folder / "model.safetensors"), "damaged: it has another sha256"),
        (lambda folder: (folder / "config.json").write_text("{"), "not readable JSON"),
        (lambda folder: rewrite(folder / "config.json", kind="vae"), "not a dit checkpoint"),
        (lambda folder: rewrite(folder / "config.json", model={"width": 48}), "is missing"),
        (lambda folder: (folder.parent / "text" / "tokenizer.json").unlink(), r"no tokenizer\.json in"),
    ],
)
def test_a_damaged_checkpoint_is_one_sentence(
    own_checkpoint: Path, damage: Callable[[Path], object], says: str
) -> None:
    damage(own_checkpoint)
    with pytest.raises(UsageError, match=says) as error:
        ReferenceGenerator(str(own_checkpoint), settings=FAST).generate(items("a red ball"))
    assert "\n" not in str(error.value)


def test_damaged_weights_are_found_before_anything_is_generated(own_checkpoint: Path) -> None:
    flip_a_bit(own_checkpoint / "model.safetensors")
    with pytest.raises(UsageError, match="damaged: it has another sha256"):
        ReferenceGenerator(str(own_checkpoint), settings=FAST).check(items("a red ball"))


@pytest.mark.parametrize("clips", [None, [], [{"frames": 0}], 3])
def test_a_checkpoint_that_does_not_know_its_sizes_is_refused(own_checkpoint: Path, clips: object) -> None:
    rewrite(own_checkpoint / "config.json", clips=clips)
    with pytest.raises(UsageError, match="does not say on which clips it was trained"):
        ReferenceGenerator(str(own_checkpoint)).check(items("a ball"))


def test_weights_of_another_size_are_refused(own_checkpoint: Path) -> None:
    config = own_checkpoint / "config.json"
    model = {**json.loads(config.read_text())["model"], "depth": 3}
    rewrite(config, model=model)
    with pytest.raises(UsageError, match=r"does not fit the config\.json"):
        ReferenceGenerator(str(own_checkpoint), settings=FAST).generate(items("a red ball"))


def test_half_precision_gives_nearly_the_same_clip(tiny_checkpoint: Path) -> None:
    asked = [*items("a red ball falls"), *items("a blue ball", clip=WIDE)]
    full = ReferenceGenerator(str(tiny_checkpoint), settings=FAST).generate(asked)
    half = ReferenceGenerator(str(tiny_checkpoint), settings=FAST, dtype="bfloat16").generate(asked)
    for a, b in zip(full, half, strict=True):
        assert 0 < np.abs(frames(a) - frames(b)).mean() < 8


def test_the_cascade_doubles_the_known_sizes(tiny_checkpoint: Path, tmp_path: Path) -> None:
    double = NATIVE.model_copy(update={"height": 128, "width": 128})
    one = ReferenceGenerator(str(tiny_checkpoint), settings=SamplerSettings(steps=1))
    two = ReferenceGenerator(str(tiny_checkpoint), settings=SamplerSettings(steps=1), cascade="refine")
    item = make_item("a red ball falls", 0, double)
    assert two.check([item]) == []
    (output,) = two.generate([item])
    assert isinstance(output, Frames)
    assert output.frames_THWC.shape == (16, 128, 128, 3)
    assert one.identity() != two.identity()
    with pytest.raises(UsageError, match="16 frames of 64x64"):
        one.check([item])
    with pytest.raises(UsageError, match="16 frames of 128x128"):
        two.check([make_item("a red ball falls", 0, NATIVE)])
    started = make_item("a red ball falls", 0, double, image=str(tmp_path / "start.png"))
    with pytest.raises(UsageError, match="doubles clips of text alone"):
        two.check([started])


def test_a_cascade_doubles_the_very_clip_of_the_seed(tiny_checkpoint: Path) -> None:
    """So that what the second stage adds can be compared pair by pair."""
    from screentest.generators.reference.model.refiner import interpolate
    from screentest.generators.reference.model.vae import to_pixels, to_unit

    def made(cascade: Doubling | None, scale: int = 2) -> list[np.ndarray]:
        clips = [
            clip.model_copy(update={"height": scale * clip.height, "width": scale * clip.width})
            for clip in (NATIVE, NATIVE, WIDE)
        ]
        asked = [make_item("a red ball falls", seed, clip) for seed, clip in enumerate(clips)]
        generator = ReferenceGenerator(str(tiny_checkpoint), settings=FAST, cascade=cascade)
        assert generator.check(asked) == []
        return [frames(output) for output in generator.generate(asked)]

    plain, refined, interpolated = made(None, 1), made("refine"), made("interpolate")
    assert np.abs(plain[0] - plain[1]).max() > 10
    for small, one, other in zip(plain, refined, interpolated, strict=True):
        unit = to_unit(torch.from_numpy(small.astype(np.uint8))[None])
        doubled = to_pixels(interpolate(unit))[0].numpy().astype(int)
        assert np.abs(other - doubled).max() <= 1  # of uint8: the clip is rounded, and then interpolated
        assert np.abs(one - other).max() > 1


def test_how_a_clip_is_doubled_is_part_of_the_identity(tiny_checkpoint: Path) -> None:
    kinds: tuple[Doubling | None, ...] = (None, "refine", "interpolate")
    identities = [ReferenceGenerator(str(tiny_checkpoint), cascade=kind).identity() for kind in kinds]
    assert len({json.dumps(identity, sort_keys=True) for identity in identities}) == 3
