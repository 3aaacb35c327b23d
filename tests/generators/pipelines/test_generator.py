"""Pipelines of seven families, end to end, with tiny random weights; and what goes wrong with them."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from screentest.generators import Failure, Frames, NotApplicable, Refusal, make_generator
from screentest.generators.base import answers
from screentest.generators.pipelines import loading
from screentest.generators.pipelines.generator import DiffusersGenerator, item_seed
from screentest.generators.pipelines.options import PipelineOptions
from screentest.harness.core.errors import MissingWeightsError, UsageError
from screentest.harness.core.items import ClipSettings, Item, make_item
from screentest.harness.run import Settings, run

CLIP = ClipSettings(frames=9, height=32, width=64, fps=8)
SHORT = {"max_sequence_length": "16"}
FAMILIES: dict[str, tuple[dict[str, str], tuple[int, int, int]]] = {
    "wan": (SHORT, (9, 32, 64)),
    "ltx": (SHORT, (9, 32, 64)),
    "cogvideox": (SHORT, (9, 32, 64)),
    "animatediff": ({}, (9, 32, 64)),
    "latte": ({}, (16, 32, 64)),  # its transformer is made for 16 frames
    "mochi": (SHORT, (7, 32, 64)),  # 6 k + 1 frames
    "hunyuan-video": (SHORT, (9, 32, 64)),
}
WITHIN = 1
"""Levels of 255 by which a batch may differ from single clips; 0 were measured for every family."""


def made(folder: Path, call: dict[str, str], **options: Any) -> DiffusersGenerator:
    return DiffusersGenerator(str(folder), PipelineOptions(**options), {"steps": "2", **call}, device="cpu")


def items(clip: ClipSettings = CLIP, **more: Any) -> list[Item]:
    return [make_item(p, s, clip, **more) for p in ("a red ball falls", "a cat") for s in range(2)]


def frames_of(outputs: list[Any]) -> list[Any]:
    assert all(isinstance(output, Frames) for output in outputs), outputs
    return [output.frames_THWC.astype(int) for output in outputs]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_makes_its_clips_alike_in_batches_and_one_by_one(pipeline_folder, family, capsys):
    call, shape = FAMILIES[family]
    folder = pipeline_folder(family)
    single = frames_of(made(folder, call).generate(items()))
    batch = frames_of(made(folder, call, batch=4).generate(items()))
    assert all(clip.shape == (*shape, 3) for clip in single)
    assert max(np.abs(a - b).max() for a, b in zip(single, batch, strict=True)) <= WITHIN
    others = [np.abs(single[0] - other).mean() for other in single[1:]]
    assert min(others) > 0.5  # neither prompts nor seeds share their noise
    said = capsys.readouterr().err.count("the nearest to the 9 frames of 64x32")
    assert said == (0 if shape == (9, 32, 64) else 2)  # once for each generator


def test_a_pipeline_from_images_starts_from_the_image(pipeline_folder, tmp_path):
    for name, color in (("red", (230, 20, 20)), ("blue", (20, 20, 230))):
        Image.new("RGB", (90, 90), color).save(tmp_path / f"{name}.png")
    generator = made(pipeline_folder("ltx-from-image"), SHORT)
    red, blue = (make_item("a ball", 0, CLIP, image=str(tmp_path / f"{n}.png")) for n in ("red", "blue"))
    text = make_item("a ball", 0, CLIP)
    outputs = answers(generator, [red, blue, text])
    assert outputs[2] == NotApplicable("LTXImageToVideoPipeline needs an image to start from")
    first, second = frames_of(outputs[:2])
    assert np.abs(first - second).mean() > 0.1
    of_text = made(pipeline_folder("ltx"), SHORT)
    assert of_text.why_not(red) == "LTXPipeline cannot start a clip from an image"
    assert of_text.why_not(make_item("a", 0, CLIP, video="x.mp4")).endswith("from a video")
    with pytest.raises(UsageError, match=r"the image .*gone\.png cannot be read"):
        generator.check([make_item("a ball", 0, CLIP, image=str(tmp_path / "gone.png"))])


def test_sizes_and_lengths_are_rounded_and_that_is_said(pipeline_folder, capsys):
    odd = ClipSettings(frames=8, height=30, width=41, fps=8)
    (clip,) = frames_of(made(pipeline_folder("wan"), SHORT).generate(items(odd)[:1]))
    assert clip.shape == (9, 32, 48, 3)
    assert (
        "WanPipeline makes 9 frames of 48x32, the nearest to the 8 frames of 41x30" in capsys.readouterr().err
    )


def test_a_unit_of_several_sizes_is_split(pipeline_folder):
    other = ClipSettings(frames=5, height=32, width=32, fps=8)
    mixed = [make_item("a ball", k, CLIP if k % 2 else other) for k in range(4)]
    clips = frames_of(made(pipeline_folder("ltx"), SHORT, batch=4).generate(mixed))
    assert [clip.shape[0] for clip in clips] == [5, 9, 5, 9]


def test_options_of_the_call_reach_it(pipeline_folder):
    folder = pipeline_folder("animatediff")
    plain, *others = (
        frames_of(made(folder, call).generate(items()[:1]))[0]
        for call in (
            {},
            {"guidance": "1.5"},
            {"negative": "a cat"},
            {"num_inference_steps": "3", "steps": "3"},
        )
        if "num_inference_steps" not in call
    )
    assert all(np.abs(plain - other).max() > 0 for other in others)
    with pytest.raises(UsageError, match="num_inference_steps is given twice"):
        made(folder, {"num_inference_steps": "3"}).identity()


def test_a_suite_runs_on_a_pipeline(pipeline_folder, tmp_path, make_suite):
    spec = f"diffusers:{pipeline_folder('animatediff')}?steps=2"
    suite = make_suite(clip={"frames": 6, "height": 32, "width": 40, "fps": 8})
    summary = run(suite, make_generator(spec, device="cpu"), tmp_path / "run", Settings(tmp_path / "cache"))
    assert summary.outcomes == {"ok": 8, "refused": 0, "failed": 0}


# -- identity


def test_what_changes_a_clip_is_in_the_identity_and_what_does_not_is_not(pipeline_folder, tmp_path):
    folder = pipeline_folder("ltx")
    plain = made(folder, SHORT).identity()
    assert plain["call"] == {"num_inference_steps": 2, "max_sequence_length": 16}
    copied = shutil.copytree(folder, tmp_path / "copy")
    assert made(copied, SHORT).identity() == plain
    assert made(copied, SHORT, batch=3, slicing=True).identity() == plain
    for options in ({"tiling": True}, {"scheduler": "UniPCMultistepScheduler"}, {"variant": "fp16"}):
        assert made(copied, SHORT, **options).identity() != plain
    assert made(copied, {**SHORT, "guidance": "2"}).identity() != plain
    assert made(pipeline_folder("ltx", 1), SHORT).identity()["files"] != plain["files"]
    scheduler = copied / "scheduler" / "scheduler_config.json"
    scheduler.write_text(scheduler.read_text().replace('"shift": 1.0', '"shift": 3.0'))
    assert made(copied, SHORT).identity()["files"] != plain["files"]


def test_noise_is_of_the_item():
    seeds = {item_seed(item) for item in items()}
    assert len(seeds) == 4
    assert item_seed(items()[0]) == item_seed(items()[0])
    assert max(seeds) < 2**63


# -- checkpoints of training, LoRA and schedulers


def test_a_checkpoint_of_training_takes_the_rest_from_its_base(pipeline_folder, tmp_path):
    base, other = pipeline_folder("ltx"), pipeline_folder("ltx", 1)
    checkpoint = tmp_path / "checkpoint-500"
    shutil.copytree(other / "transformer", checkpoint / "transformer")
    with pytest.raises(UsageError, match="add base=PIPELINE, the one that it was trained from"):
        made(checkpoint, SHORT).identity()
    generator = made(checkpoint, SHORT, base=str(base))
    assert generator.identity()["files"] != made(base, SHORT).identity()["files"]
    (clip,) = frames_of(generator.generate(items()[:1]))
    (plain,) = frames_of(made(base, SHORT).generate(items()[:1]))
    assert np.abs(clip - plain).mean() > 0.1
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"holds neither pytorch_lora_weights\.safetensors nor one of"):
        made(tmp_path / "empty", SHORT, base=str(base)).identity()


def test_lora_weights_and_their_scale_change_the_clip(pipeline_folder, tmp_path):
    from diffusers import LTXPipeline
    from peft import LoraConfig, get_peft_model_state_dict

    folder = pipeline_folder("ltx")
    pipeline: Any = LTXPipeline.from_pretrained(folder)
    torch.manual_seed(0)
    config = LoraConfig(r=2, init_lora_weights=False, target_modules=["to_q", "to_k", "to_v"])
    pipeline.transformer.add_adapter(config)
    layers = get_peft_model_state_dict(pipeline.transformer)
    LTXPipeline.save_lora_weights(tmp_path, transformer_lora_layers=layers)
    file = str(tmp_path / "pytorch_lora_weights.safetensors")
    plain, half, whole = (
        made(folder, SHORT, **options) for options in ({}, {"lora": file, "lora_scale": 0.5}, {"lora": file})
    )
    clips = [frames_of(one.generate(items()[:1]))[0] for one in (plain, half, whole)]
    assert np.abs(clips[0] - clips[2]).max() > 0
    assert np.abs(clips[1] - clips[2]).max() > 0
    assert len({str(one.identity()["lora"]) for one in (plain, half, whole)}) == 3
    checkpoint = made(tmp_path, SHORT, base=str(folder))
    assert np.array_equal(frames_of(checkpoint.generate(items()[:1]))[0], clips[2])
    with pytest.raises(MissingWeightsError, match="there is no file of LoRA weights"):
        made(folder, SHORT, lora=str(tmp_path / "gone.safetensors")).identity()
    (tmp_path / "weights.bin").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"weights\.bin is not a safetensors file; pickle=yes allows it"):
        made(folder, SHORT, lora=str(tmp_path / "weights.bin")).identity()


def test_another_scheduler_by_its_name(pipeline_folder):
    folder = pipeline_folder("animatediff")
    plain, other = (made(folder, {}, scheduler=name) for name in ("", "EulerDiscreteScheduler"))
    clips = [frames_of(one.generate(items()[:1]))[0] for one in (plain, other)]
    assert np.abs(clips[0] - clips[1]).max() > 0
    with pytest.raises(UsageError, match="did you mean 'EulerDiscreteScheduler'"):
        made(folder, {}, scheduler="EulerDiscretScheduler").generate(items()[:1])


def test_tiling_and_slicing_are_switched_on_where_there_are_any(pipeline_folder):
    generator = made(pipeline_folder("wan"), SHORT, tiling=True, slicing=True)
    frames_of(generator.generate(items()[:1]))
    assert generator.__dict__["_pipeline"].vae.use_tiling
    assert generator.__dict__["_pipeline"].vae.use_slicing
    with pytest.raises(UsageError, match="it: its autoencoder cannot decode with tiling"):
        loading.save_memory(SimpleNamespace(vae=None), PipelineOptions(tiling=True), "it")


# -- refusals and errors of the pipeline


class Stub:
    """A pipeline that answers as it is told."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[int] = []

    def __call__(self, **arguments: Any) -> Any:
        self.asked.append(len(arguments["prompt"]))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(frames=np.full((self.asked[-1], 9, 32, 64, 3), 0.5), **answer)


def stubbed(folder: Path, *answers: Any) -> tuple[DiffusersGenerator, Stub]:
    generator, stub = made(folder, {}), Stub(*answers)
    generator.__dict__["_pipeline"] = stub
    return generator, stub


def test_the_safety_checker_is_a_refusal_of_its_own_items(pipeline_folder):
    generator, _ = stubbed(pipeline_folder("latte"), {"nsfw_content_detected": [False, True, False, False]})
    outputs = generator.generate(items())
    assert [type(output) for output in outputs] == [Frames, Refusal, Frames, Frames]
    assert outputs[1] == Refusal("the pipeline's safety checker flagged the clip")
    error = ValueError("Cosmos Guardrail detected unsafe text in the prompt: a. Please ensure")
    generator, stub = stubbed(pipeline_folder("latte"), error, error, {}, {}, {})
    outputs = generator.generate(items())
    assert [type(output) for output in outputs] == [Refusal, Frames, Frames, Frames]
    assert stub.asked == [4, 1, 1, 1, 1]


def test_without_memory_a_batch_is_tried_one_by_one_and_then_the_item_fails(pipeline_folder, capsys):
    none = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
    generator, stub = stubbed(pipeline_folder("latte"), none, {}, none, {}, {})
    outputs = generator.generate(items())
    assert stub.asked == [4, 1, 1, 1, 1]
    assert [type(output) for output in outputs] == [Frames, Failure, Frames, Frames]
    failure = outputs[1]
    assert isinstance(failure, Failure)
    assert failure.reason.startswith("out of memory for 9 frames of 64x32; ask for a smaller clip")
    assert "a batch of 4 does not fit into memory" in capsys.readouterr().err


def test_an_error_of_one_item_is_a_failure_of_it_alone(pipeline_folder):
    bad = IndexError("index 999 is out of range")
    generator, stub = stubbed(pipeline_folder("latte"), bad, {}, {}, bad, {})
    outputs = generator.generate(items())
    assert [type(output) for output in outputs] == [Frames, Frames, Failure, Frames]
    assert stub.asked == [4, 1, 1, 1, 1]
    assert "the pipeline failed: IndexError: index 999" in outputs[2].reason  # type: ignore[union-attr]


def test_a_size_that_the_pipeline_refuses_is_rounded_further(pipeline_folder):
    wrong = ValueError("`height` and `width` have to be divisible by 32 but are 40 and 64.")
    generator, stub = stubbed(pipeline_folder("latte"), wrong, {})
    assert isinstance(generator.generate(items()[:1])[0], Frames)
    assert stub.asked == [1, 1]
    generator, _ = stubbed(pipeline_folder("latte"), wrong, wrong)
    assert isinstance(generator.generate(items()[:1])[0], Failure)


# -- what cannot be loaded


def test_a_pipeline_that_cannot_be_used_is_one_sentence(pipeline_folder, tmp_path):
    folder = pipeline_folder("latte")

    def sentence(error: type[Exception], argument: str) -> str:
        with pytest.raises(error) as caught:
            made(Path(argument), {}).identity()
        assert "\n" not in str(caught.value)
        return str(caught.value)

    copied = shutil.copytree(folder, tmp_path / "unknown")
    index = copied / "model_index.json"
    index.write_text(index.read_text().replace("LattePipeline", "LatePipeline"))
    said = sentence(UsageError, str(copied))
    assert "is a LatePipeline, which diffusers" in said
    assert "the nearest is LattePipeline" in said
    index.write_text(index.read_text().replace("LatePipeline", "StableDiffusionPipeline"))
    assert "makes no video" in sentence(UsageError, str(copied))
    index.write_text("[]")
    assert "names no class of a pipeline" in sentence(UsageError, str(copied))


def test_weights_that_cannot_be_read_end_the_run_with_one_sentence(pipeline_folder, tmp_path):
    copied = shutil.copytree(pipeline_folder("latte"), tmp_path / "latte")
    weights = copied / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(UsageError, match=r"latte.* cannot be loaded: ") as caught:
        made(copied, {}).generate(items()[:1])
    assert "\n" not in str(caught.value)


def test_without_the_library_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(
        MissingWeightsError, match=r"install the extra with pip install 'screentest\[diffusers\]'"
    ):
        make_generator("diffusers:org/model")
