"""The encoders with weights, held to the library's own way of computing the same thing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from screentest.harness.core.errors import UsageError
from screentest.metrics import EncoderOptions, make_encoder
from screentest.metrics.encoders.clip import ClipEncoder
from screentest.metrics.encoders.video import VideoEncoder

from ..helpers import encode, noise, score, tiny_clip, tiny_dinov2, tiny_videomae

CPU = EncoderOptions(device="cpu")


def test_clip_features_are_the_librarys_projected_embeddings(tiny: dict[str, Path]):
    from transformers import CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    frames = noise(3, 32)  # already of the model's size, so preprocessing is exact
    got = encode(make_encoder("clip", str(tiny["clip"]), CPU), frames)
    model = CLIPModel.from_pretrained(tiny["clip"]).eval()
    pixels = CLIPImageProcessorPil.from_pretrained(tiny["clip"])(list(frames), return_tensors="pt")
    with torch.inference_mode():
        expected = model.visual_projection(model.vision_model(**pixels).pooler_output)
    expected = expected / expected.norm(dim=-1, keepdim=True)
    assert got == pytest.approx(expected.numpy(), abs=1e-5)
    assert got.dtype == np.float32
    assert np.linalg.norm(got, axis=1) == pytest.approx(1.0)


def test_clip_text_is_the_librarys_and_normalised(tiny: dict[str, Path]):
    from transformers import AutoTokenizer, CLIPModel

    encoder = ClipEncoder(str(tiny["clip"]), CPU)
    model = CLIPModel.from_pretrained(tiny["clip"]).eval()
    inputs = AutoTokenizer.from_pretrained(tiny["clip"])("a red ball falls", return_tensors="pt")
    with torch.inference_mode():
        expected = model.text_projection(model.text_model(input_ids=inputs["input_ids"]).pooler_output)
    expected = expected / expected.norm()
    got = encoder.encode_text("a red ball falls")
    assert got.shape == (1, 24)
    assert got == pytest.approx(expected.numpy(), abs=1e-5)


def test_a_long_prompt_keeps_its_end_of_text_token(tiny: dict[str, Path]):
    encoder = ClipEncoder(str(tiny["clip"]), CPU)
    short, long = "a red ball", " ".join(["a red ball"] * 20)
    assert encoder.tokenize(short) == [0, 3, 4, 6, 1]
    ids = encoder.tokenize(long)
    assert len(ids) == 12
    assert ids[0] == 0
    assert ids[-1] == 1
    assert encoder.cut(long) == "the encoder clip reads 12 of the prompt's 62 tokens"
    assert encoder.cut(short) == ""
    assert encoder.encode_text(long).shape == (1, 24)
    # without that token the library would read the sentence off its first position
    assert not np.allclose(encoder.encode_text(long), encoder.encode_text("a blue box " * 20))


def test_alignment_from_pixels_and_text_to_a_value(tiny: dict[str, Path]):
    encoder = ClipEncoder(str(tiny["clip"]), CPU)
    features = {"clip": encode(encoder, noise(4, 32)), "clip.text": encoder.encode_text("a red ball")}
    cosines = features["clip"] @ features["clip.text"][0]
    assert score("alignment.clip", features).value == pytest.approx(100 * cosines.clip(0).mean(), abs=1e-3)


def test_siglip_pads_its_prompts_to_full_length(tmp_path: Path):
    from transformers import SiglipConfig, SiglipModel

    from ..helpers import WORDS, write_preprocessor, write_tokenizer

    torch.manual_seed(0)
    tower = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**tower, "vocab_size": len(WORDS) + 3, "max_position_embeddings": 8, "projection_size": 32}
    vision = {**tower, "image_size": 32, "patch_size": 16}
    SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(tmp_path)
    write_tokenizer(tmp_path)
    write_preprocessor(tmp_path, "SiglipImageProcessor", 32)
    encoder = ClipEncoder(str(tmp_path), CPU)
    assert encoder.tokenize("a red ball") == [0, 3, 4, 6, 1, 1, 1, 1]
    assert encoder.encode_text("a red ball").shape == encode(encoder, noise(1, 32)).shape == (1, 32)


def test_subject_features_are_the_class_token(tiny: dict[str, Path]):
    from transformers import Dinov2Model
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

    frames = noise(2, 32)
    got = encode(make_encoder("subject", str(tiny["subject"]), CPU), frames)
    pixels = BitImageProcessorPil.from_pretrained(tiny["subject"])(list(frames), return_tensors="pt")
    with torch.inference_mode():
        expected = Dinov2Model.from_pretrained(tiny["subject"]).eval()(**pixels).pooler_output
    expected = expected / expected.norm(dim=-1, keepdim=True)
    assert got == pytest.approx(expected.numpy(), abs=1e-5)


def test_a_frozen_clip_is_consistent_by_every_encoder(tiny: dict[str, Path]):
    frozen = np.repeat(noise(1, 40), 20, axis=0)
    for role, measure in (("subject", "consistency.subject"), ("clip", "consistency.background")):
        feature = encode(make_encoder(role, str(tiny[role]), CPU), frozen)
        assert score(measure, {role: feature}).value == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("fine_tuned", [False, True])
def test_video_features_are_the_mean_token_of_the_first_frames(tmp_path: Path, fine_tuned: bool):
    from transformers import VideoMAEForVideoClassification, VideoMAEModel

    folder = tiny_videomae(tmp_path, fine_tuned=fine_tuned)
    frames = noise(20, 32)
    got = encode(make_encoder("video", str(folder), CPU), frames)
    pixels = (torch.tensor(frames[:16]).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
    with torch.inference_mode():
        if fine_tuned:
            model = VideoMAEForVideoClassification.from_pretrained(folder).eval()
            expected = model.fc_norm(model.videomae(pixels[None]).last_hidden_state.mean(dim=1))
        else:
            model = VideoMAEModel.from_pretrained(folder).eval()
            expected = model(pixels[None]).last_hidden_state.mean(dim=1)
    assert got.shape == (1, 32)
    assert got == pytest.approx(expected.numpy(), abs=1e-5)


def test_a_clip_that_is_too_short_has_no_video_feature(tiny: dict[str, Path]):
    encoder = VideoEncoder(str(tiny["video"]), CPU)
    assert encode(encoder, noise(15, 32)).shape == (0, 32)
    assert "16 frames" in str(encoder.identity()["protocol"])


def test_half_precision_is_close_and_finite(tiny: dict[str, Path]):
    frames = noise(2, 32)
    full = encode(make_encoder("clip", str(tiny["clip"]), CPU), frames)
    half = encode(make_encoder("clip", str(tiny["clip"]), EncoderOptions("cpu", "bfloat16")), frames)
    assert half.dtype == np.float32
    assert (full * half).sum(axis=1) == pytest.approx(1.0, abs=1e-2)


def test_a_model_of_another_kind_is_refused(tiny: dict[str, Path]):
    with pytest.raises(UsageError, match="reads clip and siglip models"):
        make_encoder("clip", str(tiny["subject"]))
    with pytest.raises(UsageError, match="images and text"):
        make_encoder("subject", str(tiny["clip"]))
    with pytest.raises(UsageError, match="reads videomae models"):
        make_encoder("video", str(tiny["subject"]))


def test_a_missing_parameter_is_never_left_at_random(tmp_path: Path):
    from safetensors.torch import load_file, save_file

    folder = tiny_dinov2(tmp_path)
    tensors = load_file(folder / "model.safetensors")
    del tensors["layernorm.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match=r"lack parameters .*layernorm\.weight.* at random"):
        encode(make_encoder("subject", str(folder), CPU), noise(1, 32))


def test_a_wrong_device_or_dtype_is_a_sentence(tmp_path: Path):
    folder = str(tiny_clip(tmp_path))
    for options, message in (
        (EncoderOptions(device="tpu9000"), "unknown device"),
        (EncoderOptions("cpu", "int4"), "unknown dtype 'int4'"),
    ):
        with pytest.raises(UsageError, match=message):
            encode(make_encoder("clip", folder, options), noise(1, 32))
