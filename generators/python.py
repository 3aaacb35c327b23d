"""A user's function, class or factory as a generator, by its name: ``python:file.py:name?option=value``.

``python:package.module:name`` takes it from a module that can be imported from here. What it names is

- a function with the parameters prompt, seed and clip, or what ``@screentest.generator`` made of one,
- a class with ``generate(self, prompts, seeds, clip)``, or one derived from `Generator`, or
- a factory: a function without a prompt that returns one of these, or a `Generator`.

Options go to the parameters of the class or factory, or to the further ones of the function. ``--device`` and
``--dtype`` reach it if it has parameters of these names.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..harness.core.errors import ScreentestError, UsageError, describe, unknown_name
from ..harness.core.source_files import run_file
from ..harness.core.specs import parse_argument
from .base import Generator
from .functions import FunctionGenerator, is_generating, source_of
from .identity import SOURCE
from .signatures import PLACES, bind

__all__ = ["make_python"]

_FORM = "python:file.py:name or python:package.module:name"


def make_python(argument: str, device: str, dtype: str) -> Generator:
    """Make a generator from what follows ``python:``.

    Raises:
        UsageError: there is no such file, module or name; it is no generator; or an option is wrong.
    """
    whose = f"--generator python:{argument}"
    spec = parse_argument(argument, whose, path=True)
    place, colon, name = spec.argument.rpartition(":")
    if not (place and colon and name):
        raise UsageError(f"{whose} should name a function or class, as {_FORM}")
    found = _named(_module(place, whose), place, name)
    if isinstance(found, FunctionGenerator):
        return found.with_options(spec.options, device, dtype, f"python:{argument}")
    if isinstance(found, Generator):
        _ = spec.without_options()
        return _with_spec(found, argument)
    if not callable(found):
        raise UsageError(f"{name} in {place} is a {type(found).__name__}; name a function or class")
    if is_generating(found) and not (inspect.isclass(found) and issubclass(found, Generator)):
        plain = FunctionGenerator(found, name, None)
        return plain.with_options(spec.options, device, dtype, f"python:{argument}")
    return _made(found, spec.options, (device, dtype), argument)


def _module(place: str, whose: str) -> Any:
    if place.endswith(".py"):
        return run_file(Path(place).expanduser(), "generator")
    if "/" in place or os.sep in place:
        raise UsageError(f"{whose}: {place} is not a Python file; it should end in .py")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last, so that nothing here stands in for what is installed
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is not None and (place == error.name or place.startswith(f"{error.name}.")):
            raise UsageError(
                f"there is no module {place!r} here or among what is installed; give {_FORM}"
            ) from None
        raise UsageError(f"the module {place!r} could not be imported: {describe(error)}") from error
    except (Exception, SystemExit) as error:
        raise UsageError(f"the module {place!r} could not be imported: {describe(error)}") from error


def _named(module: Any, place: str, name: str) -> Any:
    if not hasattr(module, name):
        callables = [n for n, value in vars(module).items() if callable(value) and not n.startswith("_")]
        raise unknown_name(f"name in {place}", name, callables)
    return getattr(module, name)


def _made(factory: Any, options: Mapping[str, Any], places: tuple[str, str], argument: str) -> Generator:
    """Let a factory make the generator."""
    whose = f"--generator python:{argument}"
    bound = bind(factory, options, dict(zip(PLACES, places, strict=True)), whose=whose)
    try:
        made: Any = factory(**bound.resolved)
    except ScreentestError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"the factory of {whose} could not make it: {describe(error)}") from error
    if isinstance(made, Generator) and not isinstance(made, FunctionGenerator):
        return _with_spec(made, argument)
    if not (isinstance(made, FunctionGenerator) or (callable(made) and is_generating(made))):
        raise UsageError(
            f"the factory of {whose} made a {type(made).__name__}; return a function of prompt, seed and "
            "clip, or a Generator"
        )
    function = made if isinstance(made, FunctionGenerator) else FunctionGenerator(made, argument, None)
    factory_identity = {"options": dict(bound.identity), SOURCE: source_of(factory)}
    return function.made_by(factory_identity, f"python:{argument}")


def _with_spec(made: Generator, argument: str) -> Generator:
    """Give a generator the user's spec where its class gives it none."""
    made.spec = getattr(made, "spec", f"python:{argument}")
    return made
