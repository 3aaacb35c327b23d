"""Our batched torch against the library's own Pillow processors."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from screentest.harness.core.errors import UsageError
from screentest.metrics.encoders.naflex import NaflexPreprocessor
from screentest.metrics.encoders.preprocess import Preprocessor
from screentest.metrics.encoders.resample import resample
from screentest.metrics.encoders.weights import WeightsFolder

from ..helpers import Frames, noise, texture

PROCESSORS = {
    "clip": "CLIPImageProcessorPil",
    "bit": "BitImageProcessorPil",
    "videomae": "VideoMAEImageProcessorPil",
    "vit": "ViTImageProcessorPil",
    "siglip": "SiglipImageProcessorPil",
}


def library_processor(kind: str, **settings: Any) -> Any:
    module = import_module(f"transformers.models.{kind}.image_processing_pil_{kind}")
    return getattr(module, PROCESSORS[kind])(**settings)


def apart(kind: str, frames: Frames, **settings: Any) -> np.ndarray:
    """Differences from the library, in what a model takes."""
    processor = library_processor(kind, **settings)
    images: Any = [list(frames)] if kind == "videomae" else list(frames)
    expected = np.asarray(processor(images, return_tensors="np")["pixel_values"])
    expected = expected[0] if kind == "videomae" else expected
    ours = Preprocessor.from_settings(processor.to_dict())
    got = ours(frames, torch.device("cpu")).numpy()
    assert got.shape == expected.shape
    assert got.dtype == np.float32
    return np.abs(got - expected)


@pytest.mark.parametrize("kind", PROCESSORS)
@pytest.mark.parametrize("size", [(64, 64), (90, 161), (225, 225), (241, 321), (37, 53), (301, 299)], ids=str)
def test_it_equals_the_librarys_processor(kind: str, size: tuple[int, int]):
    assert apart(kind, texture(*size, blur=1.0)[None]).max() < 1e-3


@pytest.mark.parametrize("kind", PROCESSORS)
def test_it_equals_the_librarys_processor_on_noise(kind: str):
    assert apart(kind, noise(2, 96)).max() < 1e-3


@pytest.mark.parametrize("kind", ["clip", "bit", "videomae"])
def test_tall_frames_resized_by_their_shorter_edge(kind: str):
    assert apart(kind, texture(400, 300, blur=1.0)[None]).max() < 1e-3


def test_tall_frames_made_square_take_the_width_first_whatever_the_installed_pillow_does():
    from PIL import Image

    frame = texture(400, 300, blur=1.0)
    image = Image.fromarray(frame)
    for side in ((224, 400), (224, 224)):  # one side at a time leaves Pillow no choice of the order
        image = image.resize(side, Image.Resampling.BICUBIC)
    got = Preprocessor.from_settings(library_processor("siglip").to_dict())(frame[None], torch.device("cpu"))
    expected = (np.asarray(image, np.float32) / 255 - 0.5) / 0.5
    assert np.abs(got[0].permute(1, 2, 0).numpy() - expected).max() < 1e-3


@pytest.mark.parametrize("size", [(90, 161), (241, 321), (400, 300)], ids=str)
@pytest.mark.parametrize("filter", ["bilinear", "bicubic"])
def test_video_processors_are_rounded_as_torch_rounds(size: tuple[int, int], filter: str):
    frame = torch.tensor(texture(*size, blur=1.0)).permute(2, 0, 1)[None]
    expected = torch.nn.functional.interpolate(frame, size=(64, 85), mode=filter, antialias=True)
    assert torch.equal(resample(frame, (64, 85), filter, "torch"), expected)


# From `VJEPA2VideoProcessor` of transformers 5.23 with torchvision 0.28 on a CPU, with its default settings:
# four values and the mean of all.
@pytest.mark.parametrize(
    ("size", "golden"),
    [
        ((90, 161), [0.31381, 0.03011, 1.17595, -0.5938, 0.268154]),
        ((241, 321), [-1.19317, 0.03011, -0.37525, 0.21106, 0.139831]),
        ((400, 300), [0.84468, 1.18557, 0.00819, -0.02868, 0.292724]),
    ],
    ids=str,
)
def test_it_equals_the_librarys_processor_of_v_jepa_2(size: tuple[int, int], golden: list[float]):
    settings = {
        "video_processor_type": "VJEPA2VideoProcessor",
        "size": {"shortest_edge": 292},
        "resample": 2,
        "do_center_crop": True,
        "crop_size": {"height": 256, "width": 256},
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    }
    x_CHW = Preprocessor.from_settings(settings)(texture(*size, blur=1.0)[None], torch.device("cpu"))[0]
    found = [float(x_CHW[place]) for place in ((0, 0, 0), (1, 100, 37), (2, 255, 255), (0, 128, 200))]
    assert [*found, float(x_CHW.double().mean())] == pytest.approx(golden, abs=1e-4)


def test_patches_of_any_aspect_ratio_equal_the_librarys(tmp_path: Path):
    module = import_module("transformers.models.siglip2.image_processing_pil_siglip2")
    for size in ((64, 64), (90, 161), (37, 301), (301, 37), (240, 320)):
        processor = module.Siglip2ImageProcessorPil(patch_size=16, max_num_patches=64)
        settings = {**processor.to_dict(), "resample": 2, "image_processor_type": "Siglip2ImageProcessor"}
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
        ours = NaflexPreprocessor.of(WeightsFolder("here", tmp_path, ("preprocessor_config.json",)))
        frames = texture(*size, blur=1.0)[None]
        expected = processor(list(frames), return_tensors="np")
        got = ours(frames, torch.device("cpu"))
        assert got["spatial_shapes"].tolist() == expected["spatial_shapes"].tolist()
        assert got["pixel_attention_mask"].tolist() == expected["pixel_attention_mask"].tolist()
        found = np.abs(got["pixel_values"].numpy() - expected["pixel_values"])
        # Pillow takes the height first of the tall one (see `test_tall_frames_made_square`)
        assert found.max() < (1e-3 if size != (301, 37) else 0.05)


def test_frames_smaller_than_the_crop_are_put_on_black():
    crop = {"height": 33, "width": 20}
    assert apart("clip", noise(1, 24), do_resize=False, crop_size=crop).max() < 1e-3


def test_each_step_can_be_turned_off():
    off = {"do_resize": False, "do_center_crop": False, "do_normalize": False}
    assert apart("clip", noise(1, 24), **off).max() < 1e-3


def test_a_batch_equals_its_frames():
    preprocess = Preprocessor.from_settings(library_processor("clip").to_dict())
    frames = noise(5, 50)
    together = preprocess(frames, torch.device("cpu"))
    for k in range(5):
        assert torch.equal(together[k : k + 1], preprocess(frames[k : k + 1], torch.device("cpu")))


def test_old_files_give_one_number_for_a_size():
    clip = Preprocessor.from_settings(
        {"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224}
    )
    assert (clip.size, clip.crop) == (224, (224, 224))
    vit = Preprocessor.from_settings({"feature_extractor_type": "ViTFeatureExtractor", "size": 224})
    assert (vit.size, vit.crop) == ((224, 224), None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resample": 1}, "resample filter 1"),
        ({"size": {"longest_edge": 5}}, "size"),
        ({"do_pad": True}, "padding"),
    ],
)
def test_a_setting_that_is_not_supported_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Preprocessor.from_settings({**library_processor("clip").to_dict(), **changes})


def test_an_unknown_processor_must_say_everything():
    with pytest.raises(ValueError, match="image_mean"):
        Preprocessor.from_settings({"image_processor_type": "Own", "do_resize": False})


def test_settings_may_lie_in_the_processors_own_file(tmp_path: Path):
    settings = library_processor("clip").to_dict()
    settings["resample"] = int(settings["resample"])
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": settings}))
    folder = WeightsFolder("here", tmp_path, ("processor_config.json",))
    assert Preprocessor.of(folder).filter == "bicubic"
    with pytest.raises(UsageError, match=r"without a preprocessor_config\.json"):
        Preprocessor.of(WeightsFolder("here", tmp_path, ()))
