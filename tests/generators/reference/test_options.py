from __future__ import annotations

from pathlib import Path

import pytest
from screentest.generators import make_generator
from screentest.generators.reference import ReferenceGenerator, SamplerSettings
from screentest.harness.core.errors import UsageError
from screentest.harness.core.specs import parse_wrapped


def made(spec: str) -> ReferenceGenerator:
    generator = make_generator(spec, device="cpu", dtype="bfloat16")
    assert isinstance(generator, ReferenceGenerator)
    return generator


@pytest.mark.parametrize("spec", ["reference", "reference:", "reference:base"])
def test_a_name_alone_is_the_defaults(spec: str) -> None:
    generator = made(spec)
    assert (generator.folder.name, generator.settings, generator.expand) == ("base", SamplerSettings(), None)
    assert (generator.device, generator.dtype, generator.spec) == ("cpu", "bfloat16", "reference:base")


@pytest.mark.parametrize("between", [",", "&"])
def test_options_reach_the_sampler(between: str) -> None:
    spec = "reference:safe?" + between.join(
        ["steps=50", "solver=heun", "guidance=1", "shift=2.5", "expand=rules"]
    )
    generator = made(spec)
    assert generator.folder.name == "safe"
    assert generator.settings == SamplerSettings(steps=50, solver="heun", guidance=1, shift=2.5)
    assert generator.expand is not None
    assert generator.spec == spec


def test_options_are_part_of_the_identity_and_defaults_are_the_defaults(tiny_checkpoint: Path) -> None:
    plain = made(f"reference:{tiny_checkpoint}").identity()
    assert (
        made(
            f"reference:{tiny_checkpoint}?steps=25,guidance={SamplerSettings().guidance},expand=none"
        ).identity()
        == plain
    )
    for option in ("steps=24", "solver=heun", "solver=renoise", "guidance=1", "shift=1", "expand=rules"):
        assert made(f"reference:{tiny_checkpoint}?{option}").identity() != plain


@pytest.mark.parametrize(
    ("option", "doubling"), [("off", None), ("on", "refine"), ("interpolate", "interpolate")]
)
def test_a_cascade_by_its_name(option: str, doubling: str | None) -> None:
    assert made(f"reference:base?cascade={option}").cascade == doubling


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("step=5", "unknown key 'step'; did you mean 'steps'"),
        ("steps=0", "steps: it should be at least 1 and is 0"),
        ("steps=many", "steps: .*a whole number and is many"),
        ("solver=hun", "solver: .*'euler', 'heun' or 'renoise'"),
        ("guidance=nan", "guidance: "),
        ("expand=gpt", "expand: .*'none' or 'rules'"),
        ("cascade=true", "cascade: .*'off', 'on' or 'interpolate'"),
        ("steps", "'steps' should be name=value"),
        ("steps=5,steps=6", "'steps=6' should be name=value, once"),
        ("", "'' should be name=value"),
    ],
)
def test_a_wrong_option_is_one_sentence(options: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as error:
        made(f"reference:base?{options}")
    assert "\n" not in str(error.value)
    assert f"--generator reference:base?{options}: " in str(error.value)


def test_options_stand_within_a_guard() -> None:
    spec = "prompt=none,frame=nudity:reference:base?steps=5,solver=heun"
    guard = parse_wrapped(
        spec, ["folder", "reference", "guarded"], "guarded", what="generator", example="give one"
    )
    assert guard.options == {"prompt": "none", "frame": "nudity"}
    assert made(guard.argument).settings.steps == 5
