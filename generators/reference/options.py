"""The reference generator by its spec: ``reference:CHECKPOINT?option=value,option=value``.

    reference:base                                  25 guided steps of Euler
    reference:safe?steps=50,solver=heun,guidance=1  other settings of the sampler
    reference:base?expand=rules                     short prompts are written out first
    reference:base?cascade=on                       a second stage doubles height and width

``&`` may stand for the comma, as in the query of an address; a shell wants it quoted.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, ValidationError

from ...harness.core.config import explain
from ...harness.core.errors import UsageError
from .expand import RULES
from .generator import ReferenceGenerator
from .model.sampler import SamplerSettings

__all__ = ["ReferenceOptions", "make_reference"]


class ReferenceOptions(SamplerSettings):
    """What may follow the question mark of a spec; all of it is part of the generator's identity."""

    expand: Literal["none", "rules"] = Field(default="none", description="how short prompts are written out")
    cascade: bool = Field(default=False, description="whether a second stage doubles height and width")


def make_reference(argument: str, device: str, dtype: str) -> ReferenceGenerator:
    """Make a reference generator from what follows ``reference:``.

    Raises:
        UsageError: no such checkpoint or option, or a value that the option does not take.
    """
    checkpoint, asks, rest = argument.partition("?")
    spec = f"--generator reference:{argument}"
    given: dict[str, str] = {}
    for part in re.split("[,&]", rest) if asks else []:
        name, equals, value = part.partition("=")
        if not equals or not name or not value or name in given:
            raise UsageError(f"{spec}: {part!r} should be name=value, once, with commas between")
        given[name] = value
    try:
        options = ReferenceOptions.model_validate(given)
    except ValidationError as error:
        raise UsageError(f"{spec}: {explain(error, ReferenceOptions)}") from None
    generator = ReferenceGenerator(
        checkpoint or "base",
        settings=SamplerSettings.model_validate(options.model_dump(exclude={"expand", "cascade"})),
        device=device,
        dtype=dtype,
        expand=RULES if options.expand == "rules" else None,
        cascade=options.cascade,
    )
    generator.spec = f"reference:{checkpoint or 'base'}{asks}{rest}"
    return generator
