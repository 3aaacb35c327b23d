"""Every form in which pipelines give frames is the same clip."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from screentest.generators.pipelines.frames import clips_of, unsafe_of

CLIPS = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 8, 3), dtype=np.uint8)
FLOATS = (CLIPS / 255.0).astype(np.float32)
PICTURES = [[Image.fromarray(frame) for frame in clip] for clip in CLIPS]
FORMS: dict[str, Any] = {
    "uint8": CLIPS,
    "float": FLOATS,
    "list of arrays": list(FLOATS),
    "pictures": PICTURES,
    "tensor TCHW": torch.from_numpy(FLOATS).permute(0, 1, 4, 2, 3),
    "tensor CTHW": torch.from_numpy(FLOATS).permute(0, 4, 1, 2, 3),
    "list of tensors": list(torch.from_numpy(FLOATS).permute(0, 1, 4, 2, 3)),
    "list of lists of arrays": [list(clip) for clip in FLOATS],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["frames", "videos", "images"])
def test_a_batch_in_any_form(form, name):
    found = clips_of(SimpleNamespace(**{name: FORMS[form]}), 2)
    assert np.array_equal(np.stack(found), CLIPS)


@pytest.mark.parametrize("one", [FLOATS[0], PICTURES[0], torch.from_numpy(FLOATS[0]), list(FLOATS[0])])
def test_one_clip_without_the_dimension_of_the_batch(one):
    (found,) = clips_of((one,), 1)
    assert np.array_equal(found, CLIPS[0])


@pytest.mark.parametrize(
    ("frames", "sentence"),
    [
        (FLOATS[0], "frames of 4 dimensions for 2 clips"),
        (FLOATS[:1], "gave 1 clip for 2 prompts"),
        (np.full((2, 4, 6, 8, 3), np.nan), "not numbers, as weights in float16"),
        (np.zeros((2, 4, 6, 8, 5)), "none of which is 3 colours"),
        (2 * FLOATS - 1, r"values from -[\d.]+ to 1 of type float"),
        (np.full((2, 4, 6, 8, 3), 128, np.uint16), "values from 128 to 128 of type uint16"),
        ([], "gave no frames"),
    ],
)
def test_what_is_no_clip_says_what_it_is(frames, sentence):
    with pytest.raises(ValueError, match=sentence):
        clips_of(SimpleNamespace(frames=frames), 2)
    with pytest.raises(ValueError, match="without frames"):
        clips_of(SimpleNamespace(), 2)


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (None, [False, False]),
        ([False, True], [False, True]),
        ([[False, False], [False, True]], [False, True]),
        (True, [True, True]),
        ([False, False, True], [True, True]),
    ],
)
def test_flags_of_the_safety_checker(flags, found):
    assert unsafe_of(SimpleNamespace(nsfw_content_detected=flags), 2) == found


def test_an_output_without_a_checker_has_no_flags():
    assert unsafe_of(SimpleNamespace(), 3) == [False] * 3
