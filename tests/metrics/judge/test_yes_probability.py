"""P(yes) of a model on this machine, held to the library's own logits, and refused where it means nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.metrics import EncoderOptions, NotApplicable
from screentest.metrics.base import MeasureFailed
from screentest.metrics.encoders.probe import check_encoder
from screentest.metrics.encoders.xclip import XClipEncoder
from screentest.metrics.judge.yes_probability import YesNoEncoder

from ..helpers import encode, noise, pan, score, tiny_clip, tiny_llava, tiny_xclip, write_tokenizer

CPU = EncoderOptions(device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llava(tmp_path_factory.mktemp("vqa"))


def item(prompt: str | None = "a red ball falls"):
    return make_item(prompt, 0, ClipSettings(), source=None if prompt else "clip.mp4")


def test_the_probabilities_are_those_of_the_librarys_logits(folder: Path):
    from PIL import Image
    from transformers import LlavaForConditionalGeneration, LlavaProcessor

    frames = noise(2, 256)
    got = encode(YesNoEncoder(str(folder), CPU).for_item(item()), frames, cuts=(1,))
    asked = 'user <image> <image> Does this video show "a red ball falls"? Answer yes or no. assistant '
    processor = LlavaProcessor.from_pretrained(folder)
    given = processor(text=asked, images=[Image.fromarray(frame) for frame in frames], return_tensors="pt")
    with torch.inference_mode():
        logits = LlavaForConditionalGeneration.from_pretrained(folder).eval()(**given).logits[0, -1]
    p = torch.softmax(logits.double(), dim=-1)
    ids = {word: processor.tokenizer.convert_tokens_to_ids(word) for word in ("yes", "Yes", "no", "No")}
    yes, no = (float(p[ids[word]] + p[ids[word.title()]]) for word in ("yes", "no"))
    assert got == pytest.approx(np.log([[yes, no]]), abs=1e-5)
    made = score("alignment.vqa", {"vqa": np.log([[0.6, 0.2]])})
    assert made.value == pytest.approx(0.75)
    assert made.evidence == pytest.approx({"yes": 0.6, "no": 0.2})


def test_eight_frames_of_any_clip_are_shown(folder: Path):
    encoder = YesNoEncoder(str(folder), CPU)
    one = encode(encoder.for_item(item()), pan(1))
    assert one.shape == (1, 2)
    long = pan(80, step=1)
    whole = encode(encoder.for_item(item()), long)
    assert whole == pytest.approx(encode(encoder.for_item(item()), long, cuts=(3, 40)))
    fewer = YesNoEncoder(f"{folder}?frames=2", CPU)
    assert encode(fewer.for_item(item()), long) != pytest.approx(whole)
    digests = {encoder.digest, fewer.digest, encoder.for_item(item()).digest}
    digests |= {encoder.for_item(item("a box")).digest}
    assert len(digests) == 4


def test_a_model_that_answers_something_else_gives_no_number():
    with pytest.raises(MeasureFailed, match=r"judge_failed: yes and no have a probability of 0\.03 together"):
        score("alignment.vqa", {"vqa": np.log([[0.02, 0.01]])})


def test_without_a_prompt_nothing_is_asked(folder: Path):
    with pytest.raises(NotApplicable, match="no prompt"):
        encode(YesNoEncoder(str(folder), CPU).for_item(item(None)), pan(4))


def test_what_cannot_be_asked_is_refused_in_a_sentence(folder: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="has no chat template"):
        YesNoEncoder(str(tiny_clip(tmp_path / "clip")), CPU)
    with pytest.raises(UsageError, match="frames"):
        YesNoEncoder(f"{folder}?frames=0", CPU)
    mute = Path(shutil.copytree(folder, tmp_path / "mute"))
    words: list[str] = ["<start>", "<end>", "<unknown>", "<image>"]
    write_tokenizer(mute, words)
    with pytest.raises(UsageError, match="has no token for yes, or none for no"):
        check_encoder(YesNoEncoder(str(mute), CPU), texts=False)
    broken = Path(shutil.copytree(folder, tmp_path / "broken"))
    (broken / "preprocessor_config.json").write_text("{")
    with pytest.raises(UsageError, match=r"processor of the weights .* cannot be loaded"):
        check_encoder(YesNoEncoder(str(broken), CPU), texts=False)


@pytest.mark.parametrize("kind", ["vqa", "xclip"])
def test_encoders_of_a_prompt_are_tried_on_two_pictures_and_two_texts(
    folder: Path, tmp_path: Path, kind: str
):
    from safetensors.torch import load_file, save_file

    source = folder if kind == "vqa" else tiny_xclip(tmp_path / "xclip")
    make: Any = YesNoEncoder if kind == "vqa" else XClipEncoder
    check_encoder(make(str(source), CPU), texts=False)
    for part, said in ((("vision",), "clips"), (("text", "language"), "prompts")):
        blind = Path(shutil.copytree(source, tmp_path / f"blind to {said}"))
        weights = load_file(blind / "model.safetensors")
        for name in weights:
            embeds = "embed" in name and any(word in name for word in part)
            if embeds:
                weights[name] = weights[name] * 0
        save_file(weights, blind / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(UsageError, match=f"two unlike {said} the same|no finite numbers"):
            check_encoder(make(str(blind), CPU), texts=False)
