"""Register a function or class as a generator by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..harness.core.errors import UsageError
from ..harness.core.specs import parse_argument
from . import GENERATORS, GeneratorKind
from .functions import FunctionGenerator

if TYPE_CHECKING:
    from ..harness.core.video_arrays import Layout, ValueRange
    from .base import Generator

__all__ = ["generator"]

F = TypeVar("F", bound=Callable[..., Any])

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


class _FunctionKind(GeneratorKind):
    """The kind of one function: its options follow a question mark."""

    def __init__(self, made: FunctionGenerator[Any]) -> None:
        words = (made.target.__doc__ or "").strip().split("\n", 1)[0]
        super().__init__(self._make, f"{made.name}?option=value,...: {words or 'a generator of yours'}")
        self._made = made
        self.origin = (made.target.__module__, made.target.__qualname__)

    def _make(self, argument: str, device: str, dtype: str) -> Generator:
        name = self._made.name
        spec = parse_argument(argument, f"--generator {name}")
        if spec.argument:
            raise UsageError(f"--generator {name}:{argument}: give options as {name}?x=1")
        return self._made.with_options(spec.options, device, dtype, f"{name}{argument}")


def generator(
    name: str,
    *,
    version: int | str,
    batch_size: int = 1,
    layout: Layout | None = None,
    value_range: ValueRange | None = None,
) -> Callable[[F], FunctionGenerator[F]]:
    """Make a generator of a function ``(prompt, seed, clip)``, or of a class for batches, and name it.

    The function returns one video: an array or tensor, images, the output of a pipeline, the path of a file,
    or `Frames`, `VideoFile`, `Refusal`, `Failure`; it raises `Refused` to refuse. ``clip`` has the frames,
    height, width and fps that are asked for. It may also ask for ``image``, ``video``, ``use``, ``item``,
    ``device`` and ``dtype`` by name; its further parameters are options. A class has
    ``generate(self, prompts, seeds, clip)``, which returns as many videos; its options are those of
    ``__init__``, and weights are best loaded there: one object is made when clips are first asked for.

    Args:
        name: in specs (``--generator NAME`` with ``--plugin FILE``) and records.
        version: raise it when clips change and the source does not show it (other weights, another library).
        batch_size: how many prompts a class is given at once.
        layout, value_range: of the arrays that are returned, where these leave a choice.

    Raises:
        UsageError: the name is taken by another generator, or the function takes no prompt.

    Example:
        >>> import numpy as np
        >>> @generator("example-noise", version=1)
        ... def noise(prompt, seed, clip):
        ...     rng = np.random.default_rng(seed)
        ...     return rng.random((clip.frames, 3, clip.height, clip.width))
        >>> noise.spec
        'example-noise'
    """
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            f"the generator name {name!r} should be small letters, digits, '-' and '_', 40 at most and a "
            "letter first"
        )

    def register(target: F) -> FunctionGenerator[F]:
        made = FunctionGenerator(target, name, version, batch_size=batch_size, reading=(layout, value_range))
        kind = _FunctionKind(made)
        there = GENERATORS.get(name) if name in GENERATORS else None
        # A cell of a notebook that is run again defines the same function anew.
        again = isinstance(there, _FunctionKind) and there.origin == kind.origin
        GENERATORS.add(name, kind, again=again)
        return made

    return register
