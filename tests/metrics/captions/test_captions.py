"""Captions of clips: each kind of captioner held to the library's own call, and the measure to arithmetic."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from screentest.harness.core.errors import MissingWeightsError, UsageError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.metrics import MEASURES, EncoderOptions, NotApplicable, Sample, make_encoder
from screentest.metrics.base import MeasureFailed
from screentest.metrics.captions.encoder import CaptionEncoder
from screentest.metrics.encoders import minilm
from screentest.metrics.encoders.base import Record
from screentest.metrics.encoders.probe import check_encoder

from ..helpers import (
    encode,
    noise,
    pan,
    tiny_blip,
    tiny_clip,
    tiny_git,
    tiny_llava,
    tiny_sentences,
    tiny_video_captioner,
)

CPU = EncoderOptions(device="cpu")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("captioners")
    return {
        "text": tiny_sentences(root / "text"),
        "blip": tiny_blip(root / "blip"),
        "git": tiny_git(root / "git"),
        "video": tiny_video_captioner(root / "video"),
        "chat": tiny_llava(root / "chat"),
    }


def captioner(folders: dict[str, Path], kind: str, more: str = "tokens=6") -> CaptionEncoder:
    return CaptionEncoder(f"{folders[kind]}?text={folders['text']},{more}", CPU)


def texts(record: Record) -> list[str]:
    captions: Any = record.meta["captions"]
    return [caption["text"] for caption in captions]


def test_each_frame_has_the_caption_that_the_library_gives_it(folders: dict[str, Path]):
    from PIL import Image
    from transformers import AutoTokenizer, BlipForConditionalGeneration
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    frames = noise(9, 256)  # neither shrunk nor enlarged before the processor sees them
    record = encode(captioner(folders, "blip", "tokens=6,frames=3"), frames, fps=8.0, cuts=(5,))
    model = BlipForConditionalGeneration.from_pretrained(folders["blip"]).eval()
    tokenizer = AutoTokenizer.from_pretrained(folders["blip"])
    for caption, place in zip(record.meta["captions"], (0, 4, 8), strict=True):
        images = [Image.fromarray(frames[place])]
        pixels = BlipImageProcessorPil.from_pretrained(folders["blip"])(images, return_tensors="pt")
        made = model.generate(**pixels, max_new_tokens=6, do_sample=False, num_beams=1)
        assert caption == {
            "seconds": place / 8,
            "text": tokenizer.decode(made[0], skip_special_tokens=True).strip(),
        }
    assert record.arrays["sentences"].shape == (3, 32)


@pytest.mark.parametrize(("kind", "count"), [("git", 3), ("video", 4)])
def test_a_captioner_of_video_is_shown_its_frames_at_once(folders: dict[str, Path], kind: str, count: int):
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

    encoder = captioner(folders, kind)
    assert encoder.captioner.frames == count
    frames = noise(count, 256)
    (caption,) = encode(encoder, frames).meta["captions"]
    model = AutoModelForImageTextToText.from_pretrained(folders[kind]).eval()
    images = [Image.fromarray(frame) for frame in frames]
    pixels = AutoImageProcessor.from_pretrained(folders[kind])(images, return_tensors="pt")["pixel_values"]
    pixels = pixels.reshape(1, count, 3, 32, 32)
    made = model.generate(pixel_values=pixels, max_new_tokens=6, do_sample=False, num_beams=1)
    expected = AutoTokenizer.from_pretrained(folders[kind]).decode(made[0], skip_special_tokens=True)
    assert caption == {"seconds": 0.0, "text": " ".join(expected.split())}


def test_a_model_with_a_chat_template_is_asked_to_describe_the_video(folders: dict[str, Path]):
    from PIL import Image
    from transformers import LlavaForConditionalGeneration, LlavaProcessor

    frames = noise(2, 256)
    (caption,) = encode(captioner(folders, "chat"), frames).meta["captions"]
    images = [Image.fromarray(frame) for frame in frames]
    asked = "user <image> <image> Describe this video in one sentence. assistant "
    given = LlavaProcessor.from_pretrained(folders["chat"])(text=asked, images=images, return_tensors="pt")
    model = LlavaForConditionalGeneration.from_pretrained(folders["chat"]).eval()
    made = model.generate(**given, max_new_tokens=6, do_sample=False)[0, given["input_ids"].shape[1] :]
    tokenizer = LlavaProcessor.from_pretrained(folders["chat"]).tokenizer
    assert caption["text"] == " ".join(tokenizer.decode(made, skip_special_tokens=True).split())
    assert caption["text"]
    assert captioner(folders, "chat").captioner.frames == 8


def test_sentences_are_the_mean_over_tokens_or_the_first_one(folders: dict[str, Path], tmp_path: Path):
    from transformers import AutoTokenizer, BertModel

    first = tiny_sentences(tmp_path / "first", "cls_token")
    tokens = AutoTokenizer.from_pretrained(first)("a red ball", return_tensors="pt")
    with torch.inference_mode():
        states = BertModel.from_pretrained(first, add_pooling_layer=False).eval()(**tokens).last_hidden_state
    for folder, row in ((folders["text"], states[0].mean(dim=0)), (first, states[0, 0])):
        encoder = CaptionEncoder(f"{folders['blip']}?text={folder}", CPU)
        got = encoder.encode_text("a red ball")
        assert got == pytest.approx((row / row.norm()).numpy()[None], abs=1e-5)
    assert captioner(folders, "blip").cut("a red ball") == ""
    assert (
        captioner(folders, "blip").cut("a ball " * 9)
        == "the encoder caption reads 12 of the prompt's 20 tokens"
    )
    last = tiny_sentences(tmp_path / "last", "lasttoken")
    with pytest.raises(UsageError, match="pools its tokens by pooling_mode_lasttoken"):
        CaptionEncoder(f"{folders['blip']}?text={last}", CPU)


def sample(rows: list[list[float]], said: list[str], prompt: str | None = "a red ball") -> Sample:
    captions: Any = [{"seconds": float(k), "text": text} for k, text in enumerate(said)]
    record = Record({"sentences": np.array(rows, np.float32)}, {"captions": captions})
    item = make_item(prompt, 0, ClipSettings(), source=None if prompt else "clip.mp4")
    text = {"caption.text": np.array([[1.0, 0.0]], np.float32)} if prompt else {}
    return Sample(item, "ok", None, text, records={"caption": record})


def test_the_measure_is_the_mean_cosine_and_keeps_the_captions():
    measure = MEASURES.get("alignment.caption").function
    assert measure is not None
    made: Any = measure(sample([[0.6, 0.8], [-1.0, 0.0], [0.8, 0.6]], ["a ball", "a box", "a red ball"]))
    assert made.value == pytest.approx(100 * (0.6 + 0.0 + 0.8) / 3, abs=1e-4)
    assert [caption["text"] for caption in made.evidence["captions"]] == ["a ball", "a box", "a red ball"]
    assert made.evidence["lowest"] == 0.0
    partly: Any = measure(sample([[0.6, 0.8], [1.0, 0.0]], ["a ball", ""]))
    assert partly.value == pytest.approx(60, abs=1e-4)  # silence is no agreement, and no disagreement
    assert partly.evidence["empty"] == 1
    with pytest.raises(MeasureFailed, match="said nothing"):
        measure(sample([[1.0, 0.0]], [""]))
    with pytest.raises(NotApplicable, match="no prompt"):
        measure(sample([[1.0, 0.0]], ["a ball"], None))


def test_a_captioner_is_tried_on_two_pictures_and_two_texts(folders: dict[str, Path], tmp_path: Path):
    from safetensors.torch import load_file, save_file

    for kind in ("blip", "git", "chat"):
        check_encoder(captioner(folders, kind), texts=True)
    for kind, said in (("blip", "two unlike clips the same"), ("text", "two unlike prompts the same")):
        spoiled = {**folders, kind: Path(shutil.copytree(folders[kind], tmp_path / kind))}
        file = spoiled[kind] / "model.safetensors"
        save_file({k: v * 0 for k, v in load_file(file).items()}, file, metadata={"format": "pt"})
        if kind == "text":  # a constant sentence
            weights = load_file(file)
            weights["encoder.layer.1.output.LayerNorm.bias"] += torch.arange(32.0)
            save_file(weights, file, metadata={"format": "pt"})
        with pytest.raises(UsageError, match=said):
            check_encoder(captioner(spoiled, kind if kind == "blip" else "chat"), texts=True)


def test_what_is_no_captioner_is_refused_in_a_sentence(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: Any
):
    clip = tiny_clip(tmp_path / "clip")
    with pytest.raises(UsageError, match=r"'clip' and has none"):
        CaptionEncoder(f"{clip}?text={folders['text']}", CPU)
    with pytest.raises(UsageError, match="reads exactly 4 frames, not 5"):
        captioner(folders, "video", "frames=5")
    with pytest.raises(UsageError, match="reads at most 3 frames, not 5"):
        captioner(folders, "git", "frames=5")
    with pytest.raises(UsageError, match="frame"):
        captioner(folders, "git", "framse=2")
    with pytest.raises(MissingWeightsError, match="'caption' has no 'reference'"):
        make_encoder("caption")
    with pytest.raises(NotApplicable, match="fewer frames than the 4"):
        encode(captioner(folders, "video"), pan(3))
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        MissingWeightsError, match=r"all-MiniLM-L6-v2 is not on this machine.*screentest\[encoders\]"
    ):
        CaptionEncoder(str(folders["blip"]), CPU)


def test_what_changes_a_caption_is_in_the_digest(folders: dict[str, Path]):
    digests = {
        captioner(folders, "blip", more).digest for more in ("tokens=6", "tokens=7", "tokens=6,frames=2")
    }
    assert len(digests) == 3
    assert captioner(folders, "blip").digest in digests
