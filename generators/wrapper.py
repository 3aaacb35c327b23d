"""Base of generators around another generator, which is named in their spec: filters, signers, watermarks."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from ..harness.core.config import Config
from ..harness.core.errors import UsageError
from ..harness.core.specs import parse_wrapped
from .base import Generator, NotApplicable, Output, answers, unsuited

if TYPE_CHECKING:
    from ..harness.core.items import ClipSettings, Item
    from ..metrics.encoders.base import EncoderOptions

__all__ = ["Layered", "Wrap", "Wrapper", "WrapperKind"]


class Wrapper(Generator):
    """A generator that does something with the outputs of an inner one, and has its items and checks."""

    def __init__(self, inner: Generator, spec: str) -> None:
        self.inner = inner
        self.spec = spec
        self.batch_size = inner.batch_size
        self.sources = inner.sources
        self.starts = inner.starts
        self.world = inner.world

    def own_items(self, clip: ClipSettings) -> tuple[Item, ...] | None:
        """List the generator's own items, if it has any."""
        return self.inner.own_items(clip)

    def file_of(self, item: Item) -> str | None:
        """Name the user's file that is an item's clip, as the generator does."""
        return self.inner.file_of(item)

    def why_not(self, item: Item) -> str:
        """Say why an item cannot be given to the inner generator."""
        return self.inner.why_not(item)  # which does not depend on the words of the prompt

    def check(self, items: Sequence[Item]) -> list[str]:
        """Run the generator's checks."""
        return self.inner.check(items)

    def before(self, items: Sequence[Item]) -> dict[str, Output]:
        """Answer items that the inner generator is not given; return their outputs by id.

        It is called with an item before `after` is.
        """
        del items
        return {}

    def asked(self, item: Item) -> Item:
        """Return an item as the inner generator is given it, with the same id; called after `before`."""
        return item

    def prompt_of(self, item: Item) -> str | None:
        """Return the text that an item is generated from."""
        return self.inner.prompt_of(self.asked(item))

    @abstractmethod
    def after(self, item: Item, output: Output, folder: Path) -> Output:
        """Say what becomes of an output of the inner generator.

        Args:
            item: one that `before` did not answer.
            output: of the inner generator.
            folder: for the file of a `VideoFile`; it may have to be made, and is deleted once that is stored.
        """

    def generate(self, items: Sequence[Item]) -> list[Output]:
        """Generate items by the inner generator, with what is done before and after it.

        The files are kept until the next call.
        """
        shutil.rmtree(self._scratch, ignore_errors=True)
        outputs = self.before(items)
        rest = [item for item in items if item.id not in outputs]
        made = answers(self.inner, [self.asked(item) for item in rest]) if rest else []
        for item, output in zip(rest, made, strict=True):
            outputs[item.id] = self.after(item, output, self._scratch / item.id)
        return [outputs[item.id] for item in items]

    @cached_property
    def _scratch(self) -> Path:
        folder = tempfile.mkdtemp(prefix="screentest-wrapper-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)


class Layered:
    """A generator taken apart: the wrappers, the outermost first, and the generator within them.

    A run drives the jobs of a service within wrappers by the steps of both, so that its jobs are kept.
    """

    def __init__(self, generator: Generator) -> None:
        self.whole = generator
        self.wrappers: list[Wrapper] = []
        while isinstance(generator, Wrapper):
            self.wrappers.append(generator)
            generator = generator.inner
        self.inner = generator

    def before(self, items: Sequence[Item], folder: Path) -> dict[str, Output]:
        """Answer items that the innermost generator is not given; return their outputs by id."""
        found: dict[str, Output] = {
            item: NotApplicable(why) for item, why in unsuited(self.whole, items).items()
        }
        given = list(items)
        for depth, wrapper in enumerate(self.wrappers):
            rest = {item.id: item for item in given if item.id not in found}
            for item, output in wrapper.before(list(rest.values())).items():
                found[item] = self._after(rest[item], output, folder, self.wrappers[:depth])
            given = [wrapper.asked(item) for item in rest.values() if item.id not in found]
        return found

    def asked(self, item: Item) -> Item:
        """Return an item as the innermost generator is given it."""
        for wrapper in self.wrappers:
            item = wrapper.asked(item)
        return item

    def after(self, item: Item, output: Output, folder: Path) -> Output:
        """Say what becomes of an output of the innermost generator; see `Wrapper.after`."""
        return self._after(item, output, folder, self.wrappers)

    def _after(self, item: Item, output: Output, folder: Path, wrappers: Sequence[Wrapper]) -> Output:
        for depth, wrapper in reversed(list(enumerate(wrappers))):
            output = wrapper.after(item, output, folder / item.id / str(depth))
        return output


Wrap: TypeAlias = Callable[[Generator, str], Wrapper]
"""Puts a wrapper around a generator; the second argument is the spec of both."""
C = TypeVar("C", bound=Config)


@dataclass(frozen=True)
class WrapperKind(Generic[C]):
    """A kind of wrappers, as specs name it: ``NAME:[SPEC]?OPTIONS``.

    Attributes:
        name: of the kind.
        options: the model of its options.
        example: what to do if no inner generator is named, for messages.
        prepare: reads what the options name, and gives what wraps a generator. It is called with the options,
            how messages name the spec, and the device and dtype.
        without_options: what is wrong, and what to do, if no option is given; None if none is needed.
    """

    name: str
    options: type[C]
    example: str
    prepare: Callable[[C, str, EncoderOptions], Wrap]
    without_options: str | None = None

    def make(
        self, argument: str, where: EncoderOptions, kinds: Sequence[str], make: Callable[[str], Generator]
    ) -> Wrapper:
        """Make a wrapper and its inner generator from what follows the kind.

        Args:
            argument: options, and the spec of the inner generator.
            where: device and dtype of the wrapper's own models.
            kinds: kinds of generators, which separate the options from the inner spec.
            make: makes the inner generator from its spec.

        Raises:
            UsageError: an unknown option, what it names is wrong or missing, or the inner generator cannot be
                made.
            MissingWeightsError: weights that the options name are not on this machine.
        """
        whose = f"--generator {self.name}:{argument}"
        spec = parse_wrapped(argument, kinds, whose, what="generator", example=self.example)
        if self.without_options is not None and not spec.options:
            raise UsageError(f"{whose} {self.without_options}")
        wrap = self.prepare(spec.settings(self.options), whose, where)
        return wrap(make(spec.argument), f"{self.name}:{argument}")
