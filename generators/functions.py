"""A function as a generator: ``@generator("mine", version=1)`` over ``def mine(prompt, seed, clip)``.

The function returns one video in any form of `harness.core.video_arrays`, a path, or an `Output`; it raises
`Refused` to refuse. For batches it is a class with ``generate(self, prompts, seeds, clip)``, which returns as
many.
"""

from __future__ import annotations

import hashlib
import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast, get_args

from ..harness.core.counts import counted
from ..harness.core.errors import ScreentestError, UsageError, describe
from ..harness.core.items import Use
from ..harness.core.plugin_sources import source_digests
from ..harness.core.video_arrays import read_video, read_videos
from .base import Failure, Frames, Generator, Output, Refusal, VideoFile
from .signatures import PLACES, Bound, asked_for, bind

if TYPE_CHECKING:
    from ..harness.core.items import ClipSettings, Item, Start
    from ..harness.core.keys import Json
    from ..harness.core.video_arrays import Layout, ValueRange

__all__ = ["FunctionGenerator", "Refused", "is_generating", "source_of"]

F = TypeVar("F", bound=Callable[..., Any])

OF_ITEM: Final = ("prompt", "seed", "clip", "item", "image", "video", "video_to", "use", "strength")
"""Parameters of a function that get something of the item."""
OF_BATCH: Final = ("prompts", "seeds", "clip", "items")
"""Parameters of a class's method ``generate``."""


_CLASS_TAKES: Final = "a method generate(self, prompts, seeds, clip)"
_RETURNED: Final = "what the generator returned"


class Refused(Exception):
    """Say why a prompt is refused; a generating function raises it."""


def is_generating(target: object) -> bool:
    """Check whether a function, or a class's ``generate``, takes prompts: else it is a factory."""
    try:
        return bool({"prompt", "prompts", "item", "items"} & _method(target).keys())
    except UsageError:
        return False


def _method(target: Any) -> dict[str, inspect.Parameter]:
    """List the parameters of what generates: the function, or the method ``generate`` of the class."""
    if not inspect.isclass(target):
        return asked_for(target)
    method: Any = getattr(target, "generate", None)
    return asked_for(method) if callable(method) else {}


class FunctionGenerator(Generator, Generic[F]):
    """A function, or a class for batches, as a generator; calling it calls the function.

    Args:
        target: the function, or the class, of which one is made when clips are first asked for.
        name: of the generator, in specs and records.
        version: raised when clips change and the source does not show it; None for what has no version.
        batch_size: how many items a class is given at once.
        reading: layout and range of the arrays that it returns, where these leave a choice.

    Raises:
        UsageError: the target takes no prompts.
    """

    def __init__(
        self,
        target: F,
        name: str,
        version: int | str | None,
        *,
        batch_size: int = 1,
        reading: tuple[Layout | None, ValueRange | None] = (None, None),
    ) -> None:
        self.target, self.name, self.version = target, name, version
        self.spec = name
        self.batch_size = batch_size
        self.__doc__ = target.__doc__
        self._reading = reading
        self._batched = inspect.isclass(target)
        self._options: Mapping[str, Any] = {}
        self._factory: Mapping[str, Json] | None = None
        self._places: Mapping[str, str] = {"device": "auto", "dtype": "float32"}
        if not is_generating(target):
            takes = _CLASS_TAKES if self._batched else "prompt, seed and clip"
            raise UsageError(f"the generator {name!r} takes no prompts; give it {takes}")
        own = (*OF_BATCH, "self") if self._batched else OF_ITEM
        self._takes = [parameter for parameter in _method(target) if parameter in own]
        self.starts = self._starts()

    def _starts(self) -> frozenset[Start]:
        """List what its clips can start from, by what it asks for."""
        takes = set(self._takes)
        found: set[Start] = {"image"} if takes & {"image", "item", "items"} else set()
        if takes & {"use", "item", "items"}:
            return frozenset({*found, *get_args(Use)})
        return frozenset({*found, "extend"} if "video" in takes else found)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, or make an object of the class."""
        return self.target(*args, **kwargs)

    def with_options(
        self, options: Mapping[str, Any], device: str, dtype: str, spec: str
    ) -> FunctionGenerator[F]:
        """Make a generator with values for the further parameters of the function, or of the class.

        Raises:
            UsageError: an option is unknown, wrong or missing.
        """
        made = self._again(spec)
        made._options = dict(options)
        made._places = dict(zip(PLACES, (device, dtype), strict=True))
        _ = made._bound
        return made

    def made_by(self, factory: Mapping[str, Json], spec: str) -> FunctionGenerator[F]:
        """Make a generator with the identity of the factory that returned it, beside its own."""
        made = self._again(spec)
        made._factory = factory
        _ = made._bound
        return made

    def _again(self, spec: str) -> FunctionGenerator[F]:
        made = FunctionGenerator(
            self.target, self.name, self.version, batch_size=self.batch_size, reading=self._reading
        )
        made.spec = spec
        return made

    @cached_property
    def _bound(self) -> Bound:
        given = () if self._batched else OF_ITEM
        return bind(self.target, self._options, self._places, given=given, whose=f"the generator {self.spec}")

    def identity(self) -> Mapping[str, Json]:
        """List name, version, options and the digest of the source (see `source_of`)."""
        return {
            "kind": "function",
            "name": self.name,
            "version": self.version,
            "options": dict(self._bound.identity),
            **({} if self._factory is None else {"factory": dict(self._factory)}),
            "source": source_of(self.target),
        }

    @cached_property
    def _ready(self) -> Any:
        """The function, or the object of the class.

        Raises:
            UsageError: the object cannot be made.
        """
        if not self._batched:
            return self.target
        try:
            return self.target(**self._bound.resolved)
        except ScreentestError:
            raise
        except (Exception, SystemExit) as error:
            raise UsageError(f"the generator {self.spec} could not be made: {describe(error)}") from error

    def generate(self, items: Sequence[Item]) -> list[Output]:
        """Call the function for each item, or the class for those that ask for one size."""
        if not self._batched:
            return [self._one(item) for item in items]
        outputs: list[Output] = []
        for clip, alike in groupby(items, key=lambda item: item.clip):
            outputs += self._batch(list(alike), clip)
        return outputs

    def _one(self, item: Item) -> Output:
        values = {name: item if name == "item" else getattr(item, name) for name in self._takes}
        try:
            return self._output(self._ready(**values, **self._bound.resolved), item)
        except Refused as why:
            return Refusal(str(why) or "it was refused without a reason")
        except (ScreentestError, KeyboardInterrupt):
            raise
        except BaseException as error:  # code of others calls sys.exit, and a panic of Rust is no Exception
            return Failure(describe(error), traceback.format_exc())

    def _batch(self, items: Sequence[Item], clip: ClipSettings) -> Iterator[Output]:
        values: dict[str, Any] = {
            "prompts": [item.prompt for item in items],
            "seeds": [item.seed for item in items],
            "items": list(items),
            "clip": clip,
        }
        given: Any = self._ready.generate(**{n: value for n, value in values.items() if n in self._takes})
        made = given if isinstance(given, list | tuple) else self._split(given)
        outputs = list(cast("Sequence[Any]", made))
        if len(outputs) != len(items):
            raise ValueError(
                f"generate() returned {counted(len(outputs), 'video')} for {counted(len(items), 'prompt')}"
            )
        return (self._output(one, item) for one, item in zip(outputs, items, strict=True))

    def _split(self, given: Any) -> Sequence[Any]:
        """Split a batch in one array, or the output of a pipeline."""
        layout, value_range = self._reading
        try:
            return read_videos(given, layout=layout, value_range=value_range)
        except UsageError as error:
            raise ValueError(str(error)) from None

    def _output(self, given: Any, item: Item) -> Output:
        """Take what was returned for an item; what is no video is a failure that says why."""
        if isinstance(given, Output):
            return given
        layout, value_range = self._reading
        try:
            video = read_video(
                given,
                layout=layout,
                value_range=value_range,
                size=(item.clip.frames, item.clip.height, item.clip.width),
                what=_RETURNED,
            )
        except UsageError as error:
            return Failure(str(error))
        return VideoFile(video) if isinstance(video, Path) else Frames(video, item.clip.fps)


def source_of(target: Any) -> Json:
    """Give the digest of the source of a function or class, as a list; None where it cannot be read.

    Of a module it is that of the whole file, and of the modules beside it that it imports (`plugin_sources`),
    so that what the function calls there is covered. Of a script that is run, and of a notebook, it is that
    of the function alone: the rest goes on changing.
    """
    try:
        file = inspect.getsourcefile(target)
        if target.__module__ != "__main__" and file is not None and Path(file).is_file():
            return [*source_digests(Path(file))]
        return [hashlib.sha256(inspect.getsource(target).encode()).hexdigest()]
    except (OSError, TypeError):
        return None
