"""The reference generator by its spec: ``reference:CHECKPOINT?option=value,option=value``.

    reference:base                                  25 guided steps of Euler
    reference:late?solver=renoise,guidance=1.5      fresh noise at each step
    reference:safe?steps=50,solver=heun,guidance=1  other settings of the sampler
    reference:base?expand=rules                     short prompts are expanded first
    reference:base?cascade=on                       a second stage doubles height and width
    reference:base?cascade=interpolate              the same clips, doubled by interpolation alone

`harness.core.specs` has the grammar.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...harness.core.specs import parse_argument
from .expand import RULES
from .generator import ReferenceGenerator
from .model.sampler import SamplerSettings

__all__ = ["ReferenceOptions", "make_reference"]


class ReferenceOptions(SamplerSettings):
    """The options of a spec; all of them are part of the generator's identity."""

    expand: Literal["none", "rules"] = Field(default="none", description="how short prompts are expanded")
    cascade: Literal["off", "on", "interpolate"] = Field(
        default="off", description="what doubles height and width: nothing, a second stage, or interpolation"
    )


def make_reference(argument: str, device: str, dtype: str) -> ReferenceGenerator:
    """Make a reference generator from what follows ``reference:``.

    Raises:
        UsageError: no such checkpoint or option, or a value that the option does not take.
    """
    spec = parse_argument(argument, f"--generator reference:{argument}")
    options, checkpoint = spec.settings(ReferenceOptions), spec.argument or "base"
    generator = ReferenceGenerator(
        checkpoint,
        settings=SamplerSettings.model_validate(options.model_dump(exclude={"expand", "cascade"})),
        device=device,
        dtype=dtype,
        expand=RULES if options.expand == "rules" else None,
        cascade=None if options.cascade == "off" else "refine" if options.cascade == "on" else "interpolate",
    )
    generator.spec = f"reference:{argument if spec.argument else checkpoint + argument}"
    return generator
