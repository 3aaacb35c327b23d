"""Options of a user's function or class, read off its signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import PydanticSchemaGenerationError, TypeAdapter, create_model

from ..harness.core.config import Config, checked
from ..harness.core.errors import UsageError
from ..harness.core.keys import canonical_json, file_sha256, folder_digest

if TYPE_CHECKING:
    from ..harness.core.keys import Json

__all__ = ["Bound", "asked_for", "bind"]

PLACES = ("device", "dtype")
"""Parameters that get ``--device`` and ``--dtype``."""


@dataclass(frozen=True)
class Bound:
    """Arguments for a call.

    Attributes:
        arguments: the options that were given, with device and dtype where the signature asks for them.
        identity: what of these changes clips: options (a file or folder by its content) and dtype.
    """

    arguments: Mapping[str, Any]
    identity: Mapping[str, Json]

    @cached_property
    def resolved(self) -> dict[str, Any]:
        """The arguments, with the device that ``auto`` stands for.

        Raises:
            UsageError: the device is not there.
        """
        found = dict(self.arguments)
        if "device" in found:
            from ..metrics.encoders.base import EncoderOptions
            from ..metrics.encoders.weights import torch_device

            found["device"] = str(torch_device(EncoderOptions(found["device"])))
        return found


def asked_for(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """List the parameters of a function or class that can be given by name.

    Raises:
        UsageError: it has one that cannot.
    """
    name = getattr(function, "__qualname__", repr(function))
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        raise UsageError(f"the parameters of {name} cannot be read: {error}") from None
    for one in parameters.values():
        if one.kind is one.POSITIONAL_ONLY:
            raise UsageError(f"{name} takes {one.name!r} by position alone; let it be given by name")
    return {n: one for n, one in parameters.items() if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)}


def bind(
    function: Callable[..., Any],
    options: Mapping[str, Any],
    places: Mapping[str, str],
    *,
    given: Collection[str] = (),
    whose: str,
) -> Bound:
    """Read options, which may be text, as the parameters of a function or class.

    Args:
        places: device and dtype.
        given: parameters that get their value at each call.
        whose: how messages name what the options were given to.

    Raises:
        UsageError: an option is unknown (the nearest one is named), has a wrong value, or is missing.
    """
    parameters = asked_for(function)
    hints = _hints(function)
    fields: dict[str, Any] = {}
    for name, one in parameters.items():
        if name not in (*PLACES, *given):
            default = ... if one.default is one.empty else one.default
            fields[name] = (_kind(hints.get(name), one.default), default)
    missing = [name for name, (_, default) in fields.items() if default is ... and name not in options]
    if missing:
        raise UsageError(f"{whose} needs a value for {missing[0]!r}, as in ?{missing[0]}=...")
    if options and not fields:
        beside = [name for name in parameters if name in (*PLACES, *given)]
        raise UsageError(
            f"{whose} has no options, as options are the parameters of {getattr(function, '__name__', 'it')}"
            f"{' beside ' + ', '.join(beside) if beside else ', which has none'}; leave out "
            f"{', '.join(map(repr, options))}"
        )
    model = create_model("Options", __base__=Config, **fields)
    read = checked(model, options, whose)
    named = {name: getattr(read, name) for name in options}
    used = {name: place for name, place in places.items() if name in parameters}
    identity = {name: _content(value) for name, value in named.items()}
    if "dtype" in used:
        identity["dtype"] = used["dtype"]
    return Bound({**named, **used}, identity)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function.__init__ if inspect.isclass(function) else function)
    except Exception:  # a name that is known to type checkers only
        return {}


def _kind(hint: Any, default: Any) -> Any:
    """Choose the type that an option is read as: that of the annotation, else of the default, else text."""
    for kind in (hint, type(default) if type(default) in (bool, int, float, str) else None):
        if kind is not None:
            try:
                TypeAdapter(kind)
            except PydanticSchemaGenerationError:
                continue
            return kind
    return Any


def _content(value: Any) -> Json:
    """Take an option for the identity: a file or folder by its content, else the value."""
    if isinstance(value, Path):
        if value.is_file():
            return file_sha256(value)
        if value.is_dir():
            files = [path.relative_to(value).as_posix() for path in value.rglob("*") if path.is_file()]
            return folder_digest(value, files)
        return str(value)
    try:
        canonical_json(value)
    except (TypeError, ValueError):
        return repr(value)
    return value
