"""Generators: they turn the items of a plan into clips."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from ..harness.core.errors import ScreentestError, UsageError, describe
from ..harness.core.registry import Registry
from ..harness.core.specs import parse_argument, split_kind
from .base import ANY_START, Failure, Frames, Generator, NotApplicable, Output, Refusal, VideoFile
from .identity import is_ours
from .job_steps import JobState, Later, Uncertain
from .jobs import JobGenerator

if TYPE_CHECKING:
    from .wrapper import WrapperKind

__all__ = [
    "ANY_START",
    "GENERATORS",
    "Failure",
    "Frames",
    "Generator",
    "GeneratorKind",
    "JobGenerator",
    "JobState",
    "Later",
    "NotApplicable",
    "Output",
    "Refusal",
    "Uncertain",
    "VideoFile",
    "make_generator",
]


class GeneratorKind:
    """A kind of generator, which makes a generator from the rest of its spec.

    Args:
        make: ``(argument, device, dtype) -> Generator``; cheap, weights are loaded later.
        summary: one line, with the form of the argument.
    """

    def __init__(self, make: Callable[[str, str, str], Generator], summary: str) -> None:
        self.make = make
        self.summary = summary


def _reference(argument: str, device: str, dtype: str) -> Generator:
    from .reference.options import make_reference

    return make_reference(argument, device, dtype)


def _folder(argument: str, device: str, dtype: str) -> Generator:
    from .folder import FolderGenerator

    del device, dtype
    if not argument:
        raise UsageError(
            "name the folder of videos after the colon: --generator folder:PATH, or an address, s3://BUCKET/PREFIX"
        )
    return FolderGenerator(
        parse_argument(argument, f"--generator folder:{argument}", path=True).without_options()
    )


def _command(argument: str, device: str, dtype: str) -> Generator:
    from .command import make_command

    return make_command(argument, device, dtype)


def _wrapper(kind: WrapperKind[Any], argument: str, device: str, dtype: str) -> Generator:
    from ..metrics.encoders.base import EncoderOptions

    def make(spec: str) -> Generator:
        return make_generator(spec, device=device, dtype=dtype)

    return kind.make(argument, EncoderOptions(device, dtype), list(GENERATORS), make)


def _http(argument: str, device: str, dtype: str) -> Generator:
    from .http import make_http

    del device, dtype
    return make_http(argument)


def _diffusers(argument: str, device: str, dtype: str) -> Generator:
    from .pipelines.generator import make_diffusers

    return make_diffusers(argument, device, dtype)


def _python(argument: str, device: str, dtype: str) -> Generator:
    from .python import make_python

    return make_python(argument, device, dtype)


def _guarded(argument: str, device: str, dtype: str) -> Generator:
    from .guarded import GUARDED

    return _wrapper(GUARDED, argument, device, dtype)


def _signed(argument: str, device: str, dtype: str) -> Generator:
    from .signed import SIGNED

    return _wrapper(SIGNED, argument, device, dtype)


def _expanded(argument: str, device: str, dtype: str) -> Generator:
    from .expanded import EXPANDED

    return _wrapper(EXPANDED, argument, device, dtype)


def _watermarked(argument: str, device: str, dtype: str) -> Generator:
    from .watermarked import WATERMARKED

    return _wrapper(WATERMARKED, argument, device, dtype)


def _videos_api(argument: str, device: str, dtype: str) -> Generator:
    from .videos_api import make_videos_api

    del device, dtype
    return make_videos_api(argument)


def _veo(argument: str, device: str, dtype: str) -> Generator:
    from .veo import make_veo

    del device, dtype
    return make_veo(argument)


GENERATORS: Registry[GeneratorKind] = Registry("generator", GeneratorKind)
GENERATORS.add(
    "reference",
    GeneratorKind(
        _reference,
        "reference:NAME?steps=N,...: the shipped diffusion transformer, checkpoint NAME or a folder",
    ),
)
GENERATORS.add(
    "folder", GeneratorKind(_folder, "folder:PATH or folder:s3://BUCKET/PREFIX: existing video files")
)
GENERATORS.add(
    "command",
    GeneratorKind(
        _command, "command:PROGRAM ARGS?version=V,...: a program that is given JSON and writes a video"
    ),
)
GENERATORS.add(
    "http",
    GeneratorKind(_http, "http:URL?version=V,...: a server of one's own with POST /jobs and GET /jobs/ID"),
)
GENERATORS.add(
    "videos-api",
    GeneratorKind(
        _videos_api,
        "videos-api:MODEL?base=URL,server=NAME,...: a server of the /v1/videos protocol (SGLang, vLLM-Omni)",
    ),
)
GENERATORS.add(
    "diffusers",
    GeneratorKind(
        _diffusers, "diffusers:ID-or-FOLDER?steps=N,guidance=G,...: a video pipeline of the library diffusers"
    ),
)
GENERATORS.add(
    "python",
    GeneratorKind(
        _python, "python:FILE.py:NAME?option=value,... or python:MODULE:NAME: a function or class of yours"
    ),
)
GENERATORS.add(
    "veo",
    GeneratorKind(_veo, "veo:MODEL?project=NAME,...: Google's Veo, by Google Cloud or Gemini API"),
)
GENERATORS.add(
    "guarded",
    GeneratorKind(
        _guarded, "guarded:[prompt=NAME,frame=NAME,enforce=no]:SPEC: filters around another generator"
    ),
)
GENERATORS.add(
    "signed",
    GeneratorKind(
        _signed, "signed:[SPEC]?cert=FILE,key=FILE: clips of another generator, signed with a C2PA manifest"
    ),
)
GENERATORS.add(
    "expanded",
    GeneratorKind(_expanded, "expanded:[SPEC]?by=FILE: another generator, given longer prompts from a file"),
)
GENERATORS.add(
    "watermarked",
    GeneratorKind(
        _watermarked, "watermarked:[SPEC]?mark=NAME: clips of another generator, with an invisible watermark"
    ),
)


def make_generator(spec: str, *, device: str = "auto", dtype: str = "float32") -> Generator:
    """Make a generator from its spec, ``KIND:ARGUMENT?NAME=VALUE``; see `harness.core.specs`.

    Raises:
        UsageError: there is no such kind, checkpoint or folder, or a plug-in could not make the generator.
    """
    kind, argument = split_kind(spec)
    make = GENERATORS.get(kind).make
    if is_ours(make.__module__):
        return make(argument, device, dtype)
    try:
        made = cast("object", make(argument, device, dtype))
    except ScreentestError:
        raise
    except Exception as error:
        raise UsageError(f"the plug-in of --generator {spec} could not make it: {describe(error)}") from error
    if not isinstance(made, Generator):
        raise UsageError(
            f"the plug-in of --generator {spec} made a {type(made).__name__} and not a Generator; "
            "derive its class from screentest.generators.Generator"
        )
    return made
