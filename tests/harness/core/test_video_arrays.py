"""Videos as programs hold them: every accepted form gives the same frames, and nothing is guessed."""

from __future__ import annotations

import doctest
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from screentest.harness.core import video_arrays
from screentest.harness.core.errors import UsageError
from screentest.harness.core.video_arrays import read_video, read_videos

T, H, W = 5, 12, 10
RNG = np.random.default_rng(4)
BATCH = RNG.integers(0, 256, (2, T, H, W, 3), dtype=np.uint8)
"""Two videos, (B, T, H, W, C)."""
ONE = BATCH[0]


def images(frames: Any) -> list[Image.Image]:
    return [Image.fromarray(frame) for frame in frames]


def test_the_examples_of_the_module_hold():
    found = doctest.testmod(video_arrays)
    assert found.attempted > 1
    assert found.failed == 0


FORMS_OF_ONE = {
    "THWC": ONE,
    "TCHW": ONE.transpose(0, 3, 1, 2),
    "CTHW": ONE.transpose(3, 0, 1, 2),
    "torch": torch.from_numpy(ONE).permute(0, 3, 1, 2),
    "float32": ONE.astype(np.float32) / 255,
    "float64": ONE / 255,
    "half": torch.from_numpy(ONE).half() / 255,
    "gradient": (torch.from_numpy(ONE).float() / 255).requires_grad_(),
    "images": images(ONE),
    "arrays of frames": list(ONE),
    "tensors of frames": list(torch.from_numpy(ONE).permute(0, 3, 1, 2)),
    "list of one": [ONE],
    "output of a pipeline": SimpleNamespace(frames=[images(ONE)]),
    "output with an array": SimpleNamespace(frames=ONE[None] / 255),
}


@pytest.mark.parametrize("given", FORMS_OF_ONE.values(), ids=FORMS_OF_ONE)
def test_every_form_of_one_video_gives_its_frames(given):
    (read,) = read_videos(given)
    assert isinstance(read, np.ndarray)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, ONE)
    np.testing.assert_array_equal(read_video(given), ONE)


FORMS_OF_TWO = {
    "BTHWC": BATCH,
    "BTCHW": BATCH.transpose(0, 1, 4, 2, 3),
    "BCTHW": torch.from_numpy(BATCH).permute(0, 4, 1, 2, 3),
    "list of arrays": list(BATCH),
    "list of images": [images(clip) for clip in BATCH],
    "mixed": [images(BATCH[0]), torch.from_numpy(BATCH[1]).permute(0, 3, 1, 2).float() / 255],
    "output of a pipeline": SimpleNamespace(frames=torch.from_numpy(BATCH).permute(0, 1, 4, 2, 3) / 255),
}


@pytest.mark.parametrize("given", FORMS_OF_TWO.values(), ids=FORMS_OF_TWO)
def test_every_form_of_several_videos_gives_their_frames(given):
    read = read_videos(given)
    assert len(read) == 2
    for clip, expected in zip(read, BATCH, strict=True):
        np.testing.assert_array_equal(clip, expected)


def test_named_ranges_are_read():
    signed = ONE.astype(np.float32) / 127.5 - 1
    np.testing.assert_array_equal(read_video(signed, value_range=(-1, 1)), ONE)
    np.testing.assert_array_equal(read_video(ONE.astype(np.float32), value_range=(0, 255)), ONE)
    brain = torch.tensor([0.0, 0.5, 1.0], dtype=torch.bfloat16).expand(T, H, W, 3)
    np.testing.assert_array_equal(np.unique(np.asarray(read_video(brain))), [0, 128, 255])


def test_what_rounding_takes_back_is_no_value_outside_of_the_range():
    nearly = np.full((T, H, W, 3), 1.0015)
    assert np.asarray(read_video(nearly)).max() == 255
    with pytest.raises(UsageError, match=r"values from 1\.01 to 1\.01"):
        read_video(np.full((T, H, W, 3), 1.01))


def test_a_shape_with_several_layouts_is_refused_and_read_when_one_is_named():
    several = RNG.integers(0, 256, (16, 3, 64, 3), dtype=np.uint8)
    with pytest.raises(UsageError, match=r"can be TCHW or THWC; name which, as layout='TCHW'"):
        read_videos(several)
    assert np.asarray(read_videos(several, layout="TCHW")[0]).shape == (16, 64, 3, 3)
    assert np.asarray(read_videos(several, layout="THWC")[0]).shape == (16, 3, 64, 3)
    three = np.zeros((3, 3, 16, 16), np.uint8)
    with pytest.raises(UsageError, match="TCHW or CTHW"):
        read_videos(three)
    with pytest.raises(UsageError, match=r"in the batch can be BTCHW or BCTHW"):
        read_videos(np.zeros((2, 3, 3, 16, 16), np.uint8))
    assert np.asarray(read_videos(np.zeros((2, 3, 3, 16, 16), np.uint8), layout="BCTHW")[0]).shape == (
        3,
        16,
        16,
        3,
    )


def test_images_are_read_by_their_own_mode():
    grey = [image.convert("L") for image in images(ONE)]
    read = np.asarray(read_video(grey))
    assert (read == read[..., :1]).all()
    clear = Image.new("RGBA", (W, H), (255, 0, 0, 0))
    assert (np.asarray(read_video([clear, clear])) == 255).all()


def test_a_path_is_a_file(tmp_path):
    file = tmp_path / "a.mp4"
    file.write_bytes(b"x")
    assert read_videos(file) == read_videos(str(file)) == read_videos([file]) == [file]
    with pytest.raises(UsageError, match="there is no file"):
        read_videos(tmp_path / "b.mp4")
    with pytest.raises(UsageError, match="is a folder; list its files, or run a suite on 'folder:"):
        read_videos(tmp_path)


def uint(*shape: int) -> Any:
    return np.zeros(shape, np.uint8)


WRONG = {
    "empty list": ([], "no video in an empty list"),
    "empty batch": (uint(0, 4, 3, 8, 8), "no video in an array of shape"),
    "no frame": (uint(0, 3, 8, 8), "no frame or no pixel"),
    "empty video in a list": ([images(ONE), []], "video 1 has no frame"),
    "grey": (uint(16, 1, 64, 64), "3 colour channels in no layout"),
    "transparent": (uint(16, 4, 64, 64), "3 colour channels in no layout"),
    "grey without channel": (uint(16, 64, 64), "a grey video needs its channel three times"),
    "grey frames": (list(uint(16, 64, 64)), "a grey video needs its channel three times"),
    "one row": (uint(16), "a video has 4 axes"),
    "six axes": (uint(1, 2, 4, 3, 8, 8), "a video has 4 axes"),
    "list of batches": ([uint(2, 4, 3, 8, 8)], "video 0 has shape"),
    "NaN": (np.full((4, 3, 8, 8), np.nan), "NaN or infinite"),
    "infinite": (np.full((4, 3, 8, 8), np.inf), "NaN or infinite"),
    "0 to 255 as floats": (ONE.astype(np.float32), re.escape("name value_range=(0, 255)")),
    "-1 to 1": (ONE / 127.5 - 1, re.escape("name value_range=(-1, 1)")),
    "beyond 1": (ONE / 200, "clamp them"),
    "integers": (ONE.astype(np.int64), "values of type int64"),
    "booleans": (ONE > 9, "values of type bool"),
    "images of two sizes": ([Image.new("RGB", (8, 8)), Image.new("RGB", (9, 8))], "differ in shape"),
    "image and text": ([Image.new("RGB", (8, 8)), "a"], "mixes images with a str"),
    "a number": (3, "is a int; give an array"),
    "a mapping": ({"a": 1}, "is a dict; give an array"),
    "nothing": (None, "is a NoneType"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "told"), WRONG.values(), ids=WRONG)
def test_what_is_no_video_or_could_mean_two_things_is_refused(given, told):
    with pytest.raises(UsageError, match=told) as caught:
        read_videos(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"layout": "TCWH"}, "unknown layout 'TCWH'; did you mean 'TCHW'"),
        ({"layout": "CTHW"}, "has not 3 colour channels in the layout CTHW"),
        ({"layout": "BTHWC"}, "name layout='THWC' for one video"),
        ({"value_range": (1, -1)}, "should be \\(black, white\\)"),
        ({"value_range": "0-1"}, "should be \\(black, white\\)"),
        ({"value_range": (-1, 1)}, "is uint8, which is from 0 to 255"),
    ],
)
def test_wrong_names_are_refused(options, told):
    with pytest.raises(UsageError, match=told):
        read_videos(ONE, **options)
