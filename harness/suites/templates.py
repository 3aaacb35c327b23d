"""Prompts with variables: one entry of a suite file that stands for many prompts.

::

    templates:
      - text: a {color} {shape} {way.say}
        with:
          color: [red, blue]
          shape: [ball, square]
          way: [{say: moves left, is: left}, {say: falls, is: fall}]
        expect: {objects: [{shape: "{shape}", color: "{color}"}], motion: "{way.is}"}

A variable is a list of words, or of mappings whose parts are meant by ``{name.part}``. All combinations are
made, or with ``rows: true`` the first values of all variables, then the second ones, and so on. A text that
is a variable alone takes its value as it is, so that a count stays a number.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Self, TypeAlias, cast

from pydantic import Field, model_validator

from ..core.config import Config
from ..core.errors import unknown_name

__all__ = ["Template", "expanded"]

_HOLE: Final = re.compile(r"\{([a-z][a-z0-9_]*)(?:\.([a-z][a-z0-9_]*))?\}")
_MOST: Final = 100_000
"""Prompts of one template."""
Value: TypeAlias = str | int | dict[str, str | int]


class Template(Config):
    """Prompts that differ in words; keys other than ``with`` and ``rows`` are those of a prompt."""

    text: str = Field(min_length=1, description="what is asked for, with {variables}")
    values: dict[str, list[Value]] = Field(
        alias="with", min_length=1, description="variable -> its words, or mappings of parts"
    )
    rows: bool = Field(default=False, description="take the values in rows instead of all combinations")
    tags: tuple[str, ...] = Field(default=(), description="as of a prompt, with {variables}")
    labels: dict[str, Any] = Field(
        default_factory=dict[str, Any], description="as of a prompt, with {variables}"
    )
    expect: dict[str, Any] | None = Field(default=None, description="as of a prompt, with {variables}")
    seeds: int | None = Field(default=None, ge=1, le=10_000, description="as of a prompt")
    image: str | None = Field(default=None, description="as of a prompt, with {variables}")
    video: str | None = Field(default=None, description="as of a prompt, with {variables}")
    use: str | None = Field(default=None, description="as of a prompt, with {variables}")
    video_to: str | None = Field(default=None, description="as of a prompt, with {variables}")
    strength: float | None = Field(default=None, description="as of a prompt")
    clip: dict[str, Any] | None = Field(default=None, description="as of a prompt")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        empty = next((name for name, values in self.values.items() if not values), None)
        if empty is not None:
            raise ValueError(f"the variable {empty!r} has no values")
        lengths = {len(values) for values in self.values.values()}
        if self.rows and len(lengths) > 1:
            raise ValueError(f"with 'rows: true' all variables have as many values, not {sorted(lengths)}")
        if not self.rows and math.prod(len(values) for values in self.values.values()) > _MOST:
            raise ValueError(f"it stands for over {_MOST:,} prompts; cut it up")
        return self

    def prompts(self) -> Iterator[dict[str, Any]]:
        """Make the prompts, as mappings.

        Raises:
            ValueError: a variable is not given, or has no such part.
        """
        names = list(self.values)
        rows = (
            zip(*self.values.values(), strict=True) if self.rows else itertools.product(*self.values.values())
        )
        for row in rows:
            given = dict(zip(names, row, strict=True))
            made = {
                "text": self.text,
                "tags": list(self.tags),
                "labels": self.labels,
                "expect": self.expect,
                "seeds": self.seeds,
                "image": self.image,
                "video": self.video,
                "use": self.use,
                "video_to": self.video_to,
                "strength": self.strength,
                "clip": self.clip,
            }
            yield {key: _filled(value, given) for key, value in made.items() if value not in (None, [], {})}


def expanded(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put the prompts of a suite's templates behind its own prompts.

    Raises:
        ValueError: a template is wrong; pydantic says where.
    """
    raw = given.get("templates")
    if not raw:
        return given
    entries = cast("Sequence[Any]", raw) if isinstance(raw, list | tuple) else (raw,)
    prompts = [p for entry in entries for p in Template.model_validate(entry).prompts()]
    return {**given, "prompts": [*(given.get("prompts") or ()), *prompts], "templates": ()}


def _filled(value: Any, given: Mapping[str, Value]) -> Any:
    if isinstance(value, str):
        whole = _HOLE.fullmatch(value)
        if whole is not None:
            return _word(whole, given)
        return _HOLE.sub(lambda hole: str(_word(hole, given)), value)
    if isinstance(value, Mapping):
        return {key: _filled(one, given) for key, one in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_filled(one, given) for one in cast("Sequence[Any]", value)]
    return value


def _word(hole: re.Match[str], given: Mapping[str, Value]) -> str | int:
    name, part = hole.groups()
    if name not in given:
        raise ValueError(str(unknown_name("variable", name, given)))
    value = given[name]
    if isinstance(value, dict):
        if part is None:
            raise ValueError(f"the variable {name!r} has parts; name one, {{{name}.{next(iter(value))}}}")
        if part not in value:
            raise ValueError(str(unknown_name(f"part of {name!r}", part, value)))
        return value[part]
    if part is not None:
        raise ValueError(f"the variable {name!r} has words without parts, and {part!r} is asked of them")
    return value
