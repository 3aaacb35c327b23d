"""Base of generators around another generator, which is named in their spec: filters, signers, watermarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from ..harness.core.config import Config
from ..harness.core.errors import UsageError
from ..harness.core.specs import parse_wrapped
from .base import Generator
from .jobs import JobGenerator

if TYPE_CHECKING:
    from ..harness.core.items import ClipSettings, Item
    from ..metrics.encoders.base import EncoderOptions

__all__ = ["Wrap", "Wrapper", "WrapperKind"]


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
        return self.inner.why_not(item)

    def check(self, items: Sequence[Item]) -> list[str]:
        """Run the generator's checks, and warn that the jobs of a service are not kept."""
        warnings = list(self.inner.check(items))
        if isinstance(self.inner, JobGenerator):
            warnings.append(
                f"jobs of a service within a {self.spec.partition(':')[0]} generator are not kept: a run "
                "that is killed submits, and pays for, those of its last unit again"
            )
        return warnings


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
