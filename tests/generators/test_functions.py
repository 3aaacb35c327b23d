"""Functions and classes as generators: what they are given, what they may return, what identifies them."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import screentest as st
import torch
from PIL import Image
from screentest.generators import GENERATORS, decorator, make_generator
from screentest.generators.base import answers
from screentest.generators.functions import FunctionGenerator, Refused
from screentest.generators.identity import identity_of, source_in
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.media import write_clip

CLIP = ClipSettings(frames=4, height=16, width=24, fps=8)


@pytest.fixture(autouse=True)
def _forget():
    before = dict(GENERATORS._entries)
    yield
    GENERATORS._entries.clear()
    GENERATORS._entries.update(before)


def items(*prompts: str) -> list[Any]:
    return [make_item(prompt, seed, CLIP) for seed, prompt in enumerate(prompts)]


def of(function: Any, **options: Any) -> FunctionGenerator[Any]:
    return FunctionGenerator(function, "mine", 1, **options)


def test_the_examples_hold():
    found = doctest.testmod(decorator)
    assert found.attempted > 2
    assert found.failed == 0


def test_a_function_is_given_what_it_asks_for():
    seen: list[Any] = []

    def mine(prompt, seed, clip, item, steps=3):
        seen.append((prompt, seed, clip, item.prompt, steps))
        return np.zeros((clip.frames, 3, clip.height, clip.width), np.uint8)

    (output,) = answers(of(mine), items("a"))
    assert isinstance(output, st.Frames)
    assert (output.frames_THWC.shape, output.fps) == ((4, 16, 24, 3), 8)
    assert seen == [("a", 0, CLIP, "a", 3)]


FORMS = {
    "array": lambda frames, _: frames,
    "tensor of floats": lambda frames, _: torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255,
    "batch of one": lambda frames, _: frames[None],
    "images": lambda frames, _: [Image.fromarray(frame) for frame in frames],
    "frames": lambda frames, _: st.Frames(frames, 8.0),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_function_may_return_any_form_of_video(form, tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (4, 16, 24, 3), dtype=np.uint8)

    def mine(prompt, seed, clip):
        return form(frames, tmp_path)

    (output,) = answers(of(mine), items("a"))
    assert isinstance(output, st.Frames)
    np.testing.assert_array_equal(output.frames_THWC, frames)


def test_a_path_is_stored_as_it_is(tmp_path):
    write_clip(tmp_path / "a.mp4", np.zeros((4, 16, 24, 3), np.uint8), 8.0)

    def mine(prompt, seed, clip):
        return str(tmp_path / "a.mp4")

    assert answers(of(mine), items("a")) == [st.VideoFile(tmp_path / "a.mp4")]


def test_refusals_and_failures_are_outputs_of_their_own():
    def mine(prompt, seed, clip):
        if prompt == "raise":
            raise Refused("not allowed")
        if prompt == "return":
            return st.Refusal("not here")
        if prompt == "break":
            raise ValueError("out of paint")
        return None

    raised, returned, broken, nothing = answers(of(mine), items("raise", "return", "break", "none"))
    assert (raised, returned) == (st.Refusal("not allowed"), st.Refusal("not here"))
    assert isinstance(broken, st.Failure)
    assert broken.reason == "ValueError: out of paint"
    assert "mine" in broken.details
    assert isinstance(nothing, st.Failure)
    assert nothing.reason.startswith("what the generator returned is a NoneType; give an array")


def test_what_is_no_exception_fails_the_item_and_ctrl_c_does_not():
    class Panic(BaseException):
        """As the panics of Rust libraries are."""

    def mine(prompt, seed, clip):
        if prompt == "stop":
            raise KeyboardInterrupt
        raise Panic("index out of bounds")

    (output,) = answers(of(mine), items("a"))
    assert isinstance(output, st.Failure)
    assert output.reason == "Panic: index out of bounds"
    with pytest.raises(KeyboardInterrupt):
        answers(of(mine), items("stop"))


def test_a_video_that_can_be_read_in_two_ways_fails_until_the_layout_is_named():
    def mine(prompt, seed, clip):
        return np.zeros((3, 3, 16, 24), np.uint8)

    def three(prompt, seed, clip):
        return np.zeros((3, 16, 24, 3), np.uint8)

    asked = make_item("a", 0, ClipSettings(frames=3, height=16, width=24))
    (output,) = answers(of(three), [asked])  # of the two layouts, one has the size that was asked for
    assert isinstance(output, st.Frames)
    assert output.frames_THWC.shape == (3, 16, 24, 3)
    (output,) = answers(of(mine), items("a"))
    assert isinstance(output, st.Failure)
    assert "can be TCHW or CTHW" in output.reason
    (output,) = answers(of(mine, reading=("TCHW", None)), items("a"))
    assert isinstance(output, st.Frames)


class Batches:
    """Videos of one level, by batches."""

    made = 0

    def __init__(self, level: int = 10, device: str = "cpu") -> None:
        Batches.made += 1
        self.level, self.device = level, device

    def generate(self, prompts, seeds, clip):
        videos = np.full((len(prompts), clip.frames, 3, clip.height, clip.width), self.level, np.uint8)
        return [st.Refusal("no") if p == "refuse" else v for p, v in zip(prompts, videos, strict=True)]


def test_a_class_makes_batches_and_is_made_once_when_it_is_needed():
    Batches.made = 0
    made = of(Batches, batch_size=3).with_options({"level": "20"}, "auto", "float32", "mine?level=20")
    assert (made.batch_size, Batches.made) == (3, 0)
    first, refused, last = answers(made, items("a", "refuse", "b"))
    assert refused == st.Refusal("no")
    assert isinstance(first, st.Frames)
    assert isinstance(last, st.Frames)
    assert (first.frames_THWC == 20).all()
    answers(made, items("c"))
    assert Batches.made == 1
    assert made._ready.device in ("cpu", "cuda")


def test_a_batch_may_be_one_tensor_and_has_as_many_videos_as_prompts():
    class Tensor:
        def generate(self, prompts, clip):
            return torch.zeros(len(prompts), 3, clip.frames, clip.height, clip.width)

    class Short:
        def generate(self, prompts):
            return []

    outputs = answers(of(Tensor, batch_size=2), items("a", "b"))
    assert [type(output) for output in outputs] == [st.Frames, st.Frames]
    (output,) = answers(of(Short), items("a"))
    assert isinstance(output, st.Failure)
    assert "returned 0 videos for 1 prompt" in output.reason


def test_a_class_that_cannot_be_made_stops_the_run():
    class Broken:
        def __init__(self):
            raise OSError("no weights")

        def generate(self, prompts, seeds, clip):
            return []

    with pytest.raises(st.UsageError, match="the generator mine could not be made: OSError: no weights"):
        answers(of(Broken), items("a"))


def test_what_a_function_asks_for_says_what_its_clips_can_start_from():
    assert of(lambda prompt, image=None: None).starts == {"image"}
    assert of(lambda prompt, video=None: None).starts == {"extend"}
    assert of(lambda prompt, video, use: None).starts == {"extend", "extend-back", "edit", "connect"}
    assert "image" in of(lambda item: None).starts


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda text, seed: None, "takes no prompts; give it prompt, seed and clip"),
        (type("No", (), {}), r"takes no prompts; give it a method generate\(self, prompts"),
        (len, "takes no prompts"),
    ],
)
def test_what_takes_no_prompt_is_refused(function, told):
    with pytest.raises(st.UsageError, match=told):
        of(function)


def test_options_are_read_by_the_types_of_the_parameters(tmp_path):
    def mine(
        prompt, seed, clip, steps: int = 3, scale=1.5, fast=False, weights: Path | None = None, name=None
    ):
        return None

    def bound(**options: str) -> Any:
        return of(mine).with_options(options, "auto", "float32", "mine")._bound

    found = bound(steps="7", scale="2", fast="true", name="x")
    assert found.arguments == {"steps": 7, "scale": 2.0, "fast": True, "name": "x"}
    for wrong, told in (
        ({"step": "7"}, "did you mean 'steps'"),
        ({"steps": "many"}, "steps"),
        ({"seed": "1"}, "seed"),
    ):
        with pytest.raises(st.UsageError, match=told):
            bound(**wrong)
    (tmp_path / "w").write_bytes(b"one")
    one = bound(weights=str(tmp_path / "w")).identity
    (tmp_path / "w").write_bytes(b"two")
    assert one != bound(weights=str(tmp_path / "w")).identity
    assert str(tmp_path) not in str(one)

    def needs(prompt, seed, clip, weights):
        return None

    with pytest.raises(st.UsageError, match="needs a value for 'weights'"):
        of(needs).identity()


def test_dtype_is_part_of_the_identity_and_device_is_not():
    def mine(prompt, seed, clip, device, dtype):
        return None

    def identity(device: str, dtype: str) -> Any:
        return of(mine).with_options({}, device, dtype, "mine").identity()

    assert identity("cpu", "float32") == identity("auto", "float32")
    assert identity("cpu", "float32") != identity("cpu", "float16")


def test_the_source_and_the_version_are_the_identity(tmp_path, make_suite):
    text = "def mine(prompt, seed, clip):\n    return None\n"

    def loaded(name: str, text: str, version: int = 1) -> Any:
        place: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(text, "<cell>", "exec"), place)
        import linecache

        linecache.cache["<cell>"] = (len(text), None, text.splitlines(keepends=True), "<cell>")
        return FunctionGenerator(place["mine"], name, version).identity()

    first = loaded("mine", text)
    assert first["source"] is not None
    assert first == loaded("mine", text)
    assert first == loaded("mine", text + "\nprint\n")  # another part of the notebook
    assert first["source"] != loaded("mine", text.replace("None", "seed"))["source"]
    assert first != loaded("mine", text, version=2)
    assert isinstance(source_in(identity_of(of(lambda prompt: None))), list)


def test_a_name_is_given_once_and_a_cell_may_be_run_again():
    def cell(version: int) -> Any:
        @st.generator("mine", version=version)
        def mine(prompt, seed, clip):
            """Draw nothing."""

        return mine

    cell(1)
    second = cell(2)
    assert make_generator("mine").identity()["version"] == 2
    assert "Draw nothing." in GENERATORS.get("mine").summary
    assert second("a", 1, CLIP) is None
    with pytest.raises(st.UsageError, match="there is a generator named 'mine' already"):

        @st.generator("mine", version=1)
        def other(prompt, seed, clip):
            return None

    with pytest.raises(st.UsageError, match="named 'reference' already"):
        st.generator("reference", version=1)(lambda prompt: None)
    with pytest.raises(st.UsageError, match="the generator name 'My one' should be"):
        st.generator("My one", version=1)


def test_a_registered_function_takes_options_in_its_spec():
    @st.generator("mine", version=1)
    def mine(prompt, seed, clip, level: int = 1):
        return np.full((clip.frames, clip.height, clip.width, 3), level, np.uint8)

    made = make_generator("mine?level=9")
    assert made.spec == "mine?level=9"
    (output,) = answers(made, items("a"))
    assert isinstance(output, st.Frames)
    assert output.frames_THWC.max() == 9
    assert made.identity() != make_generator("mine").identity()
    with pytest.raises(st.UsageError, match=r"give options as mine\?x=1"):
        make_generator("mine:level")


def test_a_run_takes_the_function_itself(tmp_path, make_suite):
    @st.generator("mine", version=1)
    def mine(prompt, seed, clip):
        if prompt.endswith("1"):
            raise st.Refused("one is not drawn")
        rng = np.random.default_rng(seed)
        return rng.random((clip.frames, 3, clip.height, clip.width))

    run = st.run(make_suite(), mine, tmp_path / "run", cache=tmp_path / "cache")
    assert run.aggregates().outcomes == {"ok": 6, "refused": 2, "failed": 0}
    assert run["motion.flicker"].n == 6
