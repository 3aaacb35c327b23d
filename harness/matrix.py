"""Several generators for one suite: from the command line, from a file, and the checkpoints of a training.

A file of generators is YAML::

    generators:
      - reference:early
      - {name: base, generator: reference:base?steps=13, step: 20000}

A ``*`` in the path of a spec stands for every checkpoint there is, as in ``diffusers:out/checkpoint-*``; the
number that a checkpoint's name ends in is its training step.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from .core.config import Config, load_yaml
from .core.errors import UsageError
from .core.keys import slug
from .core.specs import split_argument, split_kind
from .core.storage import is_address

__all__ = ["NamedGenerator", "is_pattern", "named_generators"]

_SWEPT = ("diffusers", "reference", "folder")
"""Kinds whose argument is a path."""
_STEP = re.compile(r"(\d{1,15})\D*$")


class _Listed(Config):
    """One generator of a file; its spec alone may stand for it."""

    generator: str = Field(min_length=1, description="spec of the generator")
    name: str = Field(default="", max_length=60, description="of its run; by default made from the spec")
    step: int | None = Field(default=None, ge=0, description="training step, for the record")

    @model_validator(mode="before")
    @classmethod
    def _spec_alone(cls, given: Any) -> Any:
        return {"generator": given} if isinstance(given, str) else given


class _GeneratorFile(Config):
    generators: tuple[_Listed, ...] = Field(min_length=1, description="specs, or mappings with 'generator'")

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [slug(one.name) for one in self.generators if one.name]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two generators have the name {twice!r}; give each its own")
        return self


@dataclass(frozen=True)
class NamedGenerator:
    """A generator of a matrix.

    Attributes:
        name: of its run, from the whole spec if it was given none.
        short: name of the folder of a checkpoint that a star stands for; else the name.
        step: training step of its checkpoint; None if it is not known.
    """

    spec: str
    name: str
    step: int | None = None
    short: str = ""


def named_generators(specs: Sequence[str], file: Path | None = None) -> list[NamedGenerator]:
    """List the generators of a run, each with a name of its own.

    Raises:
        UsageError: there is none, one is listed twice, the file is wrong, or a pattern fits nothing.
    """
    listed = [_Listed(generator=spec) for spec in specs if spec]
    if len(listed) < len(specs):
        raise UsageError("--generator is empty; see 'screentest list generators'")
    if file is not None:
        listed += load_yaml(_GeneratorFile, str(file), {}, kind="generators").generators
    found = [one for each in listed for one in _expanded(each)]  # in the order of the command
    if not found:
        raise UsageError("give --generator KIND:ARGUMENT, or a file of generators with --generators")
    seen: set[str] = set()
    taken: set[str] = set()
    shorts: set[str] = set()
    named: list[NamedGenerator] = []
    for one in found:
        if one.generator in seen:
            raise UsageError(f"the generator {one.generator} is given twice; give it once")
        seen.add(one.generator)
        name = _free(slug(one.name or one.generator), taken)
        taken.add(name)
        short = _free(slug(one.short), shorts) if one.short else name
        shorts.add(short)
        named.append(NamedGenerator(one.generator, name, one.step, short))
    return named


def is_pattern(spec: str) -> bool:
    """Say whether a spec stands for several checkpoints."""
    kind, argument = split_kind(spec)
    return kind in _SWEPT and "*" in split_argument(argument)[0]


@dataclass(frozen=True)
class _One:
    """One generator, after stars are written out."""

    generator: str
    name: str
    step: int | None
    short: str = ""


def _expanded(listed: _Listed) -> list[_One]:
    spec = listed.generator
    if not is_pattern(spec):
        return [_One(spec, listed.name, listed.step)]
    kind, argument = split_kind(spec)
    path, options = split_argument(argument)
    if is_address(path):
        raise UsageError(f"--generator {spec}: a star stands for folders here, and not in a store; name each")
    whole = str(Path(path).expanduser())
    found = sorted(glob.glob(whole), key=_order)  # noqa: PTH207 (a star may stand in any folder of the path)
    if not found:
        raise UsageError(f"--generator {spec}: no file or folder fits {path}")
    return [
        _One(
            f"{kind}:{one}{options}",
            f"{listed.name}-{Path(one).name}" if listed.name else "",
            _step(one),
            "" if listed.name else Path(one).name,
        )
        for one in found
    ]


def _step(path: str) -> int | None:
    found = _STEP.search(Path(path).name)
    return int(found[1]) if found else None


def _order(path: str) -> tuple[int, str]:
    """Order checkpoints by their step, others before them by name."""
    step = _step(path)
    return (-1 if step is None else step, path)


def _free(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    return next(f"{name}-{k}" for k in range(2, len(taken) + 3) if f"{name}-{k}" not in taken)
