"""Our batched torch against the library's own Pillow processors."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from screentest.harness.core.errors import UsageError
from screentest.metrics.encoders.preprocess import Preprocessor
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


def levels_apart(kind: str, frames: Frames, **settings: Any) -> np.ndarray:
    """Differences from the library, in 8-bit levels."""
    processor = library_processor(kind, **settings)
    images: Any = [list(frames)] if kind == "videomae" else list(frames)
    expected = np.asarray(processor(images, return_tensors="np")["pixel_values"])
    expected = expected[0] if kind == "videomae" else expected
    ours = Preprocessor.from_settings(processor.to_dict())
    got = ours(frames, torch.device("cpu")).numpy()
    assert got.shape == expected.shape
    assert got.dtype == np.float32
    return np.abs(got - expected) * np.array(ours.std)[:, None, None] / ours.scale


@pytest.mark.parametrize("kind", PROCESSORS)
@pytest.mark.parametrize("size", [(64, 64), (90, 160), (241, 320), (400, 300)], ids=str)
def test_it_follows_the_librarys_processor(kind: str, size: tuple[int, int]):
    # Pillow computes with whole numbers and rounds ties its own way: one or two levels at a few pixels
    apart = levels_apart(kind, texture(*size, blur=1.0)[None])
    assert apart.max() < 2.01
    assert apart.mean() < 0.3


@pytest.mark.parametrize("kind", PROCESSORS)
def test_it_follows_the_librarys_processor_on_noise(kind: str):
    apart = levels_apart(kind, noise(2, 96))
    assert apart.max() < 2.01
    assert apart.mean() < 0.15


def test_frames_smaller_than_the_crop_are_put_on_black():
    crop = {"height": 33, "width": 20}
    assert levels_apart("clip", noise(1, 24), do_resize=False, crop_size=crop).max() < 0.01


def test_each_step_can_be_turned_off():
    off = {"do_resize": False, "do_center_crop": False, "do_normalize": False}
    assert levels_apart("clip", noise(1, 24), **off).max() < 0.01


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
