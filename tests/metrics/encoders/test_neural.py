"""The encoders with weights, held to the library's own way of computing the same thing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.metrics import EncoderOptions, NotApplicable, make_encoder
from screentest.metrics.encoders.clip import ClipEncoder
from screentest.metrics.encoders.video import VideoEncoder

from ..helpers import (
    encode,
    noise,
    score,
    tiny_clip,
    tiny_dinov2,
    tiny_siglip,
    tiny_videomae,
    tiny_vjepa2,
    tiny_xclip,
)

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
    encoder = ClipEncoder(str(tiny_siglip(tmp_path)), CPU)
    assert encoder.tokenize("a red ball") == [0, 3, 4, 6, 1, 1, 1, 1]
    assert encoder.encode_text("a red ball").shape == encode(encoder, noise(1, 32)).shape == (1, 32)


@pytest.mark.parametrize(("role", "option"), [("clip", ""), ("image", "?fps=0")])
def test_siglip_2_reads_frames_of_any_aspect_ratio(tmp_path: Path, role: str, option: str):
    from transformers import Siglip2Model
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

    folder = tiny_siglip(tmp_path, naflex=True)
    frames = noise(2, 40)[:, :25]
    got = encode(make_encoder(role, f"{folder}{option}", CPU), frames)
    pixels = Siglip2ImageProcessorPil.from_pretrained(folder)(list(frames), return_tensors="pt")
    with torch.inference_mode():
        expected = Siglip2Model.from_pretrained(folder).eval().get_image_features(**pixels).pooler_output
    expected = expected / expected.norm(dim=-1, keepdim=True)
    assert got == pytest.approx(expected.numpy(), abs=1e-4)
    assert ClipEncoder(str(folder), CPU).encode_text("a red ball").shape == (1, 32)


def test_a_long_prompt_can_be_read_in_parts(tiny: dict[str, Path]):
    cut, mean = (ClipEncoder(f"{tiny['clip']}{option}", CPU) for option in ("", "?long=mean"))
    short, long = "a red ball falls", " ".join(["a red ball"] * 6 + ["a blue box"] * 2)
    assert (mean.encode_text(short) == cut.encode_text(short)).all()
    assert mean.cut(short) == ""
    parts = [cut.encode_text(" ".join(long.split()[k : k + 8])) for k in (0, 8, 16)]
    expected = np.mean(parts, axis=0)
    assert mean.encode_text(long) == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)
    assert mean.cut(long) == (
        "the encoder clip reads the prompt in 3 parts of at most 12 tokens and takes the mean of their "
        "embeddings"
    )
    # what comes after the cut counts
    assert not np.allclose(mean.encode_text(long), mean.encode_text(long.replace("blue box", "red ball")))
    assert mean.digest != cut.digest == ClipEncoder(f"{tiny['clip']}?long=cut", CPU).digest
    with pytest.raises(UsageError, match="long"):
        ClipEncoder(f"{tiny['clip']}?long=never", CPU)


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


@pytest.mark.parametrize("cuts", [(), (3, 4, 9)])
def test_v_jepa_2_features_are_the_mean_token_of_strided_frames(tmp_path: Path, cuts: tuple[int, ...]):
    from transformers import VJEPA2Model

    folder = tiny_vjepa2(tmp_path)
    frames = noise(9, 18)
    encoder = make_encoder("video", f"{folder}?frames=4,stride=2", CPU)
    got = encode(encoder, frames, cuts=cuts)
    crop = frames[0:7:2, 1:17, 1:17]
    pixels = (torch.tensor(crop).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
    with torch.inference_mode():
        model = VJEPA2Model.from_pretrained(folder).eval()
        expected = model(pixels[None], skip_predictor=True).last_hidden_state.mean(dim=1)
    assert got == pytest.approx(expected.numpy(), abs=1e-5)
    assert encoder.fewest_frames == 7
    assert encode(encoder, frames[:6]).shape == (0, 24)
    digests = {make_encoder("video", f"{folder}{o}", CPU).digest for o in ("", "?frames=4", "?stride=2")}
    assert len(digests) == 3


def test_a_number_of_frames_that_a_video_model_does_not_read_is_refused(
    tmp_path: Path, tiny: dict[str, Path]
):
    with pytest.raises(UsageError, match="reads 16 frames and no other"):
        VideoEncoder(f"{tiny['video']}?frames=8", CPU)
    with pytest.raises(UsageError, match="groups of 2"):
        VideoEncoder(f"{tiny_vjepa2(tmp_path)}?frames=5", CPU)


def test_x_clip_is_the_librarys_cosine_of_each_window(tmp_path: Path):
    from transformers import AutoTokenizer, XCLIPModel

    folder = tiny_xclip(tmp_path)
    encoder = make_encoder("xclip", f"{folder}?stride=2", CPU)
    frames = noise(18, 32)
    got = encode(encoder.for_item(make_item("a red ball", 0, ClipSettings())), frames, cuts=(5,))
    assert got.shape == (2, 1)
    model = XCLIPModel.from_pretrained(folder).eval()
    ids = AutoTokenizer.from_pretrained(folder)("a red ball", return_tensors="pt")["input_ids"]
    for k, window in enumerate((frames[0:8:2], frames[8:16:2])):
        pixels = (torch.tensor(window).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
        with torch.inference_mode():
            logits = model(input_ids=ids, pixel_values=pixels[None]).logits_per_video
            cosine = float(logits / model.logit_scale.exp())
        assert got[k, 0] == pytest.approx(cosine, abs=1e-5)
    value = score("alignment.xclip", {"xclip": got}).value
    assert value == pytest.approx(100 * got.clip(0).mean(), abs=1e-4)


def test_x_clip_does_not_speak_without_a_prompt_or_of_a_short_clip(tmp_path: Path):
    encoder = make_encoder("xclip", str(tiny_xclip(tmp_path)), CPU)
    one, other = (make_item(p, 0, ClipSettings()) for p in ("a red ball", "a blue box"))
    assert encoder.for_item(one).digest != encoder.for_item(other).digest
    with pytest.raises(NotApplicable, match="fewer frames than the 4"):
        encode(encoder.for_item(one), noise(3, 32))
    with pytest.raises(NotApplicable, match="no prompt"):
        encode(encoder.for_item(make_item(None, 0, ClipSettings(), source="clip.mp4")), noise(8, 32))


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
    with pytest.raises(UsageError, match="reads clip, siglip and siglip2 models"):
        make_encoder("clip", str(tiny["subject"]))
    with pytest.raises(UsageError, match="images and text"):
        make_encoder("subject", str(tiny["clip"]))
    with pytest.raises(UsageError, match="reads videomae and vjepa2 models"):
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
