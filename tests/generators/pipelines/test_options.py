"""Options of a pipeline's call are held to its signature."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from screentest.generators.pipelines.library import PipelineCall, pipeline_call
from screentest.generators.pipelines.options import call_options, split_options
from screentest.harness.core.errors import UsageError
from screentest.harness.core.specs import parse_argument

EMPTY: Any = inspect.Parameter.empty
CALL = PipelineCall(
    "ToyPipeline",
    {
        "prompt": None,
        "num_frames": 16,
        "num_inference_steps": 50,
        "guidance_scale": 5.0,
        "negative_prompt": None,
        "use_dynamic_cfg": False,
        "mode": "fast",
        "sigmas": None,
        "needed": EMPTY,
        "prompt_embeds": None,
    },
    "num_frames",
    None,
)


def test_values_have_the_type_of_their_default():
    given = {
        "steps": "30", "guidance": "4", "negative": "blurry, dark", "use_dynamic_cfg": "yes", "mode": "12",
        "sigmas": "[1.0, 0.5]", "needed": "words",
    }  # fmt: skip
    assert call_options(given, CALL, "it") == {
        "num_inference_steps": 30,
        "guidance_scale": 4,
        "negative_prompt": "blurry, dark",
        "use_dynamic_cfg": True,
        "mode": "12",
        "sigmas": [1.0, 0.5],
        "needed": "words",
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"stesp": "3"}, "it: ToyPipeline takes no 'stesp'; did you mean 'steps'"),
        ({"guidance_scal": "3"}, "did you mean 'guidance_scale'"),
        ({"tilling": "yes"}, "did you mean 'tiling'"),
        ({"zzz": "3"}, "it: ToyPipeline takes no 'zzz'$"),
        ({"steps": "many"}, "it: steps should be a number and is 'many'"),
        ({"steps": "yes"}, "it: steps should be a number and is 'yes'"),
        ({"use_dynamic_cfg": "3"}, "it: use_dynamic_cfg should be yes or no and is '3'"),
        ({"num_frames": "3"}, "num_frames is set by the suite and its items"),
        ({"prompt_embeds": "3"}, "prompt_embeds is set by the suite"),
        ({"steps": "3", "num_inference_steps": "4"}, "num_inference_steps is given twice"),
    ],
)
def test_what_the_call_does_not_take_is_one_sentence(given, sentence):
    with pytest.raises(UsageError, match=sentence):
        call_options(given, CALL, "it")


def test_options_are_split_into_ours_and_the_calls():
    spec = parse_argument("org/model?steps=3,batch=2,tiling=yes,negative=[dark, cold]", path=True)
    ours, call = split_options(spec)
    assert (ours.batch, ours.tiling) == (2, True)
    assert call == {"steps": "3", "negative": "dark, cold"}
    with pytest.raises(UsageError, match="batch: it should be at least 1"):
        split_options(parse_argument("org/model?batch=0"))


def test_the_pipelines_of_the_library_are_told_apart():
    text, image = pipeline_call("WanPipeline", "it"), pipeline_call("WanImageToVideoPipeline", "it")
    assert (text.takes_prompt, text.takes_image, text.needs_image) == (True, False, False)
    assert (image.takes_prompt, image.takes_image, image.needs_image) == (True, True, True)
    stable = pipeline_call("StableVideoDiffusionPipeline", "it")
    assert (stable.takes_prompt, stable.needs_image, stable.length, stable.rate) == (
        False,
        True,
        "num_frames",
        "fps",
    )
    assert pipeline_call("LattePipeline", "it").length == "video_length"
    assert pipeline_call("LTXPipeline", "it").rate == "frame_rate"
    assert not pipeline_call("LTXConditionPipeline", "it").needs_image
