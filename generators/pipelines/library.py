"""The library diffusers: loaded when it is needed, and asked what a pipeline class can do."""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import inspect
import re
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from ...harness.core.errors import MissingWeightsError, UsageError

__all__ = ["PipelineCall", "library", "library_version", "pipeline_call", "quiet"]

_LENGTHS: Final = ("num_frames", "video_length")
_RATES: Final = ("frame_rate", "fps")
_FROM_IMAGE = re.compile(r"ImageToVideo|Image2Video|I2V|StableVideoDiffusion|VideoToWorld")
"""Names of pipelines that make nothing without an image, also where the call has a default for it."""


@dataclass(frozen=True)
class PipelineCall:
    """What the call of a pipeline class takes.

    Attributes:
        name: of the class.
        defaults: parameter -> default, `inspect.Parameter.empty` for none.
        length, rate: names of the parameters for the number of frames and the frame rate; None without one.
    """

    name: str
    defaults: Mapping[str, Any]
    length: str
    rate: str | None

    @property
    def takes_prompt(self) -> bool:
        """Whether it reads a prompt."""
        return "prompt" in self.defaults

    @property
    def takes_image(self) -> bool:
        """Whether it can start from an image."""
        return "image" in self.defaults

    @property
    def needs_image(self) -> bool:
        """Whether it makes nothing without an image."""
        required = self.defaults.get("image") is inspect.Parameter.empty
        return self.takes_image and (required or _FROM_IMAGE.search(self.name) is not None)


def library() -> Any:
    """Import diffusers.

    Raises:
        MissingWeightsError: it is not installed, or cannot be imported.
    """
    try:
        return importlib.import_module("diffusers")
    except ImportError as error:
        raise MissingWeightsError(
            "the generator diffusers:... needs the library diffusers; install the extra with "
            f"pip install 'screentest[diffusers]' ({error})"
        ) from None


def library_version() -> str:
    """Give the version of diffusers."""
    library()
    return importlib.metadata.version("diffusers")


@cache
def pipeline_call(name: str, whose: str) -> PipelineCall:
    """Read off a pipeline class what its call takes.

    Raises:
        UsageError: there is no such class in this diffusers, it cannot be imported, or it makes no video.
    """
    given: Any = library()
    known = [one for one in dir(given) if one.endswith("Pipeline")]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=2, cutoff=0.8)
        hint = f" (the nearest is {near[0]})" if near else ""
        raise UsageError(
            f"{whose} is a {name}, which diffusers {library_version()} does not have{hint}; a newer "
            "version may, and a pipeline with code of its own is not run"
        )
    try:
        with quiet():  # importing a class, transformers tells what else could be installed
            parameters = inspect.signature(getattr(given, name).__call__).parameters
    except (ImportError, RuntimeError) as error:  # a library that this class needs beside diffusers
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"{whose} is a {name}, which cannot be imported: {reason}") from None
    defaults = {one.name: one.default for one in parameters.values() if one.kind is not one.VAR_KEYWORD}
    defaults.pop("self", None)
    length = next((one for one in _LENGTHS if one in defaults), None)
    if length is None or not {"prompt", "image"} & defaults.keys():
        raise UsageError(f"{whose} is a {name}, which makes no video from a text or an image")
    return PipelineCall(name, defaults, length, next((one for one in _RATES if one in defaults), None))


@contextmanager
def quiet() -> Generator[None]:
    """Keep what the libraries say off the terminal; what matters is raised."""
    from diffusers.utils import logging as ours
    from transformers.utils import logging as theirs

    before = [(one, one.get_verbosity(), one.is_progress_bar_enabled()) for one in (ours, theirs)]
    for one in (ours, theirs):
        one.set_verbosity_error()
        one.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, verbosity, bar in before:
            one.set_verbosity(verbosity)
            if bar:
                one.enable_progress_bar()
