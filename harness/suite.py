"""Suites: versioned lists of prompts with tags, seeds, clip settings and the measures to take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from .config import Config, load_yaml, packaged

__all__ = ["ClipSettings", "Prompt", "ReferenceSet", "Suite", "load_suite", "packaged_suites"]

Tag = Annotated[str, Field(min_length=1, max_length=80)]


class ClipSettings(Config):
    """The size of the clips a suite asks for."""

    frames: int = Field(default=16, ge=1, le=100_000, description="frames a clip")
    height: int = Field(default=64, ge=8, le=8192, description="pixels")
    width: int = Field(default=64, ge=8, le=8192, description="pixels")
    fps: float = Field(default=8.0, gt=0, le=1000, description="frames a second")


class Prompt(Config):
    """One prompt: its text, what it starts from, its tags, and what a faithful clip would show."""

    text: str = Field(min_length=1, description="what the generator is asked for")
    tags: tuple[Tag, ...] = ()
    expect: dict[str, Any] | None = Field(default=None, description="what the clip should show, for probes")
    image: str | None = Field(default=None, description="path of an image to start from")
    video: str | None = Field(default=None, description="path of a video to start from")
    seeds: int | None = Field(default=None, ge=1, description="seeds of this prompt, instead of the suite's")


class ReferenceSet(Config):
    """Real clips that generated ones are compared with: of the reference world, or a folder of videos."""

    world: str | None = None
    folder: str | None = None
    clips: int = Field(default=512, ge=2, description="clips of the world; a folder is taken whole")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.world is None) == (self.folder is None):
            raise ValueError("give a reference_set either 'world' or 'folder'")
        return self


class Suite(Config):
    """A versioned list of prompts and the measures to take on the clips they give."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=60)
    version: int = Field(ge=1)
    description: str = ""
    seeds: int = Field(default=1, ge=1, le=10_000, description="clips a prompt")
    clip: ClipSettings = ClipSettings()
    prompts: tuple[Prompt, ...] = ()
    prompts_from_generator: bool = Field(
        default=False, description="take the items from the generator (a folder of videos) instead"
    )
    measures: tuple[str, ...] = Field(min_length=1)
    encoders: dict[str, str] = Field(
        default_factory=dict, description="role -> reference, a hub id, or a path"
    )
    reference_set: ReferenceSet | None = None

    @model_validator(mode="after")
    def _has_prompts(self) -> Self:
        if bool(self.prompts) == self.prompts_from_generator:
            raise ValueError("give either 'prompts' or 'prompts_from_generator: true'")
        texts = [(p.text, p.image, p.video) for p in self.prompts]
        if len(set(texts)) != len(texts):
            twice = next(t for t in texts if texts.count(t) > 1)
            raise ValueError(f"the prompt {twice[0]!r} is listed twice; give it more seeds instead")
        return self


def packaged_suites() -> dict[str, Path]:
    """Find the suites that ship with the package: name -> file."""
    return packaged("suites")


def load_suite(name: str) -> Suite:
    """Load a suite by the name of a packaged one, or by the path of a YAML file.

    Raises:
        UsageError: no such suite (with the nearest names), or a key or value in it is wrong.
    """
    return load_yaml(Suite, name, packaged_suites(), kind="suite")
