"""The identity of a generator; for a plug-in it includes the source code."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..harness.core.plugin_sources import source_digests
from .base import Generator

if TYPE_CHECKING:
    from ..harness.core.keys import Json

__all__ = ["SOURCE", "identity_of", "is_ours", "source_in"]

SOURCE = "source"
_OURS = __name__.partition(".")[0]


def is_ours(module: str) -> bool:
    """Check by its name whether a module belongs to this package."""
    return module.partition(".")[0] == _OURS


def identity_of(generator: Generator) -> Mapping[str, Json]:
    """List what changes the output of a generator, with the source of one from outside.

    An edited plug-in makes other clips, so the sha256 of the files that define its class and its base
    classes, and of the modules beside them that they import (`plugin_sources`), is added as ``source``; None
    if no file can be read. A plug-in may list its own ``source`` instead.
    """
    own = generator.identity()
    outside = [cls for cls in type(generator).__mro__ if cls is not object and not is_ours(cls.__module__)]
    outside = [cls for cls in outside if cls.__module__ not in ("abc", "typing")]
    if not outside or SOURCE in own:
        return own
    files = {_file(cls) for cls in outside}
    if None in files:
        return {**own, SOURCE: None}
    digests = {digest for file in files if file is not None for digest in source_digests(file)}
    return {**own, SOURCE: sorted(digests)}


def source_in(identity: Mapping[str, Json]) -> Json:
    """Give the source in a generator's identity, also in that of one within a guard; False for none.

    It is a list of digests where it was read off files, None where no file can be read, and else what the
    plug-in lists itself.
    """
    inner: Json = identity
    while isinstance(inner, Mapping):
        if SOURCE in inner:
            return inner[SOURCE]
        inner = inner.get("inner")
    return False


def _file(cls: type) -> Path | None:
    try:
        found = inspect.getsourcefile(cls)
    except TypeError:  # made in an interactive session, or compiled
        return None
    return Path(found) if found is not None and Path(found).is_file() else None
