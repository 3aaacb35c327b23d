"""Suites, policies and options as Python programs give them; what is wrong in them is one sentence."""

from __future__ import annotations

import difflib
import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast

from pydantic import Field, JsonValue, ValidationError

from ...metrics.encoders.base import EncoderOptions
from ..core.config import Config, checked, explain
from ..core.errors import UsageError
from ..core.keys import Json
from ..core.progress import note
from ..execution.workers import Workers
from ..policies import policy as policies
from ..run import Settings
from ..suites import suite as suites
from ..suites.loading import filled, load_suite
from ..suites.parts import SuitePart

__all__ = [
    "Policy",
    "RunOptions",
    "ScoreOptions",
    "Suite",
    "check_options",
    "chosen_suite",
    "plugins_loaded",
    "read_policy",
    "settings_of",
]


class _OneSentence:
    """A model whose invalid fields are one sentence, as they are in its YAML file."""

    if not TYPE_CHECKING:  # or type checkers would not know the fields of the models

        def __init__(self, **fields):
            try:
                super().__init__(**fields)
            except ValidationError as error:
                raise UsageError(f"{type(self).__name__}: {explain(error, type(self))}") from None


class Suite(_OneSentence, suites.Suite):
    """A versioned list of prompts, and the measures to compute on their clips.

    Its fields are the keys of a suite file.

    Raises:
        UsageError: a field is unknown or wrong.

    Example:
        >>> suite = Suite(name="mine", version=1, prompts=("a red ball falls",), measures=("motion.flicker",))
        >>> suite.prompts[0].text, suite.clip.frames
        ('a red ball falls', 16)
    """

    @staticmethod
    def load(name: str | Path) -> suites.Suite:
        """Load a packaged suite by name, or a YAML file by path.

        Raises:
            UsageError: there is none, or a key or value in it is wrong.
        """
        return load_suite(str(name))


class Policy(_OneSentence, policies.Policy):
    """The rules of a release, which must all hold.

    Its fields are the keys of a policy file.

    Raises:
        UsageError: a field is unknown or wrong.

    Example:
        >>> policy = Policy(name="mine", version=1, rules=[{"measure": "failure.rate", "max": 0.1}])
        >>> policy.rules[0].label
        'failure.rate'
    """

    @staticmethod
    def load(name: str | Path) -> policies.Policy:
        """Load a packaged policy by name, or a YAML file by path.

        Raises:
            UsageError: there is none, or a key or value in it is wrong.
        """
        return policies.load_policy(str(name))


class ScoreOptions(TypedDict, total=False):
    """Options of scoring.

    Attributes:
        encoders: role -> source, such as ``{"clip": "openai/clip-vit-base-patch32"}``, over the suite's.
        reference_set: what set measures compare with: a folder of real videos, or the fields of a suite's
            ``reference_set``, such as ``{"world": "reference"}``.
        device, dtype: of all models: ``auto``, ``cpu`` or ``cuda``; ``float32``, ``float16``, ``bfloat16``.
        threads: CPU threads of PyTorch.
        cache: feature cache: a folder, or the address of a prefix of an object store.
        name: of the run, in tables and pages.
        notes: further fields of the run's record.
    """

    encoders: Mapping[str, str]
    reference_set: str | Path | Mapping[str, Any] | suites.ReferenceSet
    device: str
    dtype: str
    threads: int
    cache: str | Path
    name: str
    notes: Mapping[str, Json]


class RunOptions(ScoreOptions, total=False):
    """Options of a run: those of scoring, and more.

    Attributes:
        measures: names of measures, instead of the suite's.
        limit, seeds, tag: the part of the suite: the first prompts, clips a prompt, prompts with a tag.
        retry_failed: generate again the items that failed.
        stop_after: stop after so many items in a row that fail alike; 0 never does.
        clips: where a new run stores its clips if not in its own folder: a folder, or an address such as
            ``s3://bucket/prefix``.
        reuse: folder of an earlier run of the same generator, whose clips are taken.
        workers, ray_address, gpus_per_worker: how many processes generate and score, on which Ray cluster,
            and how many GPUs each asks for; see `harness.execution.workers.Workers`.
    """

    measures: Sequence[str] | str
    limit: int
    seeds: int
    tag: str
    retry_failed: bool
    stop_after: int
    clips: str | Path
    reuse: str | Path
    workers: int
    ray_address: str
    gpus_per_worker: float


class _Options(Config):
    """The types and ranges of `RunOptions`."""

    measures: str | tuple[str, ...] = ()
    encoders: dict[str, str] = Field(default_factory=dict[str, str])
    reference_set: Any = None
    limit: int = Field(default=1, ge=1)
    seeds: int = Field(default=1, ge=1, le=10_000)
    tag: str = ""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    threads: int = Field(default=1, ge=1)
    cache: str | Path = ""
    name: str = ""
    retry_failed: bool = False
    stop_after: int = Field(default=10, ge=0)
    clips: str | Path = ""
    reuse: str | Path = ""
    notes: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    workers: int = Field(default=1, ge=1)
    ray_address: str = ""
    gpus_per_worker: float = Field(default=0.0, ge=0)


def check_options(options: Mapping[str, Any], model: type[ScoreOptions] = RunOptions) -> RunOptions:
    """Refuse an unknown option, with the nearest one, and a wrong value.

    Raises:
        UsageError: there is one.
    """
    names = tuple(model.__annotations__)
    for name in options:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise UsageError(f"unknown option {name!r}{hint} Known: {', '.join(names)}")
    _ = checked(_Options, options, "options")
    return cast("RunOptions", dict(options))


def chosen_suite(suite: str | Path | suites.Suite, options: RunOptions) -> suites.Suite:
    """Load a suite, and put the measures, encoders, reference set and part of the options into it.

    Raises:
        UsageError: there is no such suite, or an option is wrong.
    """
    plugins_loaded()
    given = cast("object", suite)
    if not isinstance(given, str | Path | suites.Suite):
        raise UsageError(f"the suite is a {type(suite).__name__}; give a name, a YAML file or a Suite")
    found = load_suite(str(given)) if isinstance(given, str | Path) else filled(given)
    changes: dict[str, Any] = {}
    if "measures" in options:
        names = options["measures"]
        changes["measures"] = (names,) if isinstance(names, str) else tuple(names)
        if not changes["measures"]:
            raise UsageError("there is no measure in an empty list; name one, or leave measures out")
    if "encoders" in options:
        changes["encoders"] = {**found.encoders, **options["encoders"]}
    if "reference_set" in options:
        changes["reference_set"] = _reference_set(options["reference_set"])
        others = {n: one for n, one in found.reference_sets.items() if n != suites.DEFAULT_SET}
        changes["reference_sets"] = others
    part = SuitePart(options.get("limit"), options.get("seeds"), options.get("tag"))
    return part.of(found.model_copy(update=changes))


def _reference_set(given: Any) -> suites.ReferenceSet:
    if isinstance(given, suites.ReferenceSet):
        return given
    if isinstance(given, str | Path):
        if not Path(given).is_dir():
            raise UsageError(f"reference_set {given}: there is no such folder of videos")
        return suites.ReferenceSet(folder=str(given))
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise UsageError(f"reference_set is a {kind}; give a folder, or a mapping such as {{'world': ...}}")
    return checked(suites.ReferenceSet, cast("Mapping[str, Any]", given), "reference_set")


def read_policy(policy: str | Path | policies.Policy) -> policies.Policy:
    """Load a policy by name or path, or take it as it is.

    Raises:
        UsageError: there is no such policy.
    """
    if isinstance(policy, policies.Policy):
        return policy
    given = cast("object", policy)
    if not isinstance(given, str | Path):
        raise UsageError(f"the policy is a {type(given).__name__}; give a name, a YAML file or a Policy")
    return policies.load_policy(str(given))


def settings_of(options: RunOptions, cache: Path | None = None) -> Settings:
    """Collect the settings of a run that are not part of its suite.

    Args:
        cache: the folder where none is given; by default that of ``SCREENTEST_CACHE``, or ``cache``.
    """
    there = options.get("cache") or os.environ.get("SCREENTEST_CACHE") or cache or "cache"
    reuse, clips = options.get("reuse"), options.get("clips")
    return Settings(
        cache=there,
        clips=None if clips is None else str(clips),
        options=EncoderOptions(options.get("device", "auto"), options.get("dtype", "float32")),
        retry_failed=options.get("retry_failed", False),
        threads=options.get("threads"),
        stop_after=options.get("stop_after", 10),
        reuse=None if reuse is None else Path(reuse),
        workers=Workers(
            options.get("workers", 1), options.get("ray_address"), options.get("gpus_per_worker", 0.0)
        ),
        notes={**options.get("notes", {}), **({"name": options["name"]} if "name" in options else {})},
    )


@functools.cache
def plugins_loaded() -> None:
    """Load the installed plug-ins once, with a warning for each that fails."""
    from ..plugins import load_entry_points

    for problem in load_entry_points():
        note(f"warning: {problem}")
